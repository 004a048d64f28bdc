"""What the model says of an input without some of its words, as one number for each set of words that stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.explanation.settings import Removal
from bertline.explanation.words import Word, without
from bertline.text import Input

Kept = Bool[np.ndarray[Any, Any], "sets words"]
Values = Float[np.ndarray[Any, Any], " sets"]
Scores = Callable[[Sequence[Input]], Values]


class OverBudget(Exception):
    """More answers of the model would be needed than the budget allows."""


class Value:
    """The value of sets of words; each set is computed once.

    Args:
        one: the input.
        words: its words, or groups of them that stay or go together.
        scores: from inputs to numbers, in one batch.
        removal: how a word is removed.
        mask: the tokenizer's [MASK].
        budget: most inputs to compute.

    Attributes:
        computed: inputs so far.
    """

    def __init__(
        self,
        one: Input,
        words: Sequence[Sequence[Word]],
        scores: Scores,
        *,
        removal: Removal = "delete",
        mask: str = "[MASK]",
        budget: int = 10_000,
    ) -> None:
        self._input, self._scores, self._removal, self._mask = one, scores, removal, mask
        self._groups = words
        flat = sorted(((word, place) for place, group in enumerate(words) for word in group), key=_position)
        self._words, self._group = [word for word, _ in flat], np.array([place for _, place in flat], dtype=np.int64)
        self._known: dict[bytes, float] = {}
        self.budget, self.computed = budget, 0

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def left(self) -> int:
        """Of the budget."""
        return self.budget - self.computed

    def __call__(self, kept: Kept) -> Values:
        """The value of each set.

        Args:
            kept: which words stay, for each set.

        Raises:
            OverBudget: those that are new are more than the budget allows; none was computed.
        """
        keys = [row.tobytes() for row in kept]
        new = {key: row for key, row in zip(keys, kept, strict=True) if key not in self._known}
        if len(new) > self.left:
            raise OverBudget
        if new:
            inputs = [self.input_of(row) for row in new.values()]
            self.computed += len(new)
            self._known.update(zip(new, self._scores(inputs).tolist(), strict=True))
        return np.array([self._known[key] for key in keys])

    def input_of(self, kept: Bool[np.ndarray[Any, Any], " words"]) -> Input:
        """The input of which some words stay."""
        stays = [bool(one) for one in kept[self._group]]
        return without(self._input, self._words, stays, self._removal, self._mask)


def _position(entry: tuple[Word, int]) -> tuple[int, int]:
    word, _ = entry
    return word.side, word.start
