"""The language-model head: from the states of some tokens to a score for every entry of the vocabulary.

Its output matrix is the table of token embeddings (tied, as in BERT), and only the positions that are asked for are
multiplied with it: a table of 30,522 tokens costs as much per token as the whole of a small encoder.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bertline.encoder.checkpoint import fill, fill_encoder, read_config, require, write_checkpoint
from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import ACTIVATION, Encoder, initialise
from bertline.encoder.keys import Table, to_checkpoint, whole_table
from bertline.encoder.keys import masked_head_table as masked_head_table
from bertline.encoder.names import plain_names
from bertline.encoder.weights import read_tensors
from bertline.errors import CheckpointError


class MaskedHead(nn.Module):
    """Dense → activation → LayerNorm → product with the token embeddings, plus a bias."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden, config.embedding_width)
        self.norm = nn.LayerNorm(config.embedding_width, eps=config.norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.activation = ACTIVATION[config.description.masked.activation or config.activation]

    def forward(
        self, states: Float[Tensor, "*axes hidden"], embeddings: Float[Tensor, "vocabulary width"]
    ) -> Float[Tensor, "*axes vocabulary"]:
        """Logits of every entry of the vocabulary."""
        return functional.linear(self.norm(self.activation(self.dense(states))), embeddings, self.bias)


class MaskedLanguageModel(nn.Module):
    """An encoder and its language-model head, which predicts the tokens themselves.

    With a causal configuration it is a causal language model, and learns to predict the next tokens.

    Attributes:
        mask_id: the tokenizer's [MASK]; if set, a network without ``at`` computes the logits of these tokens alone.

    Source: Devlin et al. 2019, section 3.1.
    """

    pooling = "none"
    output = "vocabulary"
    mask_id: int | None = None

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.head = MaskedHead(config)
        self.head.apply(partial(initialise, std=config.init_std))

    @property
    def config(self) -> EncoderConfig:
        """The encoder's configuration."""
        return self.encoder.config

    def forward(
        self,
        ids: Int[Tensor, "batch tokens"],
        attend: Bool[Tensor, "batch tokens"] | None,
        segments: Int[Tensor, "batch tokens"] | None = None,
        *,
        at: Int[Tensor, " masked"] | None = None,
    ) -> Float[Tensor, "*axes vocabulary"]:
        """Logits of the vocabulary: of every token, [batch, tokens, vocabulary], or of some, [masked, vocabulary].

        Args:
            ids: as for the encoder; so are ``attend`` and ``segments``.
            attend: as above.
            segments: as above.
            at: positions in the flattened batch (row × tokens + column); by default those of ``mask_id``, or all.
        """
        if at is None and self.mask_id is not None:
            at = (ids == self.mask_id).flatten().nonzero()[:, 0]
        states = self.encoder(ids, attend, segments=segments, at=at).last
        logits: Tensor = self.head(states, self.encoder.embeddings.token.weight)
        return logits


def masked_table(config: EncoderConfig) -> Table:
    """All parameters with their names in HF's masked language models."""
    return whole_table(config, masked_head_table(config))


def load_masked(
    directory: Path, *, dropout: float | None = None, causal: bool = False
) -> tuple[MaskedLanguageModel, bool]:
    """A language model from a checkpoint, and whether the checkpoint had the head.

    A checkpoint without the head, such as all-MiniLM-L6-v2, gets a new one, which has to be trained.

    Args:
        directory: of the checkpoint.
        dropout: rate everywhere; by default the checkpoint's.
        causal: give it a causal mask, whether or not it had one.

    Raises:
        CheckpointError: the files cannot be read, the weights do not match ``config.json``, a part of the head is
            missing, or its output matrix is not the table of token embeddings.
    """
    config, _ = read_config(directory, causal=None if causal else False)
    config = replace(config, causal=causal)
    if dropout is not None:
        config = config.with_dropout(dropout)
    model = MaskedLanguageModel(config)
    state = plain_names(read_tensors(directory), config, directory)
    fill_encoder(model.encoder, state)
    table = masked_head_table(config)
    tensors = state.tensors
    has_head = any(name in tensors for names in table.values() for name in names)
    if has_head:
        require(tensors, table.values(), directory, "masked-language-model head")
        output = f"{config.description.masked.output}.weight"
        own = tensors.get(output)
        if own is not None and not torch.equal(own, model.encoder.embeddings.token.weight):
            raise CheckpointError(
                f"{directory} has an output matrix ({output}) that is not its table of token "
                "embeddings: bertline needs a checkpoint in which the two are tied"
            )
        fill(model.head, tensors, table, directory)
    return model, has_head


def save_masked(directory: Path, model: MaskedLanguageModel) -> None:
    """Write ``config.json`` and ``model.safetensors``, as ``AutoModelForMaskedLM`` or ``…CausalLM`` loads them."""
    config = model.config
    kind = config.description.causal if config.causal else "ForMaskedLM"
    tensors = to_checkpoint(model.state_dict(), masked_table(config))
    write_checkpoint(directory, config, kind, {"tie_word_embeddings": True}, tensors)
