"""A number per text: predicted against true, the errors, and the sentences about them."""

from __future__ import annotations

from typing import Any

from bertline.evaluation.kinds.kind import INTERVALS, Kind
from bertline.statistics.figures import exact, plain
from bertline.tasks.classify.number import NumberEvaluation

TERMS = (
    (INTERVALS[0], f"{INTERVALS[1]}All are percentiles of 1,000 seeded bootstrap resamples of the texts."),
    (
        "R²",
        "Coefficient of determination: the share of the variance of the true numbers that the predictions explain. 1 "
        "is perfect, always answering the mean scores 0, and worse than that is negative.",
    ),
    (
        "MAE and RMSE",
        "Mean absolute error, and the root of the mean squared error, which large errors raise more. Both have the "
        "unit of the numbers.",
    ),
    ("Spearman", "Correlation of the ranks, −1 to 1: whether the order is right, whatever the distances."),
    (
        "Encoder against a baseline",
        "The difference of R² on the same texts, its bootstrap interval, and the p-value of a randomisation test that "
        "swaps the answers of both on random texts (Yeh 2000).",
    ),
)


def lead(evaluation: NumberEvaluation) -> str:
    """How far off the model is on average, and how much of the variance it explains."""
    mae, r2 = evaluation.scores.mae, evaluation.scores.r2
    low, high = evaluation.truth_range
    return (
        f"Off by {plain(mae.value)} on average over {evaluation.rows:,} texts (95 % interval {plain(mae.low)}–"
        f"{plain(mae.high)}), where “{evaluation.label}” lies between {exact(low)} and {exact(high)}; "
        f"R² is {plain(r2.value)}."
    )


def collapse(evaluation: NumberEvaluation) -> str | None:
    """What to say of a model that predicts one number for every text."""
    predicted = [predicted for _, predicted in evaluation.points]
    spread = max(predicted) - min(predicted)
    low, high = evaluation.truth_range
    if len(predicted) < 2 or high == low or spread > 0.001 * (high - low):
        return None
    number = plain(predicted[0])
    return f"all {evaluation.rows:,} texts got the number {number}, so the model does not distinguish any texts"


def error_note(evaluation: NumberEvaluation) -> str:
    """Whether the predictions are too high or too low on average."""
    bias = evaluation.scores.bias
    said = f"On average the prediction is {plain(abs(bias.value))} too {'high' if bias.value > 0 else 'low'}"
    interval = f"(95 % interval of the bias {plain(bias.low)} to {plain(bias.high)})"
    if bias.low <= 0 <= bias.high:
        return f"{said}, which may be chance {interval}. On the dashed line, predicted and true numbers are equal."
    return f"{said} {interval}. On the dashed line, predicted and true numbers are equal."


def _context(evaluation: NumberEvaluation) -> dict[str, Any]:
    from bertline.evaluation import scatter  # the pictures need markupsafe, which comes with Jinja

    return {
        "error_note": error_note(evaluation),
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
    meanings=lambda _: {
        "R²": "share of the variance explained, at most 1",
        "MAE": "mean absolute error, lower is better",
        "RMSE": "root mean squared error, lower is better",
        "Spearman": "correlation of ranks, −1 to 1",
    },
    terms=TERMS,
    context=_context,
    collapse=collapse,
)
