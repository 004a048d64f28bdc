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
_BERT_LAYER = {
    "attention.qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention.out": ("attention.output.dense",),
    "attention_norm": ("attention.output.LayerNorm",),
    "up": ("intermediate.dense",),
    "down": ("output.dense",),
    "feed_forward_norm": ("output.LayerNorm",),
}
_DISTILBERT_LAYER = {
    "attention.qkv": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    "attention.out": ("attention.out_lin",),
    "attention_norm": ("sa_layer_norm",),
    "up": ("ffn.lin1",),
    "down": ("ffn.lin2",),
    "feed_forward_norm": ("output_layer_norm",),
}


def encoder_table(config: EncoderConfig) -> Table:
    """The encoder's parameters with their checkpoint names, without the family's prefix."""
    if config.family == "bert":
        layer, path = _BERT_LAYER, "encoder.layer"
    else:
        layer, path = _DISTILBERT_LAYER, "transformer.layer"
    modules: dict[str, tuple[str, ...]] = dict(_EMBEDDINGS)
    if not config.segments:
        del modules["embeddings.segment"]
    for i in range(config.layers):
        modules |= {f"layers.{i}.{ours}": tuple(f"{path}.{i}.{one}" for one in hf) for ours, hf in layer.items()}
    table: dict[str, tuple[str, ...]] = {}
    for ours, hf in modules.items():
        embedding = ours.startswith("embeddings.") and ours != "embeddings.norm"
        for part in ("weight",) if embedding else ("weight", "bias"):
            table[f"{ours}.{part}"] = tuple(f"{one}.{part}" for one in hf)
    return table


def pooler_table(config: EncoderConfig) -> Table:
    """The dense layer of the family's own head; for BERT it is part of the pre-trained encoder."""
    hf = "bert.pooler.dense" if config.family == "bert" else "pre_classifier"
    return {f"dense.{part}": (f"{hf}.{part}",) for part in ("weight", "bias")}


def output_table() -> Table:
    """The classification layer."""
    return {f"out.{part}": (f"classifier.{part}",) for part in ("weight", "bias")}


def classifier_table(config: EncoderConfig, *, pooling: str) -> Table:
    """All parameters of a ``Classifier`` with their names in HF's sequence or token classification model."""
    prefix = f"{config.family}."
    table = {f"encoder.{ours}": tuple(prefix + one for one in hf) for ours, hf in encoder_table(config).items()}
    return table | {f"head.{ours}": hf for ours, hf in head_table(config, pooling=pooling).items()}


def head_table(config: EncoderConfig, *, pooling: str) -> Table:
    """The head alone."""
    return {**pooler_table(config), **output_table()} if pooling == "cls" else output_table()


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
