"""A number per text: predicted against true, the errors, and the sentences about them."""

from __future__ import annotations

from typing import Any

from bertline.evaluation.kinds.kind import Kind
from bertline.statistics.figures import INTERVAL, exact, plain
from bertline.tasks.classify.number import NumberEvaluation


def lead(evaluation: NumberEvaluation) -> str:
    """How far off the model is on average, and how much of the variance it explains."""
    mae, r2 = evaluation.scores.mae, evaluation.scores.r2
    low, high = evaluation.truth_range
    return (
        f"Off by {plain(mae.value)} on average over {evaluation.rows:,} texts ({INTERVAL} {plain(mae.low)}–"
        f"{plain(mae.high)}), where “{evaluation.label}” lies between {exact(low)} and {exact(high)}; "
        f"R² is {plain(r2.value)}."
    )


def collapse(evaluation: NumberEvaluation) -> str | None:
    """The warning about a model that predicts one number for every text."""
    predicted = [predicted for _, predicted in evaluation.points]
    spread = max(predicted) - min(predicted)
    low, high = evaluation.truth_range
    if len(predicted) < 2 or high == low or spread > 0.001 * (high - low):
        return None
    number = plain(predicted[0])
    return f"all {evaluation.rows:,} texts got the number {number}, so the model does not distinguish any texts"


def _context(evaluation: NumberEvaluation) -> dict[str, Any]:
    from bertline.evaluation import scatter  # the pictures need markupsafe, which comes with Jinja

    return {
        "pictures": {
            "scatter": scatter.predicted_by_true(evaluation.points),
            "residuals": scatter.errors_by_predicted(evaluation.points),
        },
    }


KIND = Kind(
    "kinds/numbers.html.jinja",
    lead=lead,
    reached="reaches an R² of {}",
    compared=("r2", "mae"),
    context=_context,
    collapse=collapse,
)
