"""One label per text: confusion, calibration, and the sentences about them."""

from __future__ import annotations

from typing import Any

from bertline.evaluation.kinds.kind import INTERVALS, Kind, absent_note, rows_of
from bertline.statistics.figures import figure, percent, percent_range
from bertline.tasks.classify.one_label import Evaluation
from bertline.tasks.classify.truth import counted

TERMS = (
    (
        INTERVALS[0],
        f"{INTERVALS[1]}Proportions: Wilson's interval; F1 of a label: the same, through its share of hits; macro-F1, "
        "MCC, NLL and Brier: percentiles of 1,000 seeded bootstrap resamples; calibration errors: the bootstrap with a "
        "low end that allows for their upward bias.",
    ),
    (
        "Macro-F1",
        "Mean of the labels' F1, the harmonic mean of precision and recall, over labels that occur. A ratio without "
        "a denominator counts as 0.",
    ),
    ("MCC", "Matthews correlation coefficient for any number of labels (Gorodkin 2004); 0 is chance."),
    (
        "NLL and Brier score",
        "Mean −log p of the true label, over the rows whose label the model knows; mean Σ (p − y)² over all labels, "
        "the original multi-class form (Brier 1950), with two labels twice the one-sided one. Both are after "
        "temperature scaling unless stated otherwise.",
    ),
    (
        "ECE",
        "Expected calibration error: |confidence − accuracy| per bin, weighted by rows, over 15 bins of equal width "
        "(Guo et al. 2017); over bins of equally many rows as a check (Nixon et al. 2019). Noise only ever adds to it.",
    ),
    (
        "Temperature",
        "The logits are divided by one number, fitted on validation data (Guo et al. 2017). It changes how sure the "
        "model says it is, never which label it says.",
    ),
    (
        "Encoder against a baseline",
        "The difference of accuracies on the same rows, its bootstrap interval, and McNemar's exact test of the rows "
        "that only one of them has right.",
    ),
)


def lead(evaluation: Evaluation) -> str:
    """How often the model is right, and what it could not know."""
    accuracy = evaluation.accuracy
    sentence = (
        f"Right on {percent(accuracy.value)} of {evaluation.rows:,} rows "
        f"(95 % interval {percent_range(accuracy)}), {len(evaluation.labels)} labels."
    )
    if evaluation.unknown:
        sentence += (
            f" {rows_of(evaluation.unknown_rows)} of a label that the model does not know and counted as wrong; "
            f"of the other rows it is right on {percent(evaluation.known_accuracy.value)} "
            f"({percent_range(evaluation.known_accuracy)})."
        )
    return sentence


def collapse(evaluation: Evaluation) -> str | None:
    """What to say of a model that gives every row one label, of which there are several."""
    given = [scores for scores in evaluation.classes if scores.predicted]
    if len(given) != 1 or sum(scores.support > 0 for scores in evaluation.classes) < 2:
        return None
    return (
        f"all {evaluation.rows:,} rows got the label “{given[0].label}”: the accuracy is that label's share of them "
        "and MCC is 0, so the model does not distinguish any texts"
    )


def unknown(evaluation: Evaluation, model: str) -> str | None:
    """Which labels the model does not know, and how good it is on the other rows."""
    if not evaluation.unknown:
        return None
    names = [entry.label for entry in evaluation.unknown for _ in range(entry.rows)]
    accuracy = evaluation.known_accuracy
    return (
        f"{rows_of(evaluation.unknown_rows)} of a label that {model} does not know ({counted(names)}) and counted as "
        f"wrong; accuracy on the other rows is {percent(accuracy.value)} ({percent_range(accuracy)})"
    )


def calibration_note(evaluation: Evaluation) -> str:
    """What temperature scaling did."""
    before, after = evaluation.uncalibrated.ece.value, evaluation.calibrated.ece.value
    temperature = evaluation.temperature
    if temperature == 1.0:
        return f"The temperature is 1, which leaves the probabilities as they are: ECE {percent(after)}."
    was = "over" if temperature > 1 else "under"
    return (
        f"On validation data the model was {was}confident; a temperature of {temperature:.2f} takes the calibration "
        f"error on these rows from {percent(before)} to {percent(after)}. On the dashed line the model is right as "
        "often as it says; below it, it is too sure."
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
        "calibration": _calibration_rows(evaluation),
        "calibration_note": calibration_note(evaluation),
        "confusion_note": confusion_note(evaluation),
        "absent_note": absent_note(evaluation.absent),
        "pictures": {
            "confusion": matrix.confusion_matrix(evaluation.labels, evaluation.confusion),
            "reliability": charts.reliability_diagram(evaluation.calibrated.bins, evaluation.uncalibrated.bins),
        },
    }


def _calibration_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    named = (
        ("ECE", "ece", "ECE"),
        ("ECE, equal-mass bins", "ece_equal_mass", "ECE"),
        ("NLL", "nll", "NLL"),
        ("Brier score", "brier", "Brier"),
    )
    both = (evaluation.uncalibrated, evaluation.calibrated)
    return [
        {"name": shown, "cells": [figure(kind, getattr(scores, attribute)) for scores in both]}
        for shown, attribute, kind in named
    ]


def _meanings(evaluation: Evaluation) -> dict[str, str]:
    return {
        "accuracy": "rows with the right label",
        "macro-F1": "mean over labels, rare ones count as much",
        "MCC": "agreement beyond chance, −1 to 1",
        "NLL": "nats per row, lower is better",
        "Brier": "sum form, 0 to 2, lower is better",
        "ECE": f"confidence against accuracy; {percent(evaluation.uncalibrated.ece.value)} before temperature",
    }


KIND = Kind(
    "kinds/one_label.html.jinja",
    lead=lead,
    reached="is right on {}",
    compared=("accuracy", "macro_f1"),
    meanings=_meanings,
    terms=TERMS,
    context=_context,
    collapse=collapse,
    unknown=unknown,
)
