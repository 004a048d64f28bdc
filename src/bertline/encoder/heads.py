"""Classification heads on the encoder: of texts by the family's own head or mean pooling, or of every token.

With ``pooling="cls"``, the head is HF's for the family, so ``transformers`` computes the same logits from the
same weights. ``pooling="mean"`` is bertline's own: the mean of the real tokens' states, then a linear layer.
``pooling="normalised"`` also divides the mean by its length, as embedders do whose cosines are compared.
``pooling="none"`` classifies tokens, like HF's token classification.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bertline.encoder.config import EncoderConfig
from bertline.encoder.dropout import Dropout
from bertline.encoder.encoder import ACTIVATION, Encoder, initialise

Pooling = Literal["cls", "mean", "normalised", "none"]

States = Float[Tensor, "batch tokens hidden"]
Attend = Bool[Tensor, "batch tokens"] | None  # None: every token is real
Features = Float[Tensor, "batch *axes hidden"]


class Head(nn.Module):
    """Features of the states → dropout → linear."""

    dropout: nn.Dropout
    out: nn.Linear

    def features(self, states: States, attend: Attend) -> Features:
        """What the linear layer reads."""
        raise NotImplementedError

    def forward(self, states: States, attend: Attend) -> Float[Tensor, "batch *axes labels"]:
        """Logits of each text or token."""
        logits: Tensor = self.out(self.dropout(self.features(states, attend)))
        return logits


class FirstTokenHead(Head):
    """The family's own head; its features: the first token → (dropout) → dense → activation."""

    def __init__(self, config: EncoderConfig, labels: int) -> None:
        super().__init__()
        head = config.description.head
        self.dropout_first = Dropout(config.head_dropout) if head.drops_input else nn.Identity()
        self.dense = nn.Linear(config.hidden, config.hidden)
        self.activation = ACTIVATION[head.activation]
        self.dropout = Dropout(config.head_dropout)
        self.out = nn.Linear(config.hidden, labels)

    def features(self, states: States, attend: Attend) -> Features:
        """Of each text, [batch, hidden]."""
        features: Tensor = self.activation(self.dense(self.dropout_first(states[:, 0])))
        return features


class MeanHead(Head):
    """Its features: the mean of the real tokens' states."""

    def __init__(self, config: EncoderConfig, labels: int) -> None:
        super().__init__()
        self.dropout = Dropout(config.head_dropout)
        self.out = nn.Linear(config.hidden, labels)

    def features(self, states: States, attend: Attend) -> Features:
        """Of each text, [batch, hidden]."""
        return mean_pool(states, attend)


class NormalisedHead(MeanHead):
    """Its features: the mean of the real tokens' states, divided by its length."""

    def features(self, states: States, attend: Attend) -> Features:
        """Of each text, [batch, hidden]."""
        return functional.normalize(mean_pool(states, attend), dim=-1)


class TokenHead(Head):
    """Its features: the states of every token; logits of padding mean nothing."""

    def __init__(self, config: EncoderConfig, labels: int) -> None:
        super().__init__()
        self.dropout = Dropout(config.tokens_dropout)
        self.out = nn.Linear(config.hidden, labels)

    def features(self, states: States, attend: Attend) -> Features:
        """Of each token, [batch, tokens, hidden]."""
        return states


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
        heads: dict[Pooling, Callable[[EncoderConfig, int], Head]]
        heads = {"cls": FirstTokenHead, "mean": MeanHead, "normalised": NormalisedHead, "none": TokenHead}
        self.pooling, self.labels = pooling, labels
        self.encoder = Encoder(config)
        self.head = heads[pooling](config, labels)
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
