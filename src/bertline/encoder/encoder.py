"""The encoder: embeddings, then n × (self-attention, feed-forward), each normed.

All families share one implementation, and ``description`` lists their differences. It knows nothing about text, labels
or training.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bertline.encoder.attention import SelfAttention
from bertline.encoder.config import EncoderConfig
from bertline.encoder.dropout import Dropout

ACTIVATION: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": partial(functional.gelu, approximate="tanh"),
    "gelu_pytorch_tanh": partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
    "tanh": torch.tanh,
}


@dataclass(frozen=True, slots=True)
class Encoded:
    """The encoder's results for a batch.

    Attributes:
        last: states after the last layer, [batch, tokens, hidden], or [positions, hidden] with ``at``.
        hidden_states: if requested, the states after the embeddings and after each layer: layers + 1 tensors.
        attentions: if requested, each layer's attention probabilities, [batch, heads, tokens, tokens].
    """

    last: Tensor
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class Embeddings(nn.Module):
    """Sum of token, position and segment embeddings, normalised and, if of another width, projected."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.embedding_width
        self.token = nn.Embedding(config.vocab_size, width, padding_idx=config.pad_id)
        self.counted_from = config.pad_id if config.description.counts_positions else None
        self.position = nn.Embedding(config.max_positions, width, padding_idx=self.counted_from)
        self.segment = nn.Embedding(config.segments, width) if config.segments else None
        self.norm = nn.LayerNorm(width, eps=config.norm_eps)
        self.dropout = Dropout(config.dropout)
        self.project = nn.Identity() if width == config.hidden else nn.Linear(width, config.hidden)

    def forward(
        self, ids: Int[Tensor, "batch tokens"], segments: Int[Tensor, "batch tokens"] | None
    ) -> Float[Tensor, "batch tokens hidden"]:
        """Embed ``ids``; without ``segments``, every token is in segment 0."""
        if self.counted_from is None:
            positions = self.position.weight[: ids.shape[1]]
        else:
            positions = self.position(counted(ids, self.counted_from))
        summed = self.token(ids) + positions
        if self.segment is not None:
            summed = summed + (self.segment.weight[0] if segments is None else self.segment(segments))
        embedded: Tensor = self.project(self.dropout(self.norm(summed)))
        return embedded


def counted(ids: Int[Tensor, "batch tokens"], pad_id: int) -> Int[Tensor, "batch tokens"]:
    """RoBERTa's positions: ``pad_id`` for padding, and for other tokens their number in the row, plus ``pad_id``.

    >>> counted(torch.tensor([[0, 5, 6, 2, 1, 1]]), 1).tolist()
    [[2, 3, 4, 5, 1, 1]]
    """
    real = ids.ne(pad_id).long()
    return real.cumsum(1) * real + pad_id


class Layer(nn.Module):
    """Self-attention and a feed-forward network, each followed by dropout, residual and LayerNorm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.attention_norm = nn.LayerNorm(config.hidden, eps=config.norm_eps)
        self.up = nn.Linear(config.hidden, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, config.hidden)
        self.feed_forward_norm = nn.LayerNorm(config.hidden, eps=config.norm_eps)
        self.activation = ACTIVATION[config.activation]
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        states: Float[Tensor, "batch tokens hidden"],
        allowed: Bool[Tensor, "#batch #heads #tokens tokens"] | None,
        want_attentions: bool = False,
        at: Int[Tensor, " some"] | None = None,
    ) -> tuple[Float[Tensor, "*axes hidden"], Float[Tensor, "batch heads tokens tokens"] | None]:
        """The layer's new states, of all tokens or those ``at``, and, if requested, its attention probabilities."""
        mixed, probabilities = self.attention(states, allowed, want_attentions)
        if at is not None:
            mixed, states = mixed.flatten(0, 1)[at], states.flatten(0, 1)[at]
        states = self.attention_norm(states + self.dropout(mixed))
        fed = self.down(self.activation(self.up(states)))
        return self.feed_forward_norm(states + self.dropout(fed)), probabilities


class Encoder(nn.Module):
    """Token ids to contextual states.

    Sources: Devlin et al. 2019 (BERT), Sanh et al. 2019 (DistilBERT), Liu et al. 2019 (RoBERTa),
    Clark et al. 2020 (ELECTRA).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.apply(partial(initialise, std=config.init_std))

    def forward(
        self,
        ids: Int[Tensor, "batch tokens"],
        attend: Bool[Tensor, "batch tokens"] | None,
        *,
        segments: Int[Tensor, "batch tokens"] | None = None,
        want_hidden_states: bool = False,
        want_attentions: bool = False,
        at: Int[Tensor, " some"] | None = None,
    ) -> Encoded:
        """Encode a batch.

        Args:
            ids: padded on the right, as ``data.batching.pad`` lays them out.
            attend: True on real tokens; states on padding are meaningless. None means that every token is real: on a
                GPU, only the caller knows this without a synchronisation, and the fastest kernels take no mask.
            segments: 0 or 1 for each token; by default every token is in segment 0.
            want_hidden_states: also return the states of all layers.
            want_attentions: also return the attention probabilities, which takes longer.
            at: positions in the flattened batch (row × tokens + column): only their states come out of the last layer,
                [positions, hidden], and its feed-forward network computes no others.

        Raises:
            ValueError: more tokens than the model has positions.
        """
        if ids.shape[1] > self.config.max_tokens:
            raise ValueError(f"{ids.shape[1]} tokens in a batch, but the model has {self.config.max_tokens} positions")
        allowed = _allowed(ids, attend, self.config.causal)
        states = self.embeddings(ids, segments)
        hidden_states, attentions = [states], []
        for layer in self.layers:
            states, probabilities = layer(states, allowed, want_attentions, at if layer is self.layers[-1] else None)
            if want_hidden_states:  # an unconditional list would keep each layer's states alive
                hidden_states.append(states)
            attentions.append(probabilities)
        return Encoded(
            states,
            tuple(hidden_states) if want_hidden_states else None,
            tuple(attentions) if want_attentions else None,
        )


def initialise(module: nn.Module, std: float) -> None:
    """Initialise like BERT: normal weights, zero biases, a zero padding row; LayerNorm keeps ones and zeros."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=std)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()


def _allowed(
    ids: Int[Tensor, "batch tokens"], attend: Bool[Tensor, "batch tokens"] | None, causal: bool
) -> Bool[Tensor, "#batch 1 #tokens tokens"] | None:
    """The mask of which token may attend to which; None if nothing is masked, which is fastest.

    It alone distinguishes a causal encoder, in which a token sees itself and earlier ones (Radford et al. 2018).
    Whether ``attend`` masks anything is checked on a CPU only, because on a GPU it would force a synchronisation.
    """
    past = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril() if causal else None
    if attend is None or (attend.device.type == "cpu" and bool(attend.all())):
        return None if past is None else past[None, None]
    real = attend[:, None, None, :]
    return real if past is None else real & past
