"""Fine-tuned or frozen: which encoder classifies better in cross-validation on the given texts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bertline.encoder.heads import Classifier
from bertline.statistics.figures import PERCENT, percent
from bertline.statistics.intervals import Estimate
from bertline.tasks.classify.measure import compare
from bertline.tasks.contract import Comparison
from bertline.training.few_shot.shots import Shots
from bertline.training.head_start import head_features

FOLDS = 3
STANDARD_ERRORS = 1.96  # from the middle of a 95 % interval to its ends


@dataclass(frozen=True)
class Choice:
    """The verdict of cross-validation.

    Attributes:
        tuned: whether the encoder is fine-tuned; else it stays frozen.
        logits: of the chosen one for each text, by a model that did not learn it.
        comparison: fine-tuned with frozen, on all texts.
    """

    tuned: bool
    logits: Float[Tensor, "texts labels"]
    comparison: Comparison

    def sentence(self) -> str:
        """The choice, and the figures that it follows from."""
        tuned, gain = self.comparison.value, self.comparison.difference
        low, high = 100 * gain.low, 100 * gain.high
        return (
            f"the encoder {'is fine-tuned' if self.tuned else 'stays frozen'}: in cross-validation, accuracy "
            f"{percent(tuned)} fine-tuned and {percent(tuned - gain.value)} frozen "
            f"(difference {100 * gain.value:+.1f} points, 95{PERCENT} {low:+.1f} to {high:+.1f})"
        )


def folds(labels: Sequence[int], groups: Sequence[str], seed: int) -> list[list[int]]:
    """The texts of each fold: of each label as many to within one, and equal groups (duplicates) in one fold.

    The first folds have the odd ones of every label. So what a fold's model learns has labels of equal size in equal
    numbers, and the model does not expect the labels that its fold lacks. Labels with too few texts for all folds begin
    with different ones.

    >>> [len(fold) for fold in folds([0] * 8 + [1] * 8, [str(i) for i in range(16)], 0)]
    [6, 6, 4]
    """
    counts = np.bincount(labels)
    fold_of: dict[str, int] = {}
    parts: list[list[int]] = [[] for _ in range(FOLDS)]
    sizes: dict[int, list[int]] = {}
    for i in np.random.default_rng(seed).permutation(len(labels)).tolist():
        of_label = sizes.setdefault(labels[i], [0] * FOLDS)
        first = labels[i] if counts[labels[i]] < FOLDS else 0
        order = [(first + number) % FOLDS for number in range(FOLDS)]
        fold = fold_of.setdefault(groups[i], min(order, key=of_label.__getitem__))
        of_label[fold] += 1
        parts[fold].append(i)
    return [sorted(part) for part in parts]


def pays(gain: Estimate) -> bool:
    """Whether fine-tuning is chosen: unless it is worse than the frozen encoder by more than a standard error.

    So few texts seldom tell the two apart, and on average fine-tuning is better (docs/log.md).

    >>> pays(Estimate(-0.03, -0.1, 0.04)), pays(Estimate(-0.05, -0.09, -0.01))
    (True, False)
    """
    return gain.value >= -(gain.high - gain.low) / (2 * STANDARD_ERRORS)


def choose(
    classifier: Classifier,
    shots: Shots,
    features: Float[Tensor, "texts hidden"],
    parts: Sequence[Sequence[int]],
    note: Callable[[str], None],
) -> Choice:
    """Compare both in cross-validation.

    Args:
        classifier: with the encoder as it came; not changed.
        shots: the texts.
        features: of the texts, by the frozen encoder.
        parts: the folds.
        note: takes a line for each fold.
    """
    frozen, tuned = (torch.empty(len(shots), len(shots.spec.labels)) for _ in range(2))
    for number, part in enumerate(parts, start=1):
        note(f"Cross-validation: fold {number} of {len(parts)}")
        rest = sorted({*range(len(shots))} - {*part})
        model = copy.deepcopy(classifier)
        shots.tune(model, rest)
        for logits, own in ((frozen, features), (tuned, head_features(model, shots.rows, shots.placement))):
            logits[list(part)] = shots.fit_head(own[rest], rest)(own[list(part)])
    one, other = ([[row] for row in logits.numpy()] for logits in (tuned, frozen))
    rows, seed = shots.rows, shots.settings.seed
    comparison = compare(shots.spec, rows.targets, one, other, rows.readings, seed=seed)
    chosen = pays(comparison.difference)
    return Choice(chosen, tuned if chosen else frozen, comparison)
