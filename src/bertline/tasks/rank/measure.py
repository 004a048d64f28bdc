"""Figures of a ranker: means over queries, with intervals from resampled queries.

A query counts if its texts have different true scores: any order of the others is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.statistics.as_json import as_json
from bertline.statistics.intervals import Estimate, bounded_difference, bounded_percentile, resampled_sums
from bertline.statistics.paired import randomised_p
from bertline.statistics.ranking import (
    CUTOFF,
    average_precision,
    concordant_pairs,
    members,
    ndcg,
    reciprocal_rank,
)
from bertline.statistics.slices import SliceFigure, by_column
from bertline.tasks.contract import Comparison
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
    text_logits,
)
from bertline.tasks.rank.answer import answers
from bertline.tasks.rank.spec import Spec
from bertline.text.reading import Reading, query_of

NDCG = f"ndcg_at_{CUTOFF}"
NAMES = {f"NDCG@{CUTOFF}": NDCG, "MRR": "mrr", "MAP": "map"}
NOTHING = Estimate(0.0, 0.0, 1.0)  # without a query that counts, as ``wilson`` has it


@dataclass(frozen=True, slots=True, kw_only=True)
class RankEvaluation(EvaluatedTexts):
    """A ranker, compared in slices of queries by NDCG; a query has the values of its first row.

    ``by_length`` is empty, because a query with its texts has no length, and ``mistakes`` has the queries with the
    lowest NDCG, each with the text that was ranked first.

    Attributes:
        queries: number of queries.
        counted: queries whose texts have different true scores, which the figures are means over.
        highest: of the ranker's scale; a text with half of it is relevant to MRR and MAP.
        score_range: the lowest and the highest predicted score.
        figures: by their names in JSON, the score first.
    """

    queries: int
    counted: int
    highest: float
    score_range: tuple[float, float]
    figures: Mapping[str, Estimate]

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The figures by name, the most important first."""
        return tuple((title, self.figures[name]) for title, name in NAMES.items())

    def metrics(self) -> dict[str, dict[str, float]]:
        """Every figure by its name in JSON."""
        figures: dict[str, dict[str, float]] = as_json(self.figures)
        return figures

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        head = {"queries": self.queries, "counted_queries": self.counted, "highest_score": self.highest}
        return evaluation_json(self, head, {})


def figures(spec: Spec, truth: Sequence[float], arrays: Arrays, readings: Sequence[Reading]) -> dict[str, float]:
    """NDCG@10, mean reciprocal rank and mean average precision; the first one judges an epoch.

    Args:
        spec: of the model.
        truth: the score of each text.
        arrays: of each text, the logits of its pieces, each [1].
        readings: of the queries with their texts.
    """
    values = _values(spec, truth, text_logits(arrays, 1)[:, 0], _queries(truth, readings))
    return dict(zip(NAMES.values(), (values.mean(axis=0) if len(values) else np.zeros(3)).tolist(), strict=True))


def tune(spec: Spec, truth: Sequence[float], arrays: Arrays, readings: Sequence[Reading]) -> Spec:
    """The spec as it is, so that scores equal those of other programs that load the checkpoint."""
    return spec


def measure(
    spec: Spec,
    truth: Sequence[float],
    arrays: Arrays,
    readings: Sequence[Reading],
    *,
    fields: Fields = (),
    seed: int = 0,
) -> RankEvaluation:
    """Every figure of test texts.

    Args:
        spec: of the model.
        truth: the score of each text.
        arrays: of each text, the logits of its pieces, each [1].
        readings: of the queries with their texts; a query's texts need not be neighbours.
        fields: values of the columns to slice by, one mapping per text; none for no slices.
        seed: of the bootstrap.

    Raises:
        TrainingError: there are no texts, or a logit is not finite.
    """
    check(truth, arrays, readings)
    queries = _queries(truth, readings)
    values = _values(spec, truth, text_logits(arrays, 1)[:, 0], queries)
    scores = np.array([answer.score for answer in answers(spec, arrays, readings)])
    by_query = SliceFigure(NDCG, lambda chosen: _mean(values[chosen, 0], seed))
    return RankEvaluation(
        rows=len(truth),
        queries=len(members([query_of(reading.input) for reading in readings])),
        counted=len(queries),
        highest=spec.highest,
        score_range=(float(scores.min()), float(scores.max())),
        figures={name: _mean(values[:, i], seed) for i, name in enumerate(NAMES.values())},
        by_length=(),
        slices=by_column([fields[rows[0]] for rows in queries] if fields else (), by_query),
        mistakes=_mistakes(truth, scores, readings, queries, values[:, 0]),
        seed=seed,
    )


