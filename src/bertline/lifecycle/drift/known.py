"""What true labels of the reference add: the labels' shares in the new texts, and the accuracy to expect there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.lifecycle.drift.found import PriorShift
from bertline.lifecycle.drift.window import LEAST_ROWS, Window
from bertline.statistics.intervals import percentile
from bertline.statistics.shift.prior import Prior
from bertline.statistics.unlabelled import LEAST_REFERENCE, UnlabelledAccuracy, estimate_accuracy

_RESAMPLES = 400

Array = np.ndarray[Any, Any]
Columns = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Known:
    """Two windows of a model with one label per text, and the true labels of the reference.

    Attributes:
        names: of the labels, in the order of the probabilities.
        before: probabilities of the reference, [text, label].
        after: probabilities of the new texts.
        embeddings: of the reference, and of the new texts that have some.
        embedded: probabilities of those new texts.
        labels: the index of each reference text's label in ``names``; −1 for one that the model does not know.
    """

    names: tuple[str, ...]
    before: Array
    after: Array
    embeddings: tuple[Array, Array]
    embedded: Array
    labels: Array

    @classmethod
    def of(cls, reference: Window, new: Window, labels: Sequence[str | None], names: Sequence[str]) -> Known:
        """Line up labels and answers; of two labels the answers have the second, and the first is what remains."""
        before, after = (np.stack([*one.answers.values()], axis=1) for one in (reference, new))
        if len(names) == 2:
            before, after = (np.concatenate([1 - one, one], axis=1) for one in (before, after))
        places: dict[str | None, int] = {name: place for place, name in enumerate(names)}
        known = np.array([places.get(one, -1) for one in labels], dtype=np.int64)
        return cls(tuple(names), before, after, (reference.embeddings, new.embeddings), new.of_embedded(after), known)

    def prior_shift(self, before: Columns, after: Columns, seed: int) -> PriorShift | None:
        """The shares of the labels before and after; None where too few labels have reference rows enough.

        Args:
            before: properties of the reference texts.
            after: properties of the new texts.
            seed: of the bootstraps.
        """
        rows = self.labels >= 0
        labels, probabilities = self.labels[rows], self.before[rows]
        prior = Prior.of(probabilities, labels, self.names) if len(labels) else None
        if prior is None:
            return None
        each = []
        scaled = _scaled(before, after)
        for own, other, share in ((*self.embeddings, self.embedded), (*scaled, self.after)):
            if min(len(own), len(other)) >= LEAST_ROWS:
                each.append(prior.within_p((probabilities, own[rows], labels), (share, other), seed=seed))
        rng, number = np.random.default_rng(seed), len(self.after)
        drawn = np.array([prior.new_shares(self.after[rng.integers(0, number, number)]) for _ in range(_RESAMPLES)])
        estimate = prior.new_shares(self.after).tolist()
        shares = tuple(percentile(value, drawn[:, group]) for group, value in enumerate(estimate))
        return PriorShift(prior.names, tuple(prior.shares.tolist()), shares, min(1.0, len(each) * min(each)))

    def accuracy(self, tested: int, seed: int) -> UnlabelledAccuracy | None:
        """The accuracy of the new answers, estimated without labels; None with too few reference rows.

        Args:
            tested: number of reference texts, the first ones, that nothing about the model was chosen by.
            seed: of the bootstrap.
        """
        if tested < LEAST_REFERENCE:
            return None
        before = self.before[:tested]
        return estimate_accuracy(before.max(axis=1), self.right_before(tested), self.after.max(axis=1), seed=seed)

    def right_before(self, tested: int) -> Array:
        """Which answers to the first ``tested`` reference texts are right."""
        return np.asarray(self.before[:tested].argmax(axis=1) == self.labels[:tested])

    def right_after(self, truth: Sequence[str]) -> Array:
        """Which answers to the new texts are right."""
        names = np.array(self.names, dtype=object)
        return np.asarray(names[self.after.argmax(axis=1)] == np.array(truth, dtype=object))


def _scaled(before: Columns, after: Columns) -> tuple[Array, Array]:
    """Properties in units of their spread over both windows, [text, property]."""
    pooled = np.stack([np.concatenate([before[name], after[name]]) for name in before], axis=1)
    spread = pooled.std(axis=0)
    scaled = pooled / np.where(spread > 0, spread, 1.0)
    number = len(next(iter(before.values())))
    return scaled[:number], scaled[number:]
