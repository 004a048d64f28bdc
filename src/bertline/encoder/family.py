"""Determine the model family that a ``config.json`` describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from bertline.errors import CheckpointError

Family = Literal["bert", "distilbert"]

_ARCHITECTURE = re.compile(r"(Bert|DistilBert)(Model|LMHeadModel|For[A-Z]\w*)")
_ENTRIES: dict[Family, frozenset[str]] = {
    "bert": frozenset(
        (
            *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
            *("intermediate_size", "max_position_embeddings", "type_vocab_size"),
        )
    ),
    "distilbert": frozenset(("vocab_size", "dim", "n_layers", "n_heads", "hidden_dim", "max_position_embeddings")),
}
# Entries of other architectures whose configurations also have all of BERT's entries.
_OF_OTHERS = (
    *("embedding_size", "num_hidden_groups"),  # ALBERT, ELECTRA, MobileBERT
    *("bos_token_id", "eos_token_id", "attention_window"),  # RoBERTa, Longformer
    *("relative_attention", "relative_attention_num_buckets", "rotary_value"),  # DeBERTa, MPNet, RoFormer
    "max_2d_position_embeddings",  # LayoutLM
)


def family_of(config: Mapping[str, Any], origin: str) -> Family:
    """The family of an HF ``config.json``: its ``model_type``, else its ``architectures``, else its entries.

    RoBERTa has BERT's entries but counts positions from 2; without ``model_type`` and ``architectures`` it is
    recognised by its single segment.

    Raises:
        CheckpointError: another family, or an ambiguous one.
    """
    named = config.get("model_type")
    if named in ("bert", "distilbert"):
        return "bert" if named == "bert" else "distilbert"
    if named:
        raise CheckpointError(
            f"{origin} has the model_type {named!r}: bertline reads 'bert' and 'distilbert' checkpoints"
        )
    architectures = config.get("architectures")
    if architectures:
        families = {_of_architecture(one) for one in (architectures if isinstance(architectures, list) else [])}
        if len(families) == 1 and (family := families.pop()):
            return family
        raise CheckpointError(
            f"{origin} has the architecture {architectures!r} and no model_type: bertline reads Bert… and "
            "DistilBert… checkpoints"
        )
    known: list[Family] = [family for family, entries in _ENTRIES.items() if entries <= config.keys()]
    if len(known) == 1 and not any(config.get(name) is not None for name in _OF_OTHERS):
        segments = config.get("type_vocab_size")
        if known[0] == "distilbert" or (isinstance(segments, int) and segments > 1):
            return known[0]
    raise CheckpointError(
        f"{origin} has no model_type, and its other entries match no single family: "
        'add "model_type": "bert" or "distilbert"'
    )


def _of_architecture(name: object) -> Family | None:
    match = _ARCHITECTURE.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        return None
    return "bert" if match[1] == "Bert" else "distilbert"