def compare(
    spec: Spec,
    truth: Sequence[float],
    arrays: Arrays,
    other_arrays: Arrays,
    readings: Sequence[Reading],
    *,
    other: tuple[Spec, Sequence[Reading]] | None = None,
    seed: int = 0,
) -> Comparison:
    """NDCG@10 of two networks on the same queries; they agree on pairs of a query's texts that both order alike."""
    queries = _queries(truth, readings)
    both = [text_logits(some, 1)[:, 0] for some in (arrays, other_arrays)]
    first, second = (_values(spec, truth, logits, queries)[:, :1] for logits in both)
    if not queries:
        return Comparison(f"NDCG@{CUTOFF}", 0.0, Estimate(0.0, -1.0, 1.0), 1.0, 1.0, 0, 0)
    gaps = first - second
    drawn = resampled_sums(gaps, seed=seed)[:, 0] / len(gaps)
    pairs = sum(len(rows) * (len(rows) - 1) // 2 for rows in queries)
    return Comparison(
        score=f"NDCG@{CUTOFF}",
        value=float(first.mean()),
        difference=bounded_difference(float(gaps.mean()), drawn, len(gaps)),
        p_value=randomised_p(first, second, lambda sums: sums[:, 0] / len(gaps), seed=seed),
        agreement=sum(concordant_pairs(both[0][rows], both[1][rows]) for rows in queries) / pairs,
        only_first=int((gaps > 0).sum()),
        only_second=int((gaps < 0).sum()),
    )


def _queries(truth: Sequence[float], readings: Sequence[Reading]) -> list[Array]:
    """The rows of each query that counts."""
    queries = members([query_of(reading.input) for reading in readings])
    return [rows for rows in queries if len({truth[row] for row in rows}) > 1]


def _values(spec: Spec, truth: Sequence[float], logits: Array, queries: Sequence[Array]) -> Array:
    """The figures of each query in the order of ``NAMES``, [query, figure]."""
    gains = np.asarray(truth, dtype=np.float64)
    relevant = gains >= spec.relevant_from
    values = [
        (
            ndcg(gains[rows], logits[rows]),
            reciprocal_rank(relevant[rows], logits[rows]),
            average_precision(relevant[rows], logits[rows]),
        )
        for rows in queries
    ]
    return np.array(values, dtype=np.float64).reshape(-1, len(NAMES))


def _mean(values: Array, seed: int) -> Estimate:
    if not len(values):
        return NOTHING
    means = resampled_sums(values[:, None], seed=seed)[:, 0] / len(values)
    return bounded_percentile(float(values.mean()), means, len(values))


def _mistakes(
    truth: Sequence[float], scores: Array, readings: Sequence[Reading], queries: Sequence[Array], values: Array
) -> tuple[Mistake, ...]:
    """The queries with the lowest NDCG below 1: which text was ranked first, and which should have been."""
    gains = np.asarray(truth)
    worst = [queries[i] for i in np.argsort(values, kind="stable")[:MISTAKES] if values[i] < 1]
    first = [(int(rows[gains[rows].argmax()]), int(rows[scores[rows].argmax()])) for rows in worst]
    return tuple(
        Mistake(
            row=chosen,
            excerpt=excerpt(query_of(readings[chosen].input)),
            truth=excerpt(readings[best].input[1]),
            predicted=excerpt(readings[chosen].input[1]),
            confidence=float(scores[chosen]),
        )
        for best, chosen in first
    )
