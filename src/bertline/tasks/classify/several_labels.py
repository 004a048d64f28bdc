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
from bertline.statistics.as_json import as_json
from bertline.statistics.calibration import Bin, binned
from bertline.statistics.intervals import Estimate, averaged, class_intervals, percentile, resampled_sums, wilson
from bertline.statistics.metrics import ClassCounts, f1_of, macro_of, micro_of
from bertline.statistics.multilabel import (
    calibration,
    class_counts,
    decisions,
    label_calibration,
    label_counts,
)
from bertline.statistics.slices import SliceFigure
from bertline.statistics.thresholds import DEFAULT, best_threshold
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import Comparison
from bertline.tasks.measured import (
    MISTAKES,
    EvaluatedTexts,
    Fields,
    Mistake,
    UnknownLabel,
    compare_f1,
    evaluation_json,
    excerpt,
    sliced,
)
from bertline.text.reading import Reading

NOTHING = "no label"  # of a text without labels, in lists of mistakes

Array = np.ndarray[Any, Any]
Given = Bool[Array, "rows names"]
Probability = Float[Array, "rows labels"]
Labels = Sequence[str]  # of one text


@dataclass(frozen=True, slots=True)
class LabelScores:
    """One label: the number of texts that have it (``support``) and get it at its ``threshold`` (``predicted``).

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveralEvaluation(EvaluatedTexts):
    """A classifier of several labels, compared in slices by its share of exact matches.

    Labels that the model does not know count as missed in recall, F1, exact matches and the Hamming loss. Calibration
    covers only labels that the model knows.

    Attributes:
        labels: of the model, in its order.
        micro: precision, recall and F1 over all text-label pairs.
        macro: the unweighted means over the labels that are true or predicted somewhere.
        at_half: micro and macro F1 if every threshold were 0.5.
        exact_match: share of texts with exactly the true labels.
        hamming: share of text-label pairs that are wrong.
        ece: calibration error of the probabilities of all pairs, over 15 bins of equal width.
        brier: mean squared error of these probabilities, 0 to 1.
        bins: the reliability table of ``ece``. Its intervals treat the labels of a text as independent.
        unknown: true labels that the model does not know.
    """

    labels: tuple[str, ...]
    micro: Mapping[str, Estimate]
    macro: Mapping[str, Estimate]
    at_half: Mapping[str, Estimate]
    exact_match: Estimate
    hamming: Estimate
    ece: Estimate
    brier: Estimate
    bins: tuple[Bin, ...]
    classes: tuple[LabelScores, ...]
    unknown: tuple[UnknownLabel, ...]

    @property
    def absent(self) -> tuple[str, ...]:
        """The model's labels that no text has: their recall and F1 cannot be measured."""
        return tuple(scores.label for scores in self.classes if not scores.support)

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The headline figures by name, the most important first."""
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
        figures: dict[str, dict[str, float]] = as_json(overall)
        return figures

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        head = {"labels": self.labels, "thresholds": [scores.threshold for scores in self.classes]}
        parts = {"classes": self.classes, "unknown_labels": self.unknown, "reliability": self.bins}
        return evaluation_json(self, head, parts)


def figures(spec: Spec, truth: Sequence[Labels], logits: Array) -> dict[str, float]:
    """Micro-F1 and macro-F1 with all thresholds at 0.5."""
    names = _names(spec, truth)
    given = _widened(sigmoid(logits, spec.temperature) >= DEFAULT, names)
    counts = class_counts(label_counts(_flags(truth, names), given))
    return {"micro_f1": float(micro_of(f1_of, counts)), "macro_f1": float(macro_of(f1_of, counts))}


def tune(spec: Spec, truth: Sequence[Labels], logits: Array) -> Spec:
    """The spec with the threshold of highest F1 for each label; a label with fewer than 10 positives keeps 0.5.

    Even so, thresholds of rare labels are uncertain, so ``measure`` reports each label's F1 at 0.5 on the test texts
    beside the F1 at its threshold. The temperature stays 1, because a threshold per label replaces it.
    """
    flags, probability = _flags(truth, spec.labels), sigmoid(logits, spec.temperature)
    thresholds = [best_threshold(flags[:, i], probability[:, i]) for i in range(len(spec.labels))]
    return spec.model_copy(update={"thresholds": tuple(thresholds)})


def measure(
    spec: Spec, truth: Sequence[Labels], logits: Array, readings: Sequence[Reading], fields: Fields, seed: int
) -> SeveralEvaluation:
    """Every figure of test texts (``tasks.classify.measure.measure``)."""
    names, probability = _names(spec, truth), sigmoid(logits, spec.temperature)
    flags = _flags(truth, names)
    given, half = (_widened(probability >= cuts, names) for cuts in (spec.cuts, DEFAULT))
    counts, at_half = label_counts(flags, given), label_counts(flags, half)
    exact = (flags == given).all(axis=1)
    known = flags[:, : len(spec.labels)]
    of_exact = SliceFigure("exact_match", lambda members: wilson(int(exact[members].sum()), int(members.sum())))
    ece, brier = calibration(known, probability, seed)
    return SeveralEvaluation(
        **sliced(of_exact, readings, fields),
        labels=spec.labels,
        **_overall(counts, at_half, (flags != given).mean(axis=1), seed),
        exact_match=wilson(int(exact.sum()), len(exact)),
        ece=ece,
        brier=brier,
        bins=binned(probability.ravel(), known.ravel()),
        classes=_label_scores(spec, counts, at_half, known, probability, seed),
        mistakes=_mistakes(names, flags, given, _widened(probability, names), readings),
        seed=seed,
        unknown=tuple(
            UnknownLabel(name, int(flags[:, len(spec.labels) + i].sum()))
            for i, name in enumerate(names[len(spec.labels) :])
        ),
    )


def compare(
    specs: tuple[Spec, Spec], truth: Sequence[Labels], logits: Array, other_logits: Array, seed: int
) -> Comparison:
    """Micro-F1 of two networks on the same texts, each with its own thresholds."""
    names = _names(specs[0], truth)
    flags = _flags(truth, names)
    both = zip(specs, (logits, other_logits), strict=True)
    given = [_widened(sigmoid(part, spec.temperature) >= spec.cuts, names) for spec, part in both]
    counts = [np.stack([part.sum(axis=1) for part in decisions(flags, labels)], axis=1) for labels in given]
    right = [(flags == labels).all(axis=1) for labels in given]
    return compare_f1("micro-F1", counts, right, (given[0] == given[1]).all(axis=1), seed)


def _names(spec: Spec, truth: Sequence[Labels]) -> tuple[str, ...]:
    """The model's labels, followed by those that only the texts have."""
    known = {*map(canonical, spec.labels)}
    return (*spec.labels, *ordered({label for labels in truth for label in labels if canonical(label) not in known}))


