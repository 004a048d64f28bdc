"""The report's sentences: what the figures say, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.evaluation.baselines import Baseline
from bertline.statistics.figures import gain, gain_range, p_value, percent, percent_range
from bertline.tasks.classify.one_label import Evaluation
from bertline.tasks.classify.truth import SHOWN

MEANINGS = {
    "accuracy": "rows with the right label",
    "macro-F1": "mean over labels, rare ones count as much",
    "MCC": "agreement beyond chance, −1 to 1",
    "NLL": "nats per row, lower is better",
    "Brier": "sum form, 0 to 2, lower is better",
    "ECE": "confidence against accuracy",
}

TERMS = (
    (
        "95 % intervals",
        "What the figure may be on endlessly many rows of the same kind: 19 in 20 such intervals hold it. Proportions: "
        "Wilson's interval; F1 of a label: the same, through its share of hits; macro-F1, MCC, NLL and Brier: "
        "percentiles of 1,000 seeded bootstrap resamples; calibration errors: the bootstrap with a low end that "
        "allows for their upward bias. They say nothing about another training run or other data.",
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


def verdict(evaluation: Evaluation, baselines: Sequence[Baseline]) -> str:
    """The report's first sentences: how often it is right, and whether that beats the best baseline."""
    accuracy = evaluation.accuracy
    said = (
        f"Right on {percent(accuracy.value)} of {evaluation.rows:,} rows "
        f"(95 % interval {percent_range(accuracy)}), {len(evaluation.labels)} labels."
    )
    if evaluation.unknown:
        said += (
            f" {rows_of(evaluation.unknown_rows)} of a label that the model does not know and counted as wrong; "
            f"of the other rows it is right on {percent(evaluation.known_accuracy.value)} "
            f"({percent_range(evaluation.known_accuracy)})."
        )
    collapsed = collapse(evaluation)
    if collapsed is not None:
        return f"{said} {collapsed[0].upper()}{collapsed[1:]}. Train it again, first with a lower learning rate."
    if not baselines:
        return said
    best = max(baselines, key=lambda one: one.accuracy.value)
    paired = best.encoder_gain
    against = f"{best.name} is right on {percent(best.accuracy.value)}"
    figures = f"{gain(paired.accuracy.value)} ({gain_range(paired.accuracy)}), {p_value(paired.p_value)}"
    if paired.verdict > 0:
        return f"{said} {against}: the encoder is better, {figures}."
    if paired.verdict < 0:
        return f"{said} {against}: the encoder is worse, {figures}. Use the baseline, or train differently."
    return f"{said} {against}: these rows show no difference, {figures}. More test rows would tell."


def rows_of(rows: int) -> str:
    """The beginning of a sentence about rows.

    >>> rows_of(1), rows_of(1200)
    ('1 row is', '1,200 rows are')
    """
    return "1 row is" if rows == 1 else f"{rows:,} rows are"


def absent_note(evaluation: Evaluation) -> str:
    """Which labels could not be evaluated; empty where all could."""
    absent = evaluation.absent
    if not absent:
        return ""
    names = ", ".join(f"“{name}”" for name in absent[:SHOWN])
    names += f" and {len(absent) - SHOWN:,} more" if len(absent) > SHOWN else ""
    them = "it" if len(absent) == 1 else "them"
    return f"No row has the label {names}: how well the model finds {them} cannot be evaluated here."


def collapse(evaluation: Evaluation) -> str | None:
    """What to say of a model that gives every row one label, of which there are several; None of any other."""
    given = [one for one in evaluation.classes if one.predicted]
    if len(given) != 1 or sum(one.support > 0 for one in evaluation.classes) < 2:
        return None
    return (
        f"all {evaluation.rows:,} rows got the label “{given[0].label}”: the accuracy is that label's share of them "
        "and MCC is 0, so the model does not distinguish any texts"
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
