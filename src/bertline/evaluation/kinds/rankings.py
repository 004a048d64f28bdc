"""Rankings of texts for queries, and the sentences about them."""

from __future__ import annotations

from bertline.evaluation.kinds.kind import Kind
from bertline.statistics.figures import INTERVAL, exact, plain
from bertline.tasks.rank.measure import NAMES, RankEvaluation

ONE_QUERY = "one query says nothing about others, so there is no interval"


def lead(evaluation: RankEvaluation) -> str:
    """The score, over how many queries, and what counts as relevant."""
    ndcg = evaluation.headline()[0][1]
    interval = f"{INTERVAL} {plain(ndcg.low)}–{plain(ndcg.high)}" if evaluation.counted != 1 else ONE_QUERY
    return (
        f"NDCG@10 {plain(ndcg.value)} over {evaluation.counted:,} of {evaluation.queries:,} queries with "
        f"{evaluation.rows:,} texts ({interval}); a text is relevant from a "
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
    compared=tuple(NAMES.values()),
    collapse=collapse,
)
