"""Determine the model family that a ``config.json`` describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bertline.encoder.description import DESCRIPTIONS, Family
from bertline.errors import CheckpointError

_ARCHITECTURE = re.compile(
    f"({'|'.join(one.architecture for one in DESCRIPTIONS.values())})(Model|LMHeadModel|For[A-Z]\\w*)"
)
_ENTRIES: dict[Family, frozenset[str]] = {
    "bert": frozenset(
        (
            *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
            *("intermediate_size", "max_position_embeddings", "type_vocab_size"),
        )
    ),
    "distilbert": frozenset(("vocab_size", "dim", "n_layers", "n_heads", "hidden_dim", "max_position_embeddings")),
}
_NAMES = ", ".join(DESCRIPTIONS)
# Entries of other architectures whose configurations also have all of BERT's entries.
_OF_OTHERS = (
    *("embedding_size", "num_hidden_groups"),  # ALBERT, ELECTRA, MobileBERT
    *("bos_token_id", "eos_token_id", "attention_window"),  # RoBERTa, Longformer
    *("relative_attention", "relative_attention_num_buckets", "rotary_value"),  # DeBERTa, MPNet, RoFormer
    "max_2d_position_embeddings",  # LayoutLM
)


def family_of(config: Mapping[str, Any], origin: str) -> Family:
    """The family of an HF ``config.json``: its ``model_type``, else its ``architectures``, else its entries.

    Entries alone tell only BERT and DistilBERT. RoBERTa has BERT's entries but counts positions from 2; it is
    recognised by its single segment, and refused.

    Raises:
        CheckpointError: another family, or an ambiguous one.
    """
    named = config.get("model_type")
    if named:
        for family in DESCRIPTIONS:
            if named == family:
                return family
        raise CheckpointError(f"{origin} has the model_type {named!r}: bertline reads {_NAMES} checkpoints")
    architectures = config.get("architectures")
    if architectures:
        families = {_of_architecture(one) for one in (architectures if isinstance(architectures, list) else [])}
        if len(families) == 1 and (only := families.pop()):
            return only
        raise CheckpointError(
            f"{origin} has the architecture {architectures!r} and no model_type: bertline reads {_NAMES} checkpoints"
        )
    known: list[Family] = [family for family, entries in _ENTRIES.items() if entries <= config.keys()]
    if len(known) == 1 and not any(config.get(name) is not None for name in _OF_OTHERS):
        segments = config.get("type_vocab_size")
        if known[0] == "distilbert" or (isinstance(segments, int) and segments > 1):
            return known[0]
    raise CheckpointError(
        f'{origin} has no model_type, and its other entries match no single family: add "model_type", one of {_NAMES}'
    )


def _of_architecture(name: object) -> Family | None:
    match = _ARCHITECTURE.fullmatch(name) if isinstance(name, str) else None
    return None if match is None else next(one for one in DESCRIPTIONS if DESCRIPTIONS[one].architecture == match[1])
