"""What the model says of an input without some of its words, as one number for each set of words that stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.explanation.sets import Sets
from bertline.explanation.settings import Removal

Kept = Bool[np.ndarray[Any, Any], "sets groups"]
Values = Float[np.ndarray[Any, Any], " sets"]


class OverBudget(Exception):
    """More answers of the model would be needed than the budget allows."""


class Value:
    """The value of sets of words, or of groups of words that stay or go together; each set is computed once.

    Args:
        sets: scores any set of words.
        groups: indices of words; those of no group always stay.
        removal: how a word is removed.
        budget: most sets to compute.

    Attributes:
        computed: sets so far.
    """

    def __init__(
        self, sets: Sets, groups: Sequence[Sequence[int]], *, removal: Removal = "delete", budget: int = 10_000
    ) -> None:
        self._sets, self._groups, self._removal = sets, [list(group) for group in groups], removal
        self._known: dict[bytes, float] = {}
        self.budget, self.computed = budget, 0

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def left(self) -> int:
        """Of the budget."""
        return self.budget - self.computed

    def check(self, sets: int) -> None:
        """For sets that are all new: a text of 50,000 words would need gigabytes before it is refused.

        Raises:
            OverBudget: so many are more than the budget allows.
        """
        if sets > self.left:
            raise OverBudget

    def __call__(self, kept: Kept) -> Values:
        """The value of each set.

        Args:
            kept: which groups stay, for each set.

        Raises:
            OverBudget: those that are new are more than the budget allows; none was computed.
        """
        keys = [row.tobytes() for row in kept]
        new = {key: row for key, row in zip(keys, kept, strict=True) if key not in self._known}
        if len(new) > self.left:
            raise OverBudget
        if new:
            self.computed += len(new)
            values = self._sets(self.words_of(np.stack([*new.values()])), self._removal)
            self._known.update(zip(new, values.tolist(), strict=True))
        return np.array([self._known[key] for key in keys])

    def known(self) -> tuple[Kept, Values]:
        """The sets that were computed, and their values."""
        kept = np.stack([np.frombuffer(key, dtype=bool) for key in self._known])
        return kept, np.array([*self._known.values()])

    def words_of(self, kept: Kept) -> Bool[np.ndarray[Any, Any], "sets words"]:
        """Which words stay with the groups that do."""
        words = np.ones((len(kept), len(self._sets.words)), dtype=bool)
        for place, group in enumerate(self._groups):
            words[:, group] = kept[:, place, None]
        return words