def _flags(truth: Sequence[Labels], names: Sequence[str]) -> Given:
    """Whether each text has each label; labels outside ``names`` are ignored."""
    place = {canonical(name): i for i, name in enumerate(names)}
    out = np.zeros((len(truth), len(names)), dtype=bool)
    for row, labels in zip(out, truth, strict=True):
        row[[place[label] for label in map(canonical, labels) if label in place]] = True
    return out


def _widened(columns: Array, names: Sequence[str]) -> Array:
    """Pad with a column of zeros for each label that the model does not know."""
    return np.pad(columns, ((0, 0), (0, len(names) - columns.shape[1])))


def _overall(counts: Array, at_half: Array, wrong: Array, seed: int) -> dict[str, Any]:
    """The figures with an interval from the same resamples of the texts."""
    width = counts.shape[1]
    drawn = resampled_sums(np.concatenate([counts, at_half, wrong[:, None]], axis=1), seed=seed)
    tuned = class_counts(counts), ClassCounts.split(drawn[:, :width])
    half = class_counts(at_half), ClassCounts.split(drawn[:, width:-1])
    return {
        "micro": averaged(micro_of, *tuned),
        "macro": averaged(macro_of, *tuned),
        "at_half": {"micro": averaged(micro_of, *half)["f1"], "macro": averaged(macro_of, *half)["f1"]},
        "hamming": percentile(float(wrong.mean()), drawn[:, -1] / len(counts)),
    }


def _label_scores(
    spec: Spec, counts: Array, at_half: Array, known: Given, probability: Probability, seed: int
) -> tuple[LabelScores, ...]:
    """Wilson's intervals: for one label, each text is one trial."""
    tuned, half = (part.sum(axis=0).astype(np.int64).reshape(3, -1).T.tolist() for part in (counts, at_half))
    calibrated = label_calibration(known, probability, seed)
    return tuple(
        LabelScores(
            label=label,
            threshold=float(spec.cuts[i]),
            **class_intervals(*tuned[i]),
            f1_at_half=class_intervals(*half[i])["f1"],
            ece=ece,
            brier=brier,
            support=tuned[i][1],
            predicted=tuned[i][2],
        )
        for i, (label, (ece, brier)) in enumerate(zip(spec.labels, calibrated, strict=True))
    )


def _mistakes(
    names: Sequence[str], flags: Given, given: Given, probability: Array, readings: Sequence[Reading]
) -> tuple[Mistake, ...]:
    """Texts with wrong labels; the confidence of a wrong decision is its probability's distance from the truth."""
    surest = np.where(flags != given, np.abs(probability - flags), 0.0).max(axis=1)
    wrong = np.flatnonzero((flags != given).any(axis=1))
    worst = wrong[np.argsort(-surest[wrong], kind="stable")][:MISTAKES]

    def shown(row: Array) -> str:
        return ", ".join(names[i] for i in np.flatnonzero(row).tolist()) or NOTHING

    return tuple(
        Mistake(int(i), excerpt(readings[i].input), shown(flags[i]), shown(given[i]), float(surest[i])) for i in worst
    )
