"""Games whose shares are known."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from bertline.explanation.methods import balanced, joined, leave_one_out, partition, shapley
from bertline.explanation.sets import TextSets
from bertline.explanation.value import OverBudget, Value
from bertline.explanation.words import Word
from bertline.text import Input

Array = np.ndarray[Any, Any]


def game(words: int, worth: Callable[[set[int]], float], budget: int = 10_000) -> Value:
    """Words are the numbers from 0 on; a text is worth what its numbers are."""
    names = [str(one) for one in range(words)]
    starts = np.cumsum([0, *(len(name) + 1 for name in names)])
    places = [Word(name, 0, int(start), int(start) + len(name)) for name, start in zip(names, starts, strict=False)]

    def scores(inputs: Sequence[Input]) -> Array:
        return np.array([worth({int(one) for one in str(text).split()}) for text in inputs], dtype=np.float64)

    return Value(TextSets(" ".join(names), places, scores), [[place] for place in range(words)], budget=budget)


def negated(there: set[int]) -> float:
    """Words 0 and 1 mean something together, as "not good" does; word 2 by itself; the others nothing."""
    return 1.0 - 3.0 * ({0, 1} <= there) + 0.5 * (2 in there)


def test_shapley_values_of_all_sets_are_exact() -> None:
    found = shapley(game(5, negated))
    np.testing.assert_allclose(found.words, [-1.5, -1.5, 0.5, 0.0, 0.0], atol=1e-12)
    assert (found.base, found.whole, found.errors, found.orders) == (1.0, -1.5, None, 0)


def test_sampled_shapley_values_add_up_and_come_near() -> None:
    value = game(20, lambda there: negated(there) + 0.1 * len(there) ** 1.5, budget=2_000)
    found = shapley(value)
    assert found.words.sum() + found.base == pytest.approx(found.whole, abs=1e-9)
    assert value.computed <= 2_000
    assert found.orders >= 100
    assert found.errors is not None
    exact = shapley(game(12, lambda there: negated(there) + 0.1 * len(there) ** 1.5))
    assert exact.errors is None
    other = shapley(game(12, lambda there: negated(there) + 0.1 * len(there) ** 1.5, budget=600))
    assert other.errors is not None
    assert np.abs(other.words - exact.words).max() < 5 * other.errors.max() + 1e-9


def test_the_same_seed_gives_the_same_shares() -> None:
    same = [shapley(game(15, negated, budget=200), seed=3).words for _ in range(2)]
    np.testing.assert_array_equal(*same)


def test_errors_are_as_large_as_stated() -> None:
    """In 95 % of 60 draws the true share of a word lies within two standard errors, but for chance."""
    hits = 0
    for seed in range(60):
        found = shapley(game(14, lambda there: float(len(there & {0, 1, 2}) ** 2), budget=400), seed=seed)
        assert found.errors is not None
        hits += abs(found.words[0] - 3.0) <= 2 * found.errors[0]
    assert hits >= 48


def test_few_orders_are_drawn_towards_what_words_add_at_the_ends() -> None:
    """The first three words add 8 together: 8/3 each, and 4 at both ends. One order and its reverse are 16/9 off."""

    def off(budget: int) -> tuple[int, float]:
        def worth(there: set[int]) -> float:
            return 8.0 * ({0, 1, 2} <= there) - 8.0 * bool(there & {3, 4, 5})

        found = [shapley(game(30, worth, budget=budget), seed=seed) for seed in range(8)]
        assert [one.words.sum() for one in found] == pytest.approx([0.0] * 8, abs=1e-9)
        return found[0].orders, float(np.mean([np.abs(one.words[:3] - 8 / 3).mean() for one in found]))

    assert off(62) == (0, pytest.approx(4 / 3))
    assert off(150) == (2, pytest.approx(4 / 3))
    orders, many = off(600)
    assert orders > 10
    assert many < 0.6


def test_each_word_is_left_out_once_where_no_more_fits() -> None:
    value = game(20, lambda there: negated(there) + 0.1 * len(there), budget=22)
    found = shapley(value)
    assert (value.computed, found.orders, found.errors) == (22, 0, None)
    assert found.words.sum() + found.base == pytest.approx(found.whole, abs=1e-9)
    lone = leave_one_out(game(20, lambda there: negated(there) + 0.1 * len(there))).words
    np.testing.assert_allclose(found.words - found.words.mean(), lone - lone.mean(), atol=1e-9)


def test_a_tree_divides_exactly_where_the_budget_allows() -> None:
    found = partition(game(4, negated), balanced(range(4)))
    np.testing.assert_allclose(found.words, [-1.5, -1.5, 0.5, 0.0], atol=1e-12)


def test_a_tree_adds_up_whatever_the_budget() -> None:
    for budget in (2, 6, 11, 40):
        value = game(16, lambda there: negated(there) + 0.1 * len(there) ** 1.5, budget=budget)
        found = partition(value, joined([balanced(range(6)), balanced(range(6, 16))]))
        assert found.words.sum() + found.base == pytest.approx(found.whole, abs=1e-9)
        assert value.computed <= budget


def test_leaving_one_out_sees_each_word_alone() -> None:
    found = leave_one_out(game(3, negated))
    np.testing.assert_allclose(found.words, [-3.0, -3.0, 0.5])


@pytest.mark.parametrize("method", [shapley, leave_one_out])
def test_a_budget_that_is_too_small(method: Callable[[Value], object]) -> None:
    with pytest.raises(OverBudget):
        method(game(20, negated, budget=8))


@pytest.mark.parametrize("method", [shapley, leave_one_out])
def test_a_long_text_is_refused_before_its_sets_are_in_memory(method: Callable[[Value], object]) -> None:
    value = game(3_000, lambda there: float(len(there)), budget=200)
    tracemalloc.start()
    with pytest.raises(OverBudget):
        method(value)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 2_000_000, "a flag for each word of each set would be nine million"


def test_one_word_has_everything() -> None:
    for method in (shapley, leave_one_out):
        assert method(game(1, lambda there: float(len(there)), budget=2)).words.tolist() == [1.0]
