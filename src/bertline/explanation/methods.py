"""Shares of a value for each word: leaving one out, Shapley values by sampled orders, Owen values by a tree.

Those of Shapley and Owen add up to the value of the whole input less that of the empty one, exactly.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.explanation.value import OverBudget, Value

MOST_EXACT = 12  # words: 4,096 sets
MOST_ORDERS = 10_000

PerWord = Float[np.ndarray[Any, Any], " words"]


@dataclass(frozen=True, slots=True)
class Shares:
    """What each word adds.

    Attributes:
        words: for each word; what is not theirs together belongs to no single one (leaving one out is not additive).
        base: the value without any word.
        whole: the value of the input.
        errors: standard error of each; None for a method without chance, or where two orders cannot be compared.
        orders: sampled, of Shapley values.
    """

    words: PerWord
    base: float
    whole: float
    errors: PerWord | None = None
    orders: int = 0


def ends(value: Value) -> tuple[float, float]:
    """The value without any word, and that of all words."""
    base, whole = value(np.stack([np.zeros(len(value), dtype=bool), np.ones(len(value), dtype=bool)]))
    return float(base), float(whole)


def leave_one_out(value: Value) -> Shares:
    """How much the value falls when one word goes: the number of words in answers of the model.

    Raises:
        OverBudget: the budget is too small.
    """
    base, whole = ends(value)
    value.check(len(value) if len(value) > 1 else 0)
    return Shares(whole - value(~np.eye(len(value), dtype=bool)), base, whole)


def shapley(value: Value, *, seed: int = 0) -> Shares:
    """Shapley values: of all sets of words where the budget allows, else by random orders.

    Every order distributes the whole difference, so their mean does (Castro, Gómez & Tejada 2009). An order and its
    reverse (Mitchell et al. 2022) take at most twice as many answers as there are words, less two; as many are drawn as
    the budget allows. Few orders are noisy: their mean is drawn towards ``_at_the_ends``, which has no chance, the
    more the larger their errors are beside the distance of the two (as James & Stein 1961). With more orders the errors
    vanish, and so does that.

    Raises:
        OverBudget: not even each word can be left out once.
    """
    base, whole = ends(value)
    words = len(value)
    if words <= MOST_EXACT and 2**words - 2 <= value.left:
        return Shares(_of_all_sets(value), base, whole)
    near = _at_the_ends(value, base, whole)
    rng, orders = np.random.default_rng(seed), list[PerWord]()
    while value.left > 0 and len(orders) < MOST_ORDERS:
        order = rng.permutation(words).tolist()
        try:
            pair = [_along(value, order), _along(value, order[::-1])]
        except OverBudget:
            break
        orders += pair
    if not orders:
        return Shares(near, base, whole)
    pairs = (np.stack(orders[::2]) + np.stack(orders[1::2])) / 2
    errors = pairs.std(axis=0, ddof=1) / len(pairs) ** 0.5 if len(pairs) > 1 else None
    # An order and its reverse are compared where there is nothing else; they differ more than two pairs.
    squared = np.stack(orders).var(axis=0, ddof=1) / len(orders) if errors is None else errors**2
    mean = pairs.mean(axis=0)
    distance = float(((mean - near) ** 2).mean())
    drawn = min(1.0, float(squared.mean()) / distance) if distance else 1.0
    return Shares(drawn * near + (1 - drawn) * mean, base, whole, errors, orders=len(orders))


def _at_the_ends(value: Value, base: float, whole: float) -> PerWord:
    """What each word adds to all the others, or, where the budget allows, the mean of that and what it adds to none.

    What they lack of the whole difference is spread evenly over them.
    """
    words = len(value)
    value.check(words)
    shares = whole - value(~np.eye(words, dtype=bool))
    if words <= value.left:
        shares = (shares + value(np.eye(words, dtype=bool)) - base) / 2
    return np.asarray(shares + (whole - base - shares.sum()) / words)


def _of_all_sets(value: Value) -> PerWord:
    """What each word adds to every set of the others, weighted by the number of orders in which they come first."""
    words = len(value)
    numbers = np.arange(2**words)
    kept = (numbers[:, None] >> np.arange(words) & 1).astype(bool)
    known, sizes = value(kept), kept.sum(axis=1)
    weights = np.array([math.factorial(k) * math.factorial(words - k - 1) for k in range(words)], dtype=np.float64)
    weights /= math.factorial(words)
    added = np.empty(words)
    for word in range(words):
        others = numbers[~kept[:, word]]
        added[word] = weights[sizes[others]] @ (known[others | 1 << word] - known[others])
    return added


def _along(value: Value, order: Sequence[int]) -> PerWord:
    """What each word adds to those before it in an order."""
    words = len(order)
    kept = np.zeros((words + 1, words), dtype=bool)
    for step, word in enumerate(order, 1):
        kept[step:, word] = True
    added = np.empty(words)
    added[list(order)] = np.diff(value(kept))
    return added


def partition(value: Value, tree: Node) -> Shares:
    """Owen values along a tree of phrases, the largest shares first (as shap's partition explainer; Owen 1977).

    A phrase's share is divided between its two parts by what each adds without the other and to the other. Phrases that
    the budget does not reach divide their share evenly among their words.

    Raises:
        OverBudget: not even the input and the empty one fit.
    """
    base, whole = ends(value)
    shares = np.zeros(len(value))
    number = count()
    context = np.zeros(len(value), dtype=bool)
    queue = [(-abs(whole - base), next(number), tree, whole - base, context, 1.0)]
    while queue:
        _, _, node, share, context, weight = heapq.heappop(queue)
        if node.parts is None:
            shares[list(node.words)] += share / len(node.words)
            continue
        first, second = node.parts
        with_first, with_second, with_both = context.copy(), context.copy(), context.copy()
        with_first[list(first.words)] = with_both[list(first.words)] = True
        with_second[list(second.words)] = with_both[list(second.words)] = True
        try:
            none, one, other, both = value(np.stack([context, with_first, with_second, with_both])) * weight
        except OverBudget:
            shares[list(node.words)] += share / len(node.words)
            continue
        for part, alone, added, beside in (
            (first, one - none, both - other, with_second),
            (second, other - none, both - one, with_first),
        ):
            for own, around in ((alone, context), (added, beside)):
                heapq.heappush(queue, (-abs(own) / 2, next(number), part, own / 2, around, weight / 2))
    return Shares(shares, base, whole)


@dataclass(frozen=True)
class Node:
    """A phrase: the indices of its words, and its two parts, if it has any."""

    words: tuple[int, ...]
    parts: tuple[Node, Node] | None = None


def balanced(words: Sequence[int]) -> Node:
    """A tree that halves a row of words.

    >>> balanced([0, 1, 2]).parts[1].words
    (1, 2)
    """
    if len(words) == 1:
        return Node(tuple(words))
    middle = len(words) // 2
    return Node(tuple(words), (balanced(words[:middle]), balanced(words[middle:])))


def joined(nodes: Sequence[Node]) -> Node:
    """A tree over trees, which stay as they are."""
    if len(nodes) == 1:
        return nodes[0]
    middle = len(nodes) // 2
    first, second = joined(nodes[:middle]), joined(nodes[middle:])
    return Node(first.words + second.words, (first, second))
