"""Classification heads on the encoder: of texts by the family's own head or mean pooling, or of every token.

With ``pooling="cls"``, the head is HF's for the family, so ``transformers`` computes the same logits from the
same weights. ``pooling="mean"`` is bertline's own: the mean of the real tokens' states, then a linear layer.
``pooling="none"`` classifies tokens, like HF's token classification.
"""

from functools import partial
from typing import Literal

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import ACTIVATION, Encoder, initialise

Pooling = Literal["cls", "mean", "none"]

States = Float[Tensor, "batch tokens hidden"]
Attend = Bool[Tensor, "batch tokens"] | None  # None: every token is real
Logits = Float[Tensor, "batch labels"]


class FirstTokenHead(nn.Module):
    """The family's own head: the first token → (dropout) → dense → activation → dropout → linear."""

    def __init__(self, config: EncoderConfig, labels: int) -> None:
        super().__init__()
        head = config.description.head
        self.dropout_first = nn.Dropout(config.head_dropout) if head.drops_input else nn.Identity()
        self.dense = nn.Linear(config.hidden, config.hidden)
        self.activation = ACTIVATION[head.activation]
        self.dropout = nn.Dropout(config.head_dropout)
        self.out = nn.Linear(config.hidden, labels)

    def forward(self, states: States, attend: Attend) -> Logits:
        """Logits of each text."""
        pooled = self.activation(self.dense(self.dropout_first(states[:, 0])))
        logits: Tensor = self.out(self.dropout(pooled))
        return logits


class MeanHead(nn.Module):
    """Mean of the real tokens' states → dropout → linear."""

    def __init__(self, config: EncoderConfig, labels: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.head_dropout)
        self.out = nn.Linear(config.hidden, labels)

    def forward(self, states: States, attend: Attend) -> Logits:
        """Logits of each text."""
        logits: Tensor = self.out(self.dropout(mean_pool(states, attend)))
        return logits


class TokenHead(nn.Module):
    """Dropout → linear, on every token."""

    def __init__(self, config: EncoderConfig, labels: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.tokens_dropout)
        self.out = nn.Linear(config.hidden, labels)

    def forward(self, states: States, attend: Attend) -> Float[Tensor, "batch tokens labels"]:
        """Logits of each token; meaningless on padding."""
        logits: Tensor = self.out(self.dropout(states))
        return logits


def mean_pool(states: States, attend: Attend) -> Float[Tensor, "batch hidden"]:
    """Mean over the real tokens of each text; over all tokens without ``attend``, bit-identical in fp32."""
    if attend is None:
        return states.mean(1)
    weights = attend.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)


class Classifier(nn.Module):
    """An encoder and a head: a batch of ids in, one row of logits per text or per token out."""

    def __init__(self, config: EncoderConfig, labels: int, pooling: Pooling = "cls") -> None:
        super().__init__()
        heads = {"cls": FirstTokenHead, "mean": MeanHead, "none": TokenHead}
        self.pooling, self.labels = pooling, labels
        self.encoder = Encoder(config)
        self.head: nn.Module = heads[pooling](config, labels)
        self.head.apply(partial(initialise, std=config.init_std))

    @property
    def config(self) -> EncoderConfig:
        """The encoder's configuration."""
        return self.encoder.config

    @property
    def output(self) -> str:
        """Name of the head's output in ``encoder.outputs``."""
        return "tags" if self.pooling == "none" else "logits"

    def forward(
        self,
        ids: Int[Tensor, "batch tokens"],
        attend: Attend,
        segments: Int[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch *axes"]:
        """Logits of each text, [batch, labels], or token, [batch, tokens, labels]; arguments as for the encoder."""
        logits: Tensor = self.head(self.encoder(ids, attend, segments=segments).last, attend)
        return logits
