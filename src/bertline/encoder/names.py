"""Locate the encoder in a published state dict, and identify the other weights.

An encoder's names may be bare, or prefixed by the family (``bert.``), by a wrapper (``module.``, ``_orig_mod.``), or by
both. The name of the word embeddings, which occur once per encoder, shows the prefix.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from bertline.encoder.config import EncoderConfig
from bertline.errors import CheckpointError, CheckpointWarning

_ANCHOR = "embeddings.word_embeddings.weight"
_OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
# DataParallel, a module's own attribute, torch.compile, sentence-transformers.
_WRAPPER = r"(module|model|_orig_mod|encoder|backbone|base_model|auto_model|0)\."

# Parts that transformers saves beside an encoder and that are ignored without a warning: question-answering heads,
# classification layers, and those of the family's description; and buffers of older versions.
_HEADS = ("qa_outputs.", "classifier.", "pre_classifier.")
_BUFFERS = ("position_ids", "token_type_ids")
_SHOWN = 3


@dataclass(frozen=True)
class StateDict:
    """A checkpoint's tensors by plain names: without prefixes, with today's names of LayerNorm.

    Attributes:
        encoder: the tensors below the encoder's prefix, including the pooler; with bare names, all of them.
        heads: known heads beside it.
        foreign: checkpoint names of all other tensors.
        origin: of the checkpoint.
    """

    encoder: Mapping[str, Tensor]
    heads: Mapping[str, Tensor]
    foreign: Sequence[str]
    origin: Path

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The encoder and the known heads."""
        return {**self.heads, **self.encoder}

    def require_only(self, known: Iterable[str], config: EncoderConfig) -> None:
        """Reject unknown weights below the encoder's prefix; a ``CheckpointWarning`` names others beside it.

        Raises:
            CheckpointError: a weight of the encoder is not explained by ``config.json``.
        """
        expected = set(known)
        unknown = [
            one for one in self.encoder if one not in expected and not one.startswith((*_heads(config), "pooler."))
        ]
        if unknown:
            raise CheckpointError(
                f"{self.origin} has weights that a {config.family} encoder of {config.layers} layers "
                f"does not have ({some(unknown)}): its config.json belongs to another model"
            )
        if self.foreign:
            warnings.warn(
                CheckpointWarning(
                    f"{self.origin} has weights beside its encoder that bertline does not use "
                    f"({some(self.foreign)}): only the encoder is read"
                ),
                stacklevel=2,  # one place for all callers, so it is shown once
            )


def plain_names(tensors: Mapping[str, Tensor], config: EncoderConfig, origin: Path) -> StateDict:
    """Separate the encoder in a checkpoint from other weights.

    Raises:
        CheckpointError: several encoders, an unknown prefix, or one weight under two names.
    """
    named = _todays_names(tensors, origin)
    outside, prefix = _prefix(named, config, origin)
    encoder: dict[str, Tensor] = {}
    heads: dict[str, Tensor] = {}
    foreign: list[str] = []
    for name, tensor in named.items():
        if name.endswith(_BUFFERS):
            continue
        if name.startswith(prefix):
            encoder[name.removeprefix(prefix)] = tensor
        elif name.startswith(tuple(outside + head for head in _heads(config))):
            heads[name.removeprefix(outside)] = tensor
        else:
            foreign.append(name)
    return StateDict(encoder, heads, foreign, origin)


def _heads(config: EncoderConfig) -> tuple[str, ...]:
    return (*_HEADS, *config.description.other_heads)


def some(names: Sequence[str]) -> str:
    """The first names, and the number of the others."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _todays_names(tensors: Mapping[str, Tensor], origin: Path) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        for old, new in _OLD_NAMES.items():
            name = name.replace(old, new)
        if name in named:
            raise CheckpointError(f"{origin} has the weight {name} twice, once under its old name: remove one of them")
        named[name] = tensor
    return named


def _prefix(names: Iterable[str], config: EncoderConfig, origin: Path) -> tuple[str, str]:
    """The prefixes of the heads' names and of the encoder's names."""
    prefixes = [one.removesuffix(_ANCHOR) for one in names if one == _ANCHOR or one.endswith(f".{_ANCHOR}")]
    if len(prefixes) > 1:
        raise CheckpointError(
            f"{origin} has {len(prefixes)} encoders (below {some([one or 'no prefix' for one in prefixes])}): "
            "give a checkpoint with one"
        )
    family = config.description.prefix
    if not prefixes:  # missing weights are reported later
        return "", family if any(one.startswith(family) for one in names) else ""
    prefix = prefixes[0]
    outside = prefix.removesuffix(family)
    below_family = outside != prefix and (not outside or outside.endswith("."))
    if not below_family and not re.fullmatch(f"({_WRAPPER})*", prefix):
        raise CheckpointError(
            f"{origin} has its encoder below {prefix}, which is not a prefix of a {config.family} encoder: rename its "
            f"weights, or use the checkpoint that {prefix.split('.')[0]} belongs to"
        )
    return (outside, prefix) if below_family else (prefix, prefix)
