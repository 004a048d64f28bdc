"""Figures of a classifier that gives each text any number of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.data.labels import ordered
from bertline.data.names import canonical
from bertline.statistics.activation import sigmoid
from bertline.statistics.calibration import Bin, binned
from bertline.statistics.intervals import (
    LEVEL,
    RESAMPLES,
    Estimate,
    f1_interval,
    percentile,
    resampled_sums,
    wilson,
)
from bertline.statistics.metrics import ClassCounts, f1_of, macro_of, micro_of, precision_of, recall_of
from bertline.statistics.multilabel import (
    calibration,
    class_counts,
    decisions,
    label_calibration,
    label_counts,
    pooled_f1,
)
from bertline.statistics.paired import randomised_p
from bertline.statistics.slices import Slice, SliceFigure, by_column, by_length
from bertline.statistics.thresholds import DEFAULT, best_threshold
from bertline.tasks.classify.one_label import UnknownLabel
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import Comparison
from bertline.tasks.measured import MISTAKES, Arrays, Mistake, check, excerpt, text_logits
from bertline.text.reading import Reading

RATIOS = {"precision": precision_of, "recall": recall_of, "f1": f1_of}
NOTHING = "no label"  # of a text without labels, in lists of mistakes

Array = np.ndarray[Any, Any]
Given = Bool[Array, "rows names"]
Probability = Float[Array, "rows labels"]
Labels = Sequence[str]  # of one text


@dataclass(frozen=True, slots=True)
class LabelScores:
    """One label: ``support`` texts have it, ``predicted`` texts were given it at its ``threshold``.

    ``f1_at_half`` is the F1 at a threshold of 0.5; ``ece`` and ``brier`` are of the label's probability on all texts.
    """

    label: str
    threshold: float
    precision: Estimate
    recall: Estimate
    f1: Estimate
    f1_at_half: Estimate
    ece: Estimate
    brier: Estimate
    support: int
    predicted: int

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        names = ("precision", "recall", "f1", "f1_at_half", "ece", "brier")
        scores = {name: getattr(self, name).to_json() for name in names}
        counts = {"support": self.support, "predicted": self.predicted}
        return {"label": self.label, "threshold": self.threshold, **scores, **counts}


@dataclass(frozen=True, slots=True)
class SeveralEvaluation:
    """A classifier of several labels measured on ``rows`` texts.

    A label that the model does not know counts as missed on each of its texts: in recall, F1, the share of exact
    matches and the Hamming loss. Calibration is over the labels that the model knows.

    Attributes:
        labels: of the model, in its order.
        micro: precision, recall and F1 over all pairs of a text and a label.
        macro: the unweighted means over the labels that are true or predicted somewhere.
        at_half: micro and macro F1 if every threshold were 0.5.
        exact_match: share of texts with exactly the true labels.
        hamming: share of the pairs of a text and a label that are wrong.
        ece: calibration error of the probabilities of all pairs, over 15 bins of equal width.
        brier: mean squared error of these probabilities, 0 to 1.
        bins: the reliability table of ``ece``. Its intervals take the labels of a text for independent.
        by_length: share of exact matches by length of the text.
        slices: the same by the values of columns.
        mistakes: wrong sets of labels, those with the surest wrong decision first.
    """

    labels: tuple[str, ...]
    rows: int
    micro: Mapping[str, Estimate]
    macro: Mapping[str, Estimate]
    at_half: Mapping[str, Estimate]
    exact_match: Estimate
    hamming: Estimate
    ece: Estimate
    brier: Estimate
    bins: tuple[Bin, ...]
    classes: tuple[LabelScores, ...]
    by_length: tuple[Slice, ...]
    slices: Mapping[str, tuple[Slice, ...]]
    mistakes: tuple[Mistake, ...]
    seed: int
    unknown: tuple[UnknownLabel, ...] = ()

    @property
    def absent(self) -> tuple[str, ...]:
        """The model's labels that no text has: nothing is known of their recall and F1."""
        return tuple(scores.label for scores in self.classes if not scores.support)

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The figures people ask for first, by name, most wanted first."""
        return (
            ("micro-F1", self.micro["f1"]),
            ("macro-F1", self.macro["f1"]),
            ("precision", self.micro["precision"]),
            ("recall", self.micro["recall"]),
            ("exact matches", self.exact_match),
            ("ECE", self.ece),
        )

    def metrics(self) -> dict[str, dict[str, float]]:
        """Every overall figure by its name in JSON; ``_at_half`` is with all thresholds at 0.5."""
        overall = {f"micro_{name}": estimate for name, estimate in self.micro.items()}
        overall |= {f"macro_{name}": estimate for name, estimate in self.macro.items()}
        overall |= {f"{name}_f1_at_half": estimate for name, estimate in self.at_half.items()}
        overall |= {"exact_match": self.exact_match, "hamming_loss": self.hamming}
        overall |= {"ece": self.ece, "brier": self.brier}
        return {name: estimate.to_json() for name, estimate in overall.items()}

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        return {
            "rows": self.rows,
            "labels": list(self.labels),
            "thresholds": [scores.threshold for scores in self.classes],
            "intervals": {"level": LEVEL, "resamples": RESAMPLES, "seed": self.seed},
            "metrics": self.metrics(),
            "classes": [scores.to_json() for scores in self.classes],
            "unknown_labels": [entry.to_json() for entry in self.unknown],
            "reliability": [bucket.to_json() for bucket in self.bins],
            "by_length": [part.to_json() for part in self.by_length],
            "slices": {column: [part.to_json() for part in parts] for column, parts in self.slices.items()},
            "mistakes": [mistake.to_json() for mistake in self.mistakes],
        }


def figures(spec: Spec, truth: Sequence[Labels], arrays: Arrays, readings: Sequence[Reading]) -> dict[str, float]:
    """Micro-F1 and macro-F1 with all thresholds at 0.5."""
    names = _names(spec, truth)
    counts = class_counts(label_counts(_flags(truth, names), _widened(_probability(spec, arrays) >= DEFAULT, names)))
    return {"micro_f1": float(micro_of(f1_of, counts)), "macro_f1": float(macro_of(f1_of, counts))}


def tune(spec: Spec, truth: Sequence[Labels], arrays: Arrays, readings: Sequence[Reading]) -> Spec:
    """The spec with the threshold of highest F1 for each label; a label with fewer than 10 positives keeps 0.5.

    The thresholds of rare labels are uncertain even so. ``measure`` gives each label's F1 at 0.5 on the test texts
    beside the F1 at its threshold. The temperature stays 1, because a threshold per label does its work.
    """
    flags, probability = _flags(truth, spec.labels), _probability(spec, arrays)
    thresholds = [best_threshold(flags[:, i], probability[:, i]) for i in range(len(spec.labels))]
    return spec.model_copy(update={"thresholds": tuple(thresholds)})


def measure(
    spec: Spec,
    truth: Sequence[Labels],
    arrays: Arrays,
    readings: Sequence[Reading],
    *,
    fields: Sequence[Mapping[str, str]] = (),
    seed: int = 0,
) -> SeveralEvaluation:
    """Every figure of test texts (``tasks.classify.measure.measure``)."""
    check(truth, arrays, readings)
    names, probability = _names(spec, truth), _probability(spec, arrays)
    flags = _flags(truth, names)
    given, half = (_widened(probability >= cuts, names) for cuts in (spec.cuts, DEFAULT))
    counts, at_half = label_counts(flags, given), label_counts(flags, half)
    exact = (flags == given).all(axis=1)
    known = flags[:, : len(spec.labels)]
    of_exact = SliceFigure("exact_match", lambda some: wilson(int(exact[some].sum()), int(some.sum())))
    ece, brier = calibration(known, probability, seed)
    return SeveralEvaluation(
        labels=spec.labels,
        rows=len(flags),
        **_overall(counts, at_half, (flags != given).mean(axis=1), seed),
        exact_match=wilson(int(exact.sum()), len(exact)),
        ece=ece,
        brier=brier,
        bins=binned(probability.ravel(), known.ravel()),
        classes=_label_scores(spec, counts, at_half, known, probability, seed),
        by_length=by_length(np.array([reading.read for reading in readings]), of_exact),
        slices=by_column(fields, of_exact),
        mistakes=_mistakes(names, flags, given, _widened(probability, names), readings),
        seed=seed,
        unknown=tuple(
            UnknownLabel(name, int(flags[:, len(spec.labels) + i].sum()))
            for i, name in enumerate(names[len(spec.labels) :])
        ),
    )


def compare(
    spec: Spec,
    truth: Sequence[Labels],
    arrays: Arrays,
    other_arrays: Arrays,
    readings: Sequence[Reading],
    *,
    seed: int = 0,
) -> Comparison:
    """Micro-F1 of two networks on the same texts, whose answers are swapped at random for the p-value."""
    names = _names(spec, truth)
    flags = _flags(truth, names)
    first_labels, other = (_widened(_probability(spec, some) >= spec.cuts, names) for some in (arrays, other_arrays))
    first, second = (
        np.stack([part.sum(axis=1) for part in decisions(flags, some)], axis=1) for some in (first_labels, other)
    )
    drawn = resampled_sums(np.concatenate([first, second], axis=1), seed=seed)
    value, less = (float(pooled_f1(some.sum(axis=0, keepdims=True))[0]) for some in (first, second))
    right, other_right = ((flags == some).all(axis=1) for some in (first_labels, other))
    return Comparison(
        score="micro-F1",
        value=value,
        difference=percentile(value - less, pooled_f1(drawn[:, :3]) - pooled_f1(drawn[:, 3:])),
        p_value=randomised_p(first, second, pooled_f1, seed=seed),
        agreement=float(np.mean((first_labels == other).all(axis=1))),
        only_first=int((right & ~other_right).sum()),
        only_second=int((other_right & ~right).sum()),
    )


def _names(spec: Spec, truth: Sequence[Labels]) -> tuple[str, ...]:
    """The model's labels, and behind them those that only the texts have."""
    known = {*map(canonical, spec.labels)}
    return (*spec.labels, *ordered({label for labels in truth for label in labels if canonical(label) not in known}))


