"""Reversible tables between our parameter names and those of HF checkpoints.

A table maps each of our names to the checkpoint names whose tensors, concatenated along the first dimension,
are our parameter (query, key and value are one matrix here and three there).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bertline.encoder.config import EncoderConfig

Table = Mapping[str, tuple[str, ...]]

_EMBEDDINGS = {
    "embeddings.token": ("embeddings.word_embeddings",),
    "embeddings.position": ("embeddings.position_embeddings",),
    "embeddings.segment": ("embeddings.token_type_embeddings",),
    "embeddings.norm": ("embeddings.LayerNorm",),
}


_TABLES = ("embeddings.token", "embeddings.position", "embeddings.segment")


def encoder_table(config: EncoderConfig) -> Table:
    """The encoder's parameters with their checkpoint names, without the family's prefix."""
    layer, path = config.description.layer, config.description.layers
    modules: dict[str, tuple[str, ...]] = dict(_EMBEDDINGS)
    if not config.segments:
        del modules["embeddings.segment"]
    if config.embedding_width != config.hidden:
        modules["embeddings.project"] = ("embeddings_project",)
    for i in range(config.layers):
        modules |= {f"layers.{i}.{ours}": tuple(f"{path}.{i}.{one}" for one in hf) for ours, hf in layer.items()}
    table: dict[str, tuple[str, ...]] = {}
    for ours, hf in modules.items():
        for part in ("weight",) if ours in _TABLES else ("weight", "bias"):
            table[f"{ours}.{part}"] = tuple(f"{one}.{part}" for one in hf)
    return table


def whole_table(config: EncoderConfig, head: Table) -> Table:
    """All parameters of a network, an encoder and its ``head``, with their names in a checkpoint."""
    prefix = config.description.prefix
    table = {f"encoder.{ours}": tuple(prefix + one for one in hf) for ours, hf in encoder_table(config).items()}
    return table | {f"head.{ours}": hf for ours, hf in head.items()}


def classifier_table(config: EncoderConfig, *, pooling: str) -> Table:
    """All parameters of a ``Classifier`` with their names in HF's sequence or token classification model."""
    return whole_table(config, head_table(config, pooling=pooling))


def head_table(config: EncoderConfig, *, pooling: str) -> Table:
    """The classification head alone; BERT's dense layer is part of the pre-trained encoder."""
    head = config.description.head
    modules = {"dense": head.dense, "out": head.out} if pooling == "cls" else {"out": "classifier"}
    return {f"{ours}.{part}": (f"{hf}.{part}",) for ours, hf in modules.items() for part in ("weight", "bias")}


def masked_head_table(config: EncoderConfig) -> Table:
    """The masked-language-model head; its output matrix is the encoder's table of token embeddings."""
    names = config.description.masked
    modules = {"dense": names.dense, "norm": names.norm}
    table = {f"{ours}.{part}": (f"{hf}.{part}",) for ours, hf in modules.items() for part in ("weight", "bias")}
    return {**table, "bias": (names.bias,)}


def to_ours(tensors: Mapping[str, Tensor], table: Table) -> dict[str, Tensor]:
    """Rename and join a checkpoint's tensors; every name of the table must be present."""
    return {
        ours: torch.cat([tensors[one] for one in hf]) if len(hf) > 1 else tensors[hf[0]] for ours, hf in table.items()
    }


def to_checkpoint(state: Mapping[str, Tensor], table: Table) -> dict[str, Tensor]:
    """Rename and split our parameters; the inverse of ``to_ours``, bit for bit."""
    tensors: dict[str, Tensor] = {}
    for ours, hf in table.items():
        parts = state[ours].detach().cpu().chunk(len(hf))
        tensors |= {one: part.contiguous().clone() for one, part in zip(hf, parts, strict=True)}
    return tensors
