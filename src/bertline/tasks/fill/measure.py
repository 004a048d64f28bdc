"""Figures of a masked language model: how often it has the masked words, and how probable it finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.statistics.activation import softmax
from bertline.statistics.calibration import fit_temperature
from bertline.statistics.intervals import Estimate, bounded_percentile, percentile, resampled_sums, wilson
from bertline.statistics.paired import randomised_p
from bertline.statistics.slices import SliceFigure
from bertline.tasks.contract import Comparison
from bertline.tasks.fill.answer import slots
from bertline.tasks.fill.spec import Spec
from bertline.tasks.measured import Arrays, EvaluatedTexts, Fields, check, evaluation_json, sliced
from bertline.text import Reading

TOP = 5
Array = np.ndarray[Any, Any]
Counts = Float[Array, "texts counts"]
Truth = Sequence[Sequence[int]]  # of each text, the id of each of its [MASK] in order
HITS, HITS_OF_TOP, LOSS, MASKS = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskEvaluation(EvaluatedTexts):
    """A masked language model measured on ``rows`` texts; the bootstrap resamples texts.

    Attributes:
        masks: their [MASK] tokens.
        accuracy: share of these whose most probable word is the true one.
        top: share whose true word is among the ``TOP`` most probable.
        perplexity: exp of the mean negative log-likelihood of the true words.
    """

    masks: int
    accuracy: Estimate
    top: Estimate
    perplexity: Estimate

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The figures by name, the score first."""
        return ("masked accuracy", self.accuracy), (f"top-{TOP} accuracy", self.top), ("perplexity", self.perplexity)

    def metrics(self) -> dict[str, dict[str, float]]:
        """Every figure by its name in JSON."""
        each = {"masked_accuracy": self.accuracy, f"top_{TOP}_accuracy": self.top, "perplexity": self.perplexity}
        return {name: one.to_json() for name, one in each.items()}

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        return evaluation_json(self, {"masks": self.masks}, {})


def figures(spec: Spec, truth: Truth, arrays: Arrays, readings: Sequence[Reading]) -> dict[str, float]:
    """Accuracy, accuracy among the first ``TOP``, and perplexity.

    Args:
        spec: of the model; its temperature counts.
        truth: of each text, the id of each [MASK] that was read.
        arrays: of each text's pieces, the scores of the vocabulary, [masked, vocabulary].
        readings: of the texts, with offsets.
    """
    summed = _counts(spec, truth, arrays, readings).sum(axis=0, keepdims=True)
    return {
        "masked_accuracy": float(_share(summed, HITS)[0]),
        f"top_{TOP}_accuracy": float(_share(summed, HITS_OF_TOP)[0]),
        "perplexity": float(np.exp(_share(summed, LOSS))[0]),
    }


def tune(spec: Spec, truth: Truth, arrays: Arrays, readings: Sequence[Reading]) -> Spec:
    """The spec with the temperature of least loss on validation texts; it never changes the order of words."""
    if not truth:
        return spec
    scores = np.concatenate([slots(reading, own)[1] for reading, own in zip(readings, arrays, strict=True)])
    temperature = fit_temperature(scores, np.concatenate([np.array(ids, dtype=np.int64) for ids in truth]))
    return spec.model_copy(update={"temperature": temperature})


def measure(
    spec: Spec, truth: Truth, arrays: Arrays, readings: Sequence[Reading], *, fields: Fields = (), seed: int = 0
) -> MaskEvaluation:
    """Every figure of test texts; arguments as for ``figures``.

    Raises:
        TrainingError: there are no texts, or a score is not finite.
    """
    check(truth, arrays, readings)
    counts = _counts(spec, truth, arrays, readings)
    summed, drawn = counts.sum(axis=0, keepdims=True), resampled_sums(counts, seed=seed)
    accuracy, top = (
        bounded_percentile(float(_share(summed, one)[0]), _share(drawn, one), len(counts))
        for one in (HITS, HITS_OF_TOP)
    )
    loss = percentile(float(_share(summed, LOSS)[0]), _share(drawn, LOSS))
    perplexity = Estimate(*(float(np.exp(one)) for one in (loss.value, loss.low, loss.high)))
    by_text = SliceFigure("masked_accuracy", lambda members: _wilson(counts[members]))
    return MaskEvaluation(
        masks=int(summed[0, MASKS]),
        accuracy=accuracy,
        top=top,
        perplexity=perplexity,
        mistakes=(),
        seed=seed,
        **sliced(by_text, readings, fields),
    )


def compare(
    spec: Spec,
    truth: Truth,
    arrays: Arrays,
    other_arrays: Arrays,
    readings: Sequence[Reading],
    *,
    other: tuple[Spec, Sequence[Reading]] | None = None,
    seed: int = 0,
) -> Comparison:
    """The accuracy of two networks on the same texts; they agree on the [MASK] with the same most probable word.

    ``other`` has the spec and the readings of the second, if they differ.
    """
    both = (spec, readings, arrays), (*(other or (spec, readings)), other_arrays)
    first, second = (_counts(own, truth, some, read)[:, [HITS, MASKS]] for own, read, some in both)
    words, others = (_first(some, read) for _, read, some in both)
    drawn = resampled_sums(np.concatenate([first, second], axis=1), seed=seed)
    value, other_value = (float(_accuracy(one.sum(axis=0, keepdims=True))[0]) for one in (first, second))
    right, other_right = (one[:, 0] == one[:, 1] for one in (first, second))
    return Comparison(
        score="masked accuracy",
        value=value,
        difference=percentile(value - other_value, _accuracy(drawn[:, :2]) - _accuracy(drawn[:, 2:])),
        p_value=randomised_p(first, second, _accuracy, seed=seed),
        agreement=float(np.mean(np.concatenate(words) == np.concatenate(others))),
        only_first=int((right & ~other_right).sum()),
        only_second=int((other_right & ~right).sum()),
    )


def _counts(spec: Spec, truth: Truth, arrays: Arrays, readings: Sequence[Reading]) -> Counts:
    """Of each text: right words, right among the first, summed loss, and [MASK] tokens."""
    counts = np.zeros((len(truth), 4))
    for row, ids, own, reading in zip(counts, truth, arrays, readings, strict=True):
        _, scores = slots(reading, own)
        if not len(ids):
            continue
        wanted = scores[np.arange(len(ids)), list(ids)]
        before = (scores > wanted[:, None]).sum(axis=1)
        shares = softmax(scores, spec.temperature)[np.arange(len(ids)), list(ids)]
        loss = -np.log(np.maximum(shares, np.finfo(np.float64).tiny)).sum()
        row[:] = (before == 0).sum(), (before < TOP).sum(), loss, len(ids)
    return counts


def _first(arrays: Arrays, readings: Sequence[Reading]) -> list[list[int]]:
    """The most probable word of each [MASK] of each text."""
    each = zip(readings, arrays, strict=True)
    return [[int(row.argmax()) for row in slots(reading, own)[1]] for reading, own in each]


def _share(summed: Counts, column: int) -> Float[Array, " texts"]:
    return summed[:, column] / np.maximum(summed[:, MASKS], 1)


def _wilson(counts: Counts) -> Estimate:
    """Accuracy of some texts."""
    return wilson(int(counts[:, HITS].sum()), int(counts[:, MASKS].sum()))


def _accuracy(summed: Counts) -> Float[Array, " texts"]:
    """From right words and [MASK] tokens."""
    return summed[:, 0] / np.maximum(summed[:, 1], 1)