def _flags(truth: Sequence[Labels], names: Sequence[str]) -> Given:
    """Whether each text has each label; labels that are not in ``names`` are left out."""
    place = {canonical(name): i for i, name in enumerate(names)}
    out = np.zeros((len(truth), len(names)), dtype=bool)
    for row, labels in zip(out, truth, strict=True):
        row[[place[label] for label in map(canonical, labels) if label in place]] = True
    return out


def _probability(spec: Spec, arrays: Arrays) -> Probability:
    return sigmoid(text_logits(arrays, len(spec.labels)), spec.temperature)


def _widened(columns: Array, names: Sequence[str]) -> Array:
    """With a column of zeros for each label that the model does not know."""
    return np.pad(columns, ((0, 0), (0, len(names) - columns.shape[1])))


def _overall(counts: Array, at_half: Array, wrong: Array, seed: int) -> dict[str, Any]:
    """The figures with an interval from the same resamples of the texts."""
    width = counts.shape[1]
    drawn = resampled_sums(np.concatenate([counts, at_half, wrong[:, None]], axis=1), seed=seed)
    whole, resampled = class_counts(counts), ClassCounts(*np.split(drawn[:, :width], 3, axis=1))
    half, half_resampled = class_counts(at_half), ClassCounts(*np.split(drawn[:, width:-1], 3, axis=1))

    def estimate(mean: Any, ratio: Any, counts: ClassCounts, more: ClassCounts) -> Estimate:
        return percentile(float(mean(ratio, counts)), mean(ratio, more))

    return {
        "micro": {name: estimate(micro_of, ratio, whole, resampled) for name, ratio in RATIOS.items()},
        "macro": {name: estimate(macro_of, ratio, whole, resampled) for name, ratio in RATIOS.items()},
        "at_half": {
            "micro": estimate(micro_of, f1_of, half, half_resampled),
            "macro": estimate(macro_of, f1_of, half, half_resampled),
        },
        "hamming": percentile(float(wrong.mean()), drawn[:, -1] / len(counts)),
    }


