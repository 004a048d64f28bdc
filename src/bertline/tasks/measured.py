"""What the measurement of every task shares: checks of what is measured, the logits of whole texts, and mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bertline.errors import TrainingError
from bertline.text.reading import Input, Reading, texts_of

MISTAKES = 12
EXCERPT_CHARACTERS = 280

Array = np.ndarray[Any, Any]
Arrays = Sequence[Sequence[Array]]  # per text, the network's output for each of its pieces


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer; ``row`` counts from 0, ``excerpt`` is the text's beginning."""

    row: int
    excerpt: str
    truth: str
    predicted: str
    confidence: float

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)


def text_logits(arrays: Arrays, labels: int) -> Array:
    """The logits of each text, [text, label]: the mean over its pieces."""
    return np.array([np.mean(pieces, axis=0) for pieces in arrays], dtype=np.float64).reshape(-1, labels)


def check(truth: Sequence[object], arrays: Arrays, readings: Sequence[Reading]) -> None:
    """See that there are rows, and that every array is finite.

    Raises:
        TrainingError: there are no rows, or a logit is not finite.
        ValueError: the three are not of one length.
    """
    if not len(truth) == len(arrays) == len(readings):
        raise ValueError(f"{len(truth)} rows, {len(arrays)} arrays, {len(readings)} readings")
    check_finite(np.array([all(np.isfinite(piece).all() for piece in pieces) for pieces in arrays], dtype=bool))


def check_finite(finite: Array) -> None:
    """See that there are rows, and that all of them have finite logits, [row].

    Raises:
        TrainingError: there are no rows, or a row's logits are not finite.
    """
    if not len(finite):
        raise TrainingError("there are no rows to evaluate on: give a larger test ratio or a test file with rows")
    if broken := int((~finite).sum()):
        raise TrainingError(
            f"the model's logits are not finite on {broken:,} of {len(finite):,} rows: "
            "its weights diverged, so train again with a lower learning rate"
        )


def excerpt(one: Input) -> str:
    """The beginning of a text on one line; of a pair, the beginnings of both."""
    texts = texts_of(one)
    return " | ".join(_shortened(text, EXCERPT_CHARACTERS // len(texts)) for text in texts)


def _shortened(text: str, characters: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "…"
