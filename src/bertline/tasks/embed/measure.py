"""Figures of an embedder by the cosines of texts: correlation with scores, or whether texts find what is like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.statistics.activation import normalised
from bertline.statistics.figures import exact, plain
from bertline.statistics.intervals import Estimate, bounded_difference, bounded_percentile, percentile, resampled_sums
from bertline.statistics.paired import randomised_p
from bertline.statistics.regression import centred_ranks, correlation, product_moments
from bertline.statistics.slices import SliceFigure, by_column
from bertline.tasks.contract import Comparison, score_key
from bertline.tasks.embed.search import Search
from bertline.tasks.embed.spec import Spec
from bertline.tasks.measured import (
    MISTAKES,
    Array,
    Arrays,
    EvaluatedTexts,
    Fields,
    Mistake,
    check,
    evaluation_json,
    excerpt,
)
from bertline.text.reading import Reading

NOTHING = Estimate(0.0, 0.0, 1.0)  # without a query that counts, as ``wilson`` has it


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedEvaluation(EvaluatedTexts):
    """An embedder; ``by_length`` is empty, because a row of several texts has no length.

    Attributes:
        queries: number of queries; 0 where rows have scores.
        counted: queries with a text to find, which the figures are means over.
        searched: number of texts that a query searches.
        spread: 1 − mean cosine of two texts.
        figures: by name, the score first; after them the score of shorter embeddings.
    """

    queries: int
    counted: int
    searched: int
    spread: float
    figures: Mapping[str, Estimate]

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The figures by name, the most important first."""
        return (*self.figures.items(),)

    def metrics(self) -> dict[str, dict[str, float]]:
        """Every figure by its name in JSON."""
        return {_key(name): one.to_json() for name, one in self.figures.items()}

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        sizes = {"queries": self.queries, "counted_queries": self.counted, "searched_texts": self.searched}
        return evaluation_json(self, {**sizes, "spread": self.spread}, {})


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure as a function of sums over rows or queries, so that each is resampled and swapped alike.

    Attributes:
        features: of each row or query: the columns of ``product_moments`` of a correlation, else one to average.
        right: of each row or query, how good it is.
    """

    features: Array
    right: Array

    def of(self, sums: Array, count: int) -> Array:
        """The figure from sums over ``count`` rows or queries."""
        return correlation(sums, count) if self.features.shape[1] > 1 else sums[:, 0] / count

    def value(self) -> float:
        """The figure; 0 without any query."""
        count = len(self.features)
        return float(self.of(self.features.sum(axis=0)[None], count)[0]) if count else 0.0

    def estimate(self, seed: int, members: Array | slice = slice(None)) -> Estimate:
        """The figure of some rows or queries, with its interval; ranks remain those among all."""
        some = _Figure(self.features[members], self.right[members])
        if not len(some.features):
            return NOTHING
        value, drawn = some.value(), self.of(resampled_sums(some.features, seed=seed), len(some.features))
        correlates = some.features.shape[1] > 1
        return percentile(value, drawn) if correlates else bounded_percentile(value, drawn, len(some.features))


def figures(spec: Spec, truth: Sequence[Any], arrays: Arrays, readings: Sequence[Reading]) -> dict[str, float]:
    """Spearman's and Pearson's correlation, or mean reciprocal rank and accuracy@1; the first one judges an epoch.

    Args:
        spec: of the model.
        truth: of each row a score, a label, or nothing.
        arrays: of each row, the embedding of each of its texts.
        readings: of the rows.
    """
    search = _search(truth, readings)
    return {score_key(name): one.value() for name, one in _figures(truth, _units(arrays), search).items()}


def tune(spec: Spec, truth: Sequence[Any], arrays: Arrays, readings: Sequence[Reading]) -> Spec:
    """The spec as it is."""
    return spec


def measure(
    spec: Spec,
    truth: Sequence[Any],
    arrays: Arrays,
    readings: Sequence[Reading],
    *,
    fields: Fields = (),
    seed: int = 0,
) -> EmbedEvaluation:
    """Every figure of test rows.

    Args:
        spec: of the model.
        truth: of each row a score, a label, or nothing.
        arrays: of each row, the embedding of each of its texts.
        readings: of the rows.
        fields: values of the columns to slice by, one mapping per row; none for no slices.
        seed: of the bootstrap.

    Raises:
        TrainingError: there are no rows, or a number is not finite.
    """
    check(truth, arrays, readings)
    units, search = _units(arrays), _search(truth, readings)
    own = _figures(truth, units, search)
    name, score = next(iter(own.items()))
    estimates = {title: one.estimate(seed) for title, one in own.items()}
    for length in spec.dimensions:
        if length < units.shape[1]:
            shorter = _figures(truth, normalised(units[:, :length]), search)
            estimates[f"{name}, {length} dimensions"] = shorter[name].estimate(seed)
    rows = range(len(truth)) if search is None else search.rows
    by_value = SliceFigure(score_key(name), lambda members: score.estimate(seed, members), share=search is not None)
    return EmbedEvaluation(
        rows=len(truth),
        queries=0 if search is None else search.total,
        counted=0 if search is None else len(search.queries),
        searched=0 if search is None else len(search.searched),
        spread=max(0.0, 1.0 - float((units.mean(axis=0) ** 2).sum())),
        figures=estimates,
        by_length=(),
        slices=by_column([fields[row] for row in rows] if fields else (), by_value),
        mistakes=_pairs_wrong(truth, units, score, readings) if search is None else _not_found(search, units, score),
        seed=seed,
    )


def compare(
    spec: Spec,
    truth: Sequence[Any],
    arrays: Arrays,
    other_arrays: Arrays,
    readings: Sequence[Reading],
    *,
    other: tuple[Spec, Sequence[Reading]] | None = None,
    seed: int = 0,
) -> Comparison:
    """The score of two networks on the same rows; they agree as far as both embeddings of a text have one direction."""
    search = _search(truth, readings)
    both = [_units(some) for some in (arrays, other_arrays)]
    (name, first), (_, second) = (next(iter(_figures(truth, units, search).items())) for units in both)
    count, width = len(first.features), first.features.shape[1]
    agreement = direction_agreement(*both) if both[0].shape == both[1].shape else 0.0
    if not count:
        return Comparison(name, 0.0, Estimate(0.0, -1.0, 1.0), 1.0, agreement, 0, 0)
    drawn = resampled_sums(np.concatenate([first.features, second.features], axis=1), seed=seed)
    gaps = first.of(drawn[:, :width], count) - first.of(drawn[:, width:], count)
    return Comparison(
        score=name,
        value=first.value(),
        difference=bounded_difference(first.value() - second.value(), gaps, count),
        p_value=randomised_p(first.features, second.features, lambda sums: first.of(sums, count), seed=seed),
        agreement=agreement,
        only_first=int((first.right > second.right).sum()),
        only_second=int((second.right > first.right).sum()),
    )


def direction_agreement(units: Array, others: Array) -> float:
    """The mean cosine of two embeddings of each text, at least 0; exactly 1 where they are equal."""
    return max(0.0, 1.0 - float(((units - others) ** 2).sum(axis=1).mean()) / 2)


def _key(name: str) -> str:
    return score_key(name).replace(",", "").replace(" ", "_")


def _units(arrays: Arrays) -> Array:
    """The embeddings of all texts of all rows, each of length 1, [text, hidden]."""
    return normalised(np.array([piece for pieces in arrays for piece in pieces], dtype=np.float32))


def _search(truth: Sequence[Any], readings: Sequence[Reading]) -> Search | None:
    return None if isinstance(truth[0], float) else Search.of(truth, readings)


def _figures(truth: Sequence[Any], units: Array, search: Search | None) -> dict[str, _Figure]:
    """By name, the score first."""
    if search is not None:
        values = search.values(units)
        return {name: _Figure(values[:, [i]], values[:, i]) for i, name in enumerate(("MRR", "accuracy@1"))}
    numbers, cosines = np.array(truth, dtype=np.float64), (units[::2] * units[1::2]).sum(axis=1, dtype=np.float64)
    ranks = [centred_ranks(one, np.ones((1, len(truth))))[0] for one in (numbers, cosines)]
    right = -np.abs(ranks[0] - ranks[1])
    return {
        "Spearman": _Figure(product_moments(*ranks), right),
        "Pearson": _Figure(product_moments(numbers, cosines), right),
    }


def _not_found(search: Search, units: Array, score: _Figure) -> tuple[Mistake, ...]:
    """The queries whose text to find comes last: what they found first, and what they should have."""
    worst = [int(i) for i in np.argsort(score.right, kind="stable")[:MISTAKES] if score.right[i] < 1]
    found = [(i, *search.best(units, i)) for i in worst]
    return tuple(
        Mistake(
            row=int(search.rows[i]),
            excerpt=excerpt(search.texts[search.queries[i]]),
            truth=excerpt(search.texts[right]),
            predicted=excerpt(search.texts[first]),
            confidence=cosine,
        )
        for i, right, first, cosine in found
    )


def _pairs_wrong(
    truth: Sequence[float], units: Array, score: _Figure, readings: Sequence[Reading]
) -> tuple[Mistake, ...]:
    """The pairs whose cosines are furthest from the rank of their score."""
    cosines = (units[::2] * units[1::2]).sum(axis=1)
    return tuple(
        Mistake(int(i), excerpt(readings[i].input), exact(truth[i]), plain(float(cosines[i])), float(cosines[i]))
        for i in np.argsort(score.right, kind="stable")[:MISTAKES]
        if score.right[i] < 0
    )
