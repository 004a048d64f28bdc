"""Parts that the measurements of all tasks share: fields, checks, the logits of whole texts, JSON, paired F1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.errors import TrainingError
from bertline.statistics.as_json import as_json
from bertline.statistics.intervals import LEVEL, RESAMPLES, Estimate, percentile, resampled_sums
from bertline.statistics.multilabel import pooled_f1
from bertline.statistics.paired import randomised_p
from bertline.statistics.slices import Slice, SliceFigure, by_column, by_length
from bertline.tasks.contract import Comparison
from bertline.text.reading import Input, Reading, texts_of

MISTAKES = 12
EXCERPT_CHARACTERS = 280

Array = np.ndarray[Any, Any]
Arrays = Sequence[Sequence[Array]]  # per text, the network's output for each of its pieces
Fields = Sequence[Mapping[str, str]]  # per text, the values of the columns to slice by


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer; ``row`` counts from 0, ``excerpt`` is the text's beginning."""

    row: int
    excerpt: str
    truth: str
    predicted: str
    confidence: float


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One label or type: how many rows or entities have it (``support``) and were given it (``predicted``)."""

    label: str
    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: int
    predicted: int


@dataclass(frozen=True, slots=True)
class UnknownLabel:
    """A true label that the model does not know, and the number of its rows."""

    label: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedTexts:
    """What every evaluation has beside its task's figures.

    Attributes:
        rows: number of texts.
        by_length: one figure by length of the text.
        slices: the same figure by the values of columns.
        mistakes: wrong answers, the worst first.
        seed: of the bootstrap.
    """

    rows: int
    by_length: Sequence[Slice]
    slices: Mapping[str, Sequence[Slice]]
    mistakes: Sequence[Any]
    seed: int


def sliced(figure: SliceFigure, readings: Sequence[Reading], fields: Fields) -> dict[str, Any]:
    """``rows``, ``by_length`` and ``slices`` of an evaluation."""
    lengths = np.array([reading.read for reading in readings], dtype=np.int64)
    return {"rows": len(readings), "by_length": by_length(lengths, figure), "slices": by_column(fields, figure)}


def text_logits(arrays: Arrays, labels: int) -> Array:
    """The logits of each text, [text, label]: the mean over its pieces."""
    return np.array([np.mean(pieces, axis=0) for pieces in arrays], dtype=np.float64).reshape(-1, labels)


def check(truth: Sequence[object], arrays: Arrays, readings: Sequence[Reading]) -> None:
    """Check that there are rows, and that every array is finite.

    Raises:
        TrainingError: there are no rows, or a logit is not finite.
        ValueError: the three differ in length.
    """
    if not len(truth) == len(arrays) == len(readings):
        raise ValueError(f"{len(truth)} rows, {len(arrays)} arrays, {len(readings)} readings")
    if not truth:
        raise TrainingError("there are no rows to evaluate on: give a larger test ratio or a test file with rows")
    if broken := sum(not all(np.isfinite(piece).all() for piece in pieces) for pieces in arrays):
        raise TrainingError(
            f"the model's logits are not finite on {broken:,} of {len(truth):,} rows: "
            "its weights diverged, so train again with a lower learning rate"
        )


def evaluation_json(evaluation: Any, head: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    """An evaluation as JSON: the task's ``head``, the overall metrics, the task's ``parts``, slices and mistakes."""
    content: dict[str, Any] = as_json(
        {
            "rows": evaluation.rows,
            **head,
            "intervals": {"level": LEVEL, "resamples": RESAMPLES, "seed": evaluation.seed},
            "metrics": evaluation.metrics(),
            **parts,
            "by_length": evaluation.by_length,
            "slices": evaluation.slices,
            "mistakes": evaluation.mistakes,
        }
    )
    return content


def compare_f1(score: str, counts: Sequence[Array], right: Sequence[Array], same: Array, seed: int) -> Comparison:
    """Two networks compared by the F1 of summed counts.

    Args:
        score: name of the score.
        counts: of both networks, the hits, true and predicted of each text, [texts, 3].
        right: of both networks, whether each text is entirely right, [texts].
        same: whether both networks give the same answer, [texts].
        seed: of the bootstrap and of the randomisation test.
    """
    first, second = counts
    drawn = resampled_sums(np.concatenate([first, second], axis=1), seed=seed)
    f1, other_f1 = (float(pooled_f1(part.sum(axis=0, keepdims=True))[0]) for part in counts)
    return Comparison(
        score=score,
        value=f1,
        difference=percentile(f1 - other_f1, pooled_f1(drawn[:, :3]) - pooled_f1(drawn[:, 3:])),
        p_value=randomised_p(first, second, pooled_f1, seed=seed),
        agreement=float(same.mean()),
        only_first=int((right[0] & ~right[1]).sum()),
        only_second=int((right[1] & ~right[0]).sum()),
    )


def excerpt(source: Input) -> str:
    """The beginning of a text on one line; of a pair, the beginnings of both."""
    texts = texts_of(source)
    return " | ".join(_shortened(text, EXCERPT_CHARACTERS // len(texts)) for text in texts)


def _shortened(text: str, characters: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "…"
