"""Where in a published state dict the encoder is, and what else is there.

The names of an encoder come bare, below their family (``bert.``), below what wrapped the model when it was saved
(``module.``, ``_orig_mod.``), or both. The word embeddings show which: an encoder has them once.
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

# Parts that transformers puts beside an encoder: masked-LM, next-sentence and question-answering heads and
# classification layers, which need no mention; and buffers that older versions saved.
_HEADS = ("cls.", "vocab_", "qa_outputs.", "classifier.", "pre_classifier.")
_BUFFERS = ("position_ids", "token_type_ids")
_SHOWN = 3


@dataclass(frozen=True)
class StateDict:
    """A checkpoint's tensors by plain names: without prefixes, by today's names of LayerNorm.

    Attributes:
        encoder: what is below the encoder's prefix, the pooler included; with bare names everything.
        heads: known heads beside it.
        foreign: the checkpoint's names of everything else.
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
        """Nothing below the encoder's prefix is unknown; a ``CheckpointWarning`` names what is beside it.

        Raises:
            CheckpointError: a weight might belong to the encoder, and ``config.json`` does not say how.
        """
        expected = set(known)
        unknown = [one for one in self.encoder if one not in expected and not one.startswith((*_HEADS, "pooler."))]
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
                stacklevel=2,  # one place for all who load: shown once
            )


def plain_names(tensors: Mapping[str, Tensor], config: EncoderConfig, origin: Path) -> StateDict:
    """Tell the encoder in a checkpoint from what is beside it.

    Raises:
        CheckpointError: there are several encoders, one below an unknown prefix, or one weight under two names.
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
        elif name.startswith(tuple(outside + head for head in _HEADS)):
            heads[name.removeprefix(outside)] = tensor
        else:
            foreign.append(name)
    return StateDict(encoder, heads, foreign, origin)


def some(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
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
    """What is before the names of heads, and before those of the encoder."""
    found = [one.removesuffix(_ANCHOR) for one in names if one == _ANCHOR or one.endswith(f".{_ANCHOR}")]
    if len(found) > 1:
        raise CheckpointError(
            f"{origin} has {len(found)} encoders (below {some([one or 'no prefix' for one in found])}): "
            "give a checkpoint with one"
        )
    family = f"{config.family}."
    if not found:  # what is missing is named later
        return "", family if any(one.startswith(family) for one in names) else ""
    prefix = found[0]
    outside = prefix.removesuffix(family)
    below_family = outside != prefix and (not outside or outside.endswith("."))
    if not below_family and not re.fullmatch(f"({_WRAPPER})*", prefix):
        raise CheckpointError(
            f"{origin} has its encoder below {prefix}, which is not where a {config.family} encoder is: rename its "
            f"weights, or give the checkpoint that {prefix.split('.')[0]} is of"
        )
    return (outside, prefix) if below_family else (prefix, prefix)
