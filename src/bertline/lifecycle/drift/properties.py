"""Properties of texts as the model reads them: length, tokens that are new to it, script and language."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from bertline.lifecycle.drift.language import language_of
from bertline.text import Reading, Tokenizer
from bertline.text.reading import joined

Array = np.ndarray[Any, Any]

LENGTH, CUT, UNKNOWN, UNSEEN, SPLIT, SCRIPT, LANGUAGE = (
    "tokens",
    "cut tokens",
    "unknown tokens",
    "tokens not seen in training",
    "tokens per word",
    "letters of another script",
    "another language",
)


def properties_of(tokenizer: Tokenizer, readings: Sequence[Reading], common: frozenset[int]) -> dict[str, Array]:
    """A number per text, by name; what cannot be known is left out.

    Args:
        tokenizer: of the model.
        readings: of the texts.
        common: token ids that the training texts have; none leaves out the share of others.
    """
    ids = [[id_ for piece in reading.pieces for id_ in piece.ids] for reading in readings]
    texts = [joined(reading.input) for reading in readings]
    columns = {
        LENGTH: [float(one.read + one.cut) for one in readings],
        CUT: [float(one.cut > 0) for one in readings],
        UNKNOWN: [_share(one, lambda id_: id_ == tokenizer.unknown_id) for one in ids],
        SPLIT: [(one.read + one.cut) / max(1, len(text.split())) for one, text in zip(readings, texts, strict=True)],
    }
    if common:
        columns[UNSEEN] = [_share(one, lambda id_: id_ not in common) for one in ids]
    return {name: np.array(column) for name, column in columns.items()}


def relative_properties(texts: Sequence[str], most: Mapping[str, str]) -> dict[str, Array]:
    """Properties that need the reference: the share of letters outside its script, and whether a text has its language.

    Args:
        texts: of a window.
        most: the most common script, and the most common language if languages can be told, of the reference.
    """
    columns = {SCRIPT: np.array([_outside(scripts_of(text), most["script"]) for text in texts])}
    if "language" in most:
        columns[LANGUAGE] = np.array([float(language_of(text) != most["language"]) for text in texts])
    return columns


def most_common(texts: Sequence[str]) -> dict[str, str]:
    """The most common script of letters in some texts, and their most common language if languages can be told."""
    scripts: Counter[str] = Counter()
    for text in texts:
        scripts.update(scripts_of(text))
    found = {"script": scripts.most_common(1)[0][0] if scripts else "LATIN"}
    languages = Counter(name for name in map(language_of, texts) if name is not None)
    return {**found, "language": languages.most_common(1)[0][0]} if languages else found


def scripts_of(text: str) -> dict[str, float]:
    """The share of each script among the letters of a text; none where there are no letters.

    >>> scripts_of("Ωmega 3")
    {'GREEK': 0.2, 'LATIN': 0.8}
    """
    letters = Counter(_script(character) for character in text if character.isalpha())
    total = sum(letters.values())
    return {name: count / total for name, count in sorted(letters.items())}


def _outside(scripts: Mapping[str, float], script: str) -> float:
    """The share of letters in other scripts; 0 without letters."""
    return 1 - scripts.get(script, 0.0) if scripts else 0.0


@lru_cache(maxsize=1 << 16)
def _script(letter: str) -> str:
    """The first word of a letter's Unicode name, which is its script's."""
    return unicodedata.name(letter, "OTHER").split()[0]


def _share(ids: Sequence[int], wanted: Any) -> float:
    return float(sum(map(wanted, ids)) / max(1, len(ids)))
