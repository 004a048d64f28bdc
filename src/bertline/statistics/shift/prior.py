"""Have only the shares of the labels changed, or also the texts of a label?

Under a prior shift, texts of each label are distributed as before and the labels' shares differ. The new shares follow
from the mean of the model's probabilities, because their mean over the reference texts of each label is known (black
box shift estimation, Lipton, Wang & Smola 2018). The mean embedding of the new texts follows in the same way. If the
observed mean is another, texts have changed within labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

DRAWS = 499
OTHERS = "others"
LEAST_ROWS = 10  # of a label in the reference, for its share to be estimated apart

Probabilities = Float[np.ndarray[Any, Any], "rows labels"]
NewProbabilities = Float[np.ndarray[Any, Any], "new labels"]
Labels = Int[np.ndarray[Any, Any], " rows"]
Embeddings = Float[np.ndarray[Any, Any], "rows hidden"]
NewEmbeddings = Float[np.ndarray[Any, Any], "new hidden"]
Shares = Float[np.ndarray[Any, Any], " labels"]


@dataclass(frozen=True, slots=True)
class Prior:
    """What the reference tells of its labels.

    Attributes:
        names: of the groups.
        groups: the group of each label: its own, or that of all rare labels.
        means: mean probabilities of the groups (rows) over the reference texts of each group (columns).
        shares: of the groups in the reference.
    """

    names: tuple[str, ...]
    groups: Int[np.ndarray[Any, Any], " labels"]
    means: Float[np.ndarray[Any, Any], "groups groups"]
    shares: Float[np.ndarray[Any, Any], " groups"]

    @classmethod
    def of(cls, probabilities: Probabilities, labels: Labels, names: Sequence[str]) -> Prior | None:
        """Learn from reference rows; None where fewer than two labels have ``LEAST_ROWS`` rows.

        Args:
            probabilities: of the reference rows.
            labels: the index of the true label of each.
            names: of the labels.
        """
        counts = np.bincount(labels, minlength=len(names))
        common = np.flatnonzero(counts >= LEAST_ROWS)
        if len(common) < 2:
            return None
        groups = np.full(len(names), len(common))
        groups[common] = np.arange(len(common))
        named = [names[i] for i in common.tolist()]
        if counts.sum() - counts[common].sum() >= LEAST_ROWS:
            named.append(OTHERS)
        else:  # too few to be a group: they join the most common label
            groups[counts < LEAST_ROWS] = groups[np.argmax(counts)]
        grouped, of_row = _grouped(probabilities, groups, len(named)), groups[labels]
        means = np.stack([grouped[of_row == group].mean(axis=0) for group in range(len(named))], axis=1)
        return cls(tuple(named), groups, means, np.bincount(of_row, minlength=len(named)) / len(labels))

    def new_shares(self, probabilities: Probabilities) -> Float[np.ndarray[Any, Any], " groups"]:
        """The groups' estimated shares in new texts: none below 0, and they sum to 1."""
        raw = self._inverse() @ self.grouped(probabilities).mean(axis=0)
        shares = np.maximum(raw, 0)
        return np.asarray(shares / shares.sum())

    def grouped(self, probabilities: Probabilities) -> Float[np.ndarray[Any, Any], "rows groups"]:
        """Probabilities of the groups."""
        return _grouped(probabilities, self.groups, len(self.shares))

    def within_p(
        self,
        reference: tuple[Probabilities, Embeddings, Labels],
        new: tuple[NewProbabilities, NewEmbeddings],
        *,
        seed: int = 0,
        draws: int = DRAWS,
    ) -> float:
        """P-value of no change within labels, by a multiplier bootstrap of both samples' noise.

        Args:
            reference: probabilities, embeddings and labels.
            new: probabilities and embeddings.
            seed: of the draws.
            draws: number of them.
        """
        probabilities, rows, labels = reference
        known = self.groups[labels]
        grouped, new_grouped = self.grouped(probabilities), self.grouped(new[0])
        centres = np.stack([rows[known == group].mean(axis=0) for group in range(len(self.shares))], axis=1)
        foretold = centres @ self._inverse()
        residuals = new[1] - new_grouped @ foretold.T
        own = rows - grouped @ foretold.T  # of mean zero within each group
        shares = self._inverse() @ new_grouped.mean(axis=0)
        weights = shares[known] / np.bincount(known, minlength=len(self.shares))[known]
        observed = residuals.mean(axis=0)
        rng = np.random.default_rng(seed)
        noise = (
            _signs(rng, draws, len(residuals))
            @ (residuals - observed)
            / np.sqrt(len(residuals) * max(1, len(residuals) - 1))
        )
        noise -= _signs(rng, draws, len(own)) @ (own * weights[:, None])
        drawn = (noise**2).sum(axis=1)
        return float((1 + (drawn >= (observed**2).sum()).sum()) / (draws + 1))

    def _inverse(self) -> Float[np.ndarray[Any, Any], "groups groups"]:
        return np.asarray(np.linalg.pinv(self.means, rcond=1e-3))


def _grouped(
    probabilities: Probabilities, groups: Int[np.ndarray[Any, Any], " labels"], number: int
) -> Float[np.ndarray[Any, Any], "rows groups"]:
    member = np.zeros((len(groups), number))
    member[np.arange(len(groups)), groups] = 1
    return np.asarray(probabilities @ member)


def _signs(rng: np.random.Generator, draws: int, rows: int) -> Float[np.ndarray[Any, Any], "draws rows"]:
    """Random signs (Rademacher's multipliers)."""
    return rng.integers(0, 2, size=(draws, rows)).astype(np.float64) * 2 - 1
