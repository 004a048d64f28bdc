"""Embeddings of texts, and the sentences about them."""

from __future__ import annotations

from typing import Any

from bertline.evaluation.kinds.kind import Kind
from bertline.statistics.figures import INTERVAL, figure
from bertline.tasks.embed.measure import EmbedEvaluation

MEANINGS = {
    "MRR": "mean of 1 / rank of the first text that belongs to the query",
    "accuracy@1": "queries whose nearest text belongs to them",
    "Spearman": "correlation of ranks, −1 to 1",
    "Pearson": "correlation of cosines and scores, −1 to 1",
}
COLLAPSED = 1e-4  # mean distance of two texts; that of an encoder that was never trained to embed measured 0.1 to 0.4


def lead(evaluation: EmbedEvaluation) -> str:
    """The score, and what was searched."""
    (name, estimate), *_ = evaluation.headline()
    value, interval = figure(name, estimate)
    if not evaluation.queries:
        return f"{name} {value} over {evaluation.rows:,} pairs of texts ({INTERVAL} {interval})."
    return (
        f"{name} {value} over {evaluation.counted:,} of {evaluation.queries:,} queries, each of which searches "
        f"{evaluation.searched:,} texts ({INTERVAL} {interval})."
    )


def context(evaluation: EmbedEvaluation) -> dict[str, Any]:
    """What the headline figures mean."""
    cut = "of vectors cut to this length"
    return {"meanings": {name: MEANINGS.get(name, cut) for name, _ in evaluation.headline()}}


def collapse(evaluation: EmbedEvaluation) -> str | None:
    """What to say of a model that gives every text the same embedding."""
    if evaluation.rows < 2 or evaluation.spread > COLLAPSED:
        return None
    return f"all texts of {evaluation.rows:,} rows have nearly the same embedding, so the model tells none apart"


KIND = Kind(
    "kinds/embeddings.html.jinja",
    lead=lead,
    reached="reaches {}",
    compared=("spearman", "pearson", "mrr", "accuracy_at_1"),
    context=context,
    collapse=collapse,
)
