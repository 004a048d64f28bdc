"""The fewest words without which a classifier gives another label.

Single words are all tried, then pairs, those that look best first, as far as the budget goes. The first change that
turns the label is thus one of the fewest words, unless the budget ended before; then more words go one by one, those
with the largest effect first, and come back where the label stays turned without them. The result says how few words
were ruled out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from bertline.explanation.pairs import best_pairs
from bertline.explanation.question import Array
from bertline.explanation.value import Value

AT_ONCE = 32  # pairs that are computed together


def fewest(value: Value) -> tuple[list[int], int]:
    """The words to leave out, and up to how many words every change was tried without success.

    Args:
        value: the margin of each set of words; negative where the label is another.

    Raises:
        OverBudget: not even each word alone could be left out.
    """
    words = len(value)
    alone = value(~np.eye(words, dtype=bool))
    if alone.min() < 0:
        return [int(alone.argmin())], 0
    order = np.argsort(alone, kind="stable")
    pair, all_tried = _pair(value, alone)
    if pair is not None:
        return pair, 1
    return _one_by_one(value, order.tolist()), min(2, words) if all_tried else 1


def without(words: int, gone: Sequence[int]) -> np.ndarray[Any, Any]:
    """Flags of the words that stay."""
    kept = np.ones(words, dtype=bool)
    kept[list(gone)] = False
    return kept


def _pair(value: Value, alone: Array) -> tuple[list[int] | None, bool]:
    """A pair that turns the label, and whether all were tried; a part of the budget is left for longer changes."""
    words = len(value)
    pairs = best_pairs(alone.tolist())
    while some := [*islice(pairs, AT_ONCE)]:
        if value.left < len(some) + 2 * words:
            return None, False
        margins = value(np.stack([without(words, pair) for pair in some]))
        if margins.min() < 0:
            return list(some[int(margins.argmin())]), False
    return None, True


def _one_by_one(value: Value, order: Sequence[int]) -> list[int]:
    """Words left out one after another until the label turns, less those not needed; none if it never turns."""
    words = len(order)
    if value.left < words:
        return []
    prefixes = np.stack([without(words, order[:size]) for size in range(1, words + 1)])
    turned = np.flatnonzero(value(prefixes) < 0)
    gone = list(order[: int(turned[0]) + 1]) if len(turned) else []
    for place in reversed(gone[:-1]):
        fewer = [one for one in gone if one != place]
        if value.left and value(without(words, fewer)[None])[0] < 0:
            gone = fewer
    return gone
