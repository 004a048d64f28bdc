"""Any number of labels per text: a table of labels with their thresholds, calibration, and the sentences about them."""

from __future__ import annotations

from typing import Any

from bertline.evaluation.kinds.kind import INTERVALS, Kind, absent_note
from bertline.statistics.figures import percent, percent_range
from bertline.statistics.thresholds import LEAST_POSITIVES
from bertline.tasks.classify.several_labels import SeveralEvaluation
from bertline.tasks.classify.truth import counted

TERMS = (
    (
        INTERVALS[0],
        f"{INTERVALS[1]}Precision, recall and F1 of one label, and exact matches: Wilson's interval; micro- and macro-"
        "averages: percentiles of 1,000 seeded bootstrap resamples of the texts; calibration errors: the bootstrap "
        "with a low end that allows for their upward bias.",
    ),
    (
        "Micro- and macro-F1",
        "F1 is the harmonic mean of precision and recall. Micro: over all pairs of a text and a label, so frequent "
        "labels decide. Macro: the mean of the labels' F1, so rare labels count as much.",
    ),
    ("Exact matches", "Share of texts that were given exactly their true labels."),
    (
        "Threshold",
        "The least probability at which a label is given: that of highest F1 on validation data. A label with fewer "
        f"than {LEAST_POSITIVES} positive validation texts keeps 0.5, and so does a label for which no other threshold "
        "was better there.",
    ),
    (
        "ECE and Brier score",
        "Of the probability of a label, over texts: |probability − share of texts with the label| per bin, weighted by "
        "texts, over 15 bins of equal width; the mean of (p − y)², 0 to 1. Overall, each pair of a text and a label "
        "counts once. Noise only ever adds to the ECE.",
    ),
    (
        "Encoder against a baseline",
        "The difference of micro-F1 on the same texts, its bootstrap interval, and the p-value of a randomisation test "
        "that swaps the answers of both on random texts (Yeh 2000).",
    ),
)


def lead(evaluation: SeveralEvaluation) -> str:
    """The score, and how often the whole set is right."""
    micro, exact = evaluation.micro["f1"], evaluation.exact_match
    sentence = (
        f"Micro-F1 {percent(micro.value)} on {evaluation.rows:,} texts (95 % interval {percent_range(micro)}), "
        f"{len(evaluation.labels)} labels; {percent(exact.value)} of the texts have exactly the right labels."
    )
    note = unknown(evaluation, "the model")
    return sentence if note is None else f"{sentence} {note[0].upper()}{note[1:]}."


def collapse(evaluation: SeveralEvaluation) -> str | None:
    """What to say of a model that gives no label to any text, or the same ones to all."""
    if evaluation.rows < 2 or not any(scores.support for scores in evaluation.classes):
        return None
    if any(0 < scores.predicted < evaluation.rows for scores in evaluation.classes):
        return None
    given = [f"“{scores.label}”" for scores in evaluation.classes if scores.predicted]
    named = f"the labels {', '.join(given)}" if len(given) > 1 else f"the label {given[0]}" if given else "no label"
    return f"all {evaluation.rows:,} texts got {named}, so the model does not distinguish any texts"


def unknown(evaluation: SeveralEvaluation, model: str) -> str | None:
    """Which labels the model does not know."""
    if not evaluation.unknown:
        return None
    names = [entry.label for entry in evaluation.unknown for _ in range(entry.rows)]
    labels = "1 true label is" if len(names) == 1 else f"{len(names):,} true labels are"
    return f"{labels} unknown to {model} ({counted(names)}) and counted as missed"


def threshold_note(evaluation: SeveralEvaluation) -> str:
    """What the thresholds did on these texts."""
    moved = sum(scores.threshold != 0.5 for scores in evaluation.classes)
    if not moved:
        return "Every label is given at a probability of 0.5 or more."
    tuned, half = evaluation.macro["f1"].value, evaluation.at_half["macro"].value
    labels = f"{moved:,} of {len(evaluation.classes):,} labels have a threshold"
    return (
        f"{labels} other than 0.5, chosen on validation data. On these texts, macro-F1 is {percent(tuned)} with the "
        f"chosen thresholds and {percent(half)} with 0.5 for every label."
    )


def _context(evaluation: SeveralEvaluation) -> dict[str, Any]:
    from bertline.evaluation import charts  # the pictures need markupsafe, which comes with Jinja

    scores = [scores.f1 for scores in evaluation.classes if scores.support or scores.predicted]
    scale = (min((f1.low for f1 in scores), default=0.0), max((f1.high for f1 in scores), default=1.0))
    macro = evaluation.macro["f1"].value
    return {
        "threshold_note": threshold_note(evaluation),
        "absent_note": absent_note(evaluation.absent, "text"),
        "label_mark": lambda estimate: charts.interval_mark("macro_f1", estimate, macro, scale),
        "pictures": {"reliability": charts.reliability_diagram(evaluation.bins, rows="pairs", across="probability")},
    }


KIND = Kind(
    "kinds/several_labels.html.jinja",
    lead=lead,
    reached="reaches a micro-F1 of {}",
    compared=("micro_f1", "macro_f1"),
    meanings=lambda _: {
        "micro-F1": "over all texts and labels",
        "macro-F1": "mean over labels, rare ones count as much",
        "precision": "given labels that are true",
        "recall": "true labels that are given",
        "exact matches": "texts with exactly the right labels",
        "ECE": "probability against share of true labels",
    },
    terms=TERMS,
    context=_context,
    collapse=collapse,
    unknown=unknown,
)
