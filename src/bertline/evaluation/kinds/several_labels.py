"""Any number of labels per text: a table of labels with their thresholds, calibration, and the sentences about them."""

from __future__ import annotations

from typing import Any

from bertline.evaluation.kinds.kind import Kind
from bertline.statistics.figures import INTERVAL, percent, percent_range
from bertline.statistics.thresholds import LEAST_POSITIVES
from bertline.tasks.classify.several_labels import SeveralEvaluation
from bertline.tasks.classify.truth import counted


def lead(evaluation: SeveralEvaluation) -> str:
    """The score, and how often the whole set is right."""
    micro, exact = evaluation.micro["f1"], evaluation.exact_match
    sentence = (
        f"Micro-F1 {percent(micro.value)} on {evaluation.rows:,} texts ({INTERVAL} {percent_range(micro)}), "
        f"{len(evaluation.labels)} labels; {percent(exact.value)} of the texts have exactly the right labels."
    )
    note = unknown(evaluation, "the model")
    return sentence if note is None else f"{sentence} {note[0].upper()}{note[1:]}."


def collapse(evaluation: SeveralEvaluation) -> str | None:
    """The warning about a model that gives all texts the same labels, or none."""
    if evaluation.rows < 2 or not any(scores.support for scores in evaluation.classes):
        return None
    if any(0 < scores.predicted < evaluation.rows for scores in evaluation.classes):
        return None
    given = [f"“{scores.label}”" for scores in evaluation.classes if scores.predicted]
    named = f"the labels {', '.join(given)}" if len(given) > 1 else f"the label {given[0]}" if given else "no label"
    return f"all {evaluation.rows:,} texts got {named}, so the model does not distinguish any texts"


def unknown(evaluation: SeveralEvaluation, model: str) -> str | None:
    """The note about labels that the model does not know."""
    if not evaluation.unknown:
        return None
    names = [entry.label for entry in evaluation.unknown for _ in range(entry.rows)]
    labels = "1 true label is" if len(names) == 1 else f"{len(names):,} true labels are"
    return f"{labels} unknown to {model} ({counted(names)}) and counted as missed"


def _context(evaluation: SeveralEvaluation) -> dict[str, Any]:
    from bertline.evaluation import charts  # the pictures need markupsafe, which comes with Jinja

    scores = [scores.f1 for scores in evaluation.classes if scores.support or scores.predicted]
    scale = (min((f1.low for f1 in scores), default=0.0), max((f1.high for f1 in scores), default=1.0))
    macro = evaluation.macro["f1"].value
    return {
        "least_positives": LEAST_POSITIVES,
        "label_mark": lambda estimate: charts.interval_mark("macro_f1", estimate, macro, scale),
        "pictures": {"reliability": charts.reliability_diagram(evaluation.bins, rows="pairs", across="probability")},
    }


KIND = Kind(
    "kinds/several_labels.html.jinja",
    lead=lead,
    reached="reaches a micro-F1 of {}",
    compared=("micro_f1", "macro_f1"),
    context=_context,
    collapse=collapse,
    unknown=unknown,
)