def _label_scores(
    spec: Spec, counts: Array, at_half: Array, known: Given, probability: Probability, seed: int
) -> tuple[LabelScores, ...]:
    """Wilson's intervals: of one label, each text is one trial."""
    hits, support, predicted = np.split(counts.sum(axis=0).astype(np.int64), 3)
    half_hits, _, half_predicted = np.split(at_half.sum(axis=0).astype(np.int64), 3)

    def f1(hits: int, support: int, predicted: int) -> Estimate:
        return f1_interval(hits, support + predicted - 2 * hits)

    calibrated = label_calibration(known, probability, seed)
    return tuple(
        LabelScores(
            label=label,
            threshold=float(spec.cuts[i]),
            precision=wilson(int(hits[i]), int(predicted[i])),
            recall=wilson(int(hits[i]), int(support[i])),
            f1=f1(int(hits[i]), int(support[i]), int(predicted[i])),
            f1_at_half=f1(int(half_hits[i]), int(support[i]), int(half_predicted[i])),
            ece=ece,
            brier=brier,
            support=int(support[i]),
            predicted=int(predicted[i]),
        )
        for i, (label, (ece, brier)) in enumerate(zip(spec.labels, calibrated, strict=True))
    )


def _mistakes(
    names: Sequence[str], flags: Given, given: Given, probability: Array, readings: Sequence[Reading]
) -> tuple[Mistake, ...]:
    """Texts with wrong labels; how sure a wrong decision was is its probability's distance from the truth."""
    surest = np.where(flags != given, np.abs(probability - flags), 0.0).max(axis=1)
    wrong = np.flatnonzero((flags != given).any(axis=1))
    worst = wrong[np.argsort(-surest[wrong], kind="stable")][:MISTAKES]

    def shown(row: Array) -> str:
        return ", ".join(names[i] for i in np.flatnonzero(row).tolist()) or NOTHING

    return tuple(
        Mistake(int(i), excerpt(readings[i].input), shown(flags[i]), shown(given[i]), float(surest[i])) for i in worst
    )
