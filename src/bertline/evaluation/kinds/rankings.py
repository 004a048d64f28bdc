"""Rankings of texts for queries, and the sentences about them."""

from __future__ import annotations

from bertline.evaluation.kinds.kind import INTERVALS, Kind
from bertline.statistics.figures import exact, plain
from bertline.tasks.rank.measure import RankEvaluation

TERMS = (
    (
        INTERVALS[0],
        f"{INTERVALS[1]}Percentiles of 1,000 seeded bootstrap resamples of the queries, because the texts of one query "
        "are not independent.",
    ),
    (
        "Queries that count",
        "Those whose texts have different true scores. Any order of the others is right, so they would only raise the "
        "figures. Texts with equal predicted scores count as the mean over their orders.",
    ),
    (
        "NDCG@10",
        "Normalised discounted cumulative gain of the first ten texts: the sum of their true scores, each divided by "
        "log₂ of its rank plus one, as a share of the best possible sum. 1 is a perfect order.",
    ),
    ("MRR", "Mean reciprocal rank: one divided by the rank of the first relevant text, averaged over the queries."),
    (
        "MAP",
        "Mean average precision: the share of relevant texts down to each relevant one, averaged over these and then "
        "over the queries.",
    ),
    (
        "Encoder against a baseline",
        "The difference of NDCG@10 on the same queries, its bootstrap interval, and the p-value of a randomisation "
        "test that swaps both orders on random queries (Yeh 2000).",
    ),
)


def lead(evaluation: RankEvaluation) -> str:
    """The score, over how many queries, and what counts as relevant."""
    ndcg = evaluation.headline()[0][1]
    return (
        f"NDCG@10 {plain(ndcg.value)} over {evaluation.counted:,} of {evaluation.queries:,} queries with "
        f"{evaluation.rows:,} texts (95 % interval {plain(ndcg.low)}–{plain(ndcg.high)}); a text is relevant from a "
        f"score of {exact(evaluation.highest / 2)} on."
    )


def collapse(evaluation: RankEvaluation) -> str | None:
    """What to say of a model that gives every text the same score."""
    low, high = evaluation.score_range
    if evaluation.rows < 2 or high - low > 0.001 * evaluation.highest:
        return None
    return f"all {evaluation.rows:,} texts got the score {plain(low)}, so the model puts them in no order"


KIND = Kind(
    "kinds/rankings.html.jinja",
    lead=lead,
    reached="reaches an NDCG@10 of {}",
    compared=("ndcg_at_10", "mrr", "map"),
    meanings=lambda _: {
        "NDCG@10": "the first ten texts against the best order, 1 is perfect",
        "MRR": "mean of 1 / rank of the first relevant text",
        "MAP": "mean precision at the relevant texts",
    },
    terms=TERMS,
    collapse=collapse,
)
