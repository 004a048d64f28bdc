"""One label per text: confusion, calibration, and the sentences about them."""

from __future__ import annotations

from typing import Any

from bertline.evaluation.kinds.kind import Kind, rows_of
from bertline.statistics.figures import INTERVAL, how_many, percent, percent_range
from bertline.tasks.classify.one_label import Evaluation
from bertline.tasks.classify.truth import counted


def lead(evaluation: Evaluation) -> str:
    """The accuracy, and the rows whose label the model does not know."""
    accuracy = evaluation.accuracy
    sentence = (
        f"Right on {percent(accuracy.value)} of {how_many(evaluation.rows, 'row')} "
        f"({INTERVAL} {percent_range(accuracy)}), {len(evaluation.labels)} labels."
    )
    if evaluation.unknown:
        sentence += (
            f" {rows_of(evaluation.unknown_rows)} of a label that the model does not know and counted as wrong; "
            f"of the other rows it is right on {percent(evaluation.known_accuracy.value)} "
            f"({percent_range(evaluation.known_accuracy)})."
        )
    return sentence


def collapse(evaluation: Evaluation) -> str | None:
    """The warning about a model that gives every row the same label."""
    given = [scores for scores in evaluation.classes if scores.predicted]
    if len(given) != 1 or sum(scores.support > 0 for scores in evaluation.classes) < 2:
        return None
    return (
        f"all {evaluation.rows:,} rows got the label “{given[0].label}”: the accuracy is that label's share of them "
        "and MCC is 0, so the model does not distinguish any texts"
    )


def unknown(evaluation: Evaluation, model: str) -> str | None:
    """The note about labels that the model does not know, with the accuracy on the other rows."""
    if not evaluation.unknown:
        return None
    names = [entry.label for entry in evaluation.unknown for _ in range(entry.rows)]
    accuracy = evaluation.known_accuracy
    return (
        f"{rows_of(evaluation.unknown_rows)} of a label that {model} does not know ({counted(names)}) and counted as "
        f"wrong; accuracy on the other rows is {percent(accuracy.value)} ({percent_range(accuracy)})"
    )


def confusion_note(evaluation: Evaluation) -> str:
    """The most frequent confusion in a sentence."""
    cells = [
        (count, i, j) for i, row in enumerate(evaluation.confusion) for j, count in enumerate(row) if i != j and count
    ]
    how = "Counts, and shares of the true label's rows. "
    if not cells:
        return how + "There is no mistake."
    count, i, j = max(cells, key=lambda cell: cell[0])
    names = evaluation.labels
    return (
        f"{how}Most often, “{names[i]}” is taken for “{names[j]}”: {count:,} of {sum(evaluation.confusion[i]):,} rows."
    )


def _context(evaluation: Evaluation) -> dict[str, Any]:
    from bertline.evaluation import charts, matrix  # the pictures need markupsafe, which comes with Jinja

    return {
        "confusion_note": confusion_note(evaluation),
        "pictures": {
            "confusion": matrix.confusion_matrix(evaluation.labels, evaluation.confusion),
            "reliability": charts.reliability_diagram(evaluation.calibrated.bins, evaluation.uncalibrated.bins),
        },
    }


KIND = Kind(
    "kinds/one_label.html.jinja",
    lead=lead,
    reached="is right on {}",
    compared=("accuracy", "macro_f1"),
    context=_context,
    collapse=collapse,
    unknown=unknown,
)
