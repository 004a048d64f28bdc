"""Linear models of games whose shares are known."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from bertline.explanation.linear import LEAST_WEIGHT, _weights, linear
from bertline.explanation.methods import leave_one_out
from bertline.explanation.value import OverBudget
from tests.unit.explanation.test_methods import game, negated


def probability(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def as_it_is(value: float) -> float:
    return value


def curved(there: set[int]) -> float:
    return 0.2 * len(there) ** 1.5 + negated(there)


@pytest.mark.parametrize("words", [2, 5, 9, 25])
def test_what_is_linear_is_found_exactly(words: int) -> None:
    found = linear(game(words, lambda there: 2.0 + sum(there), budget=200), probability)
    np.testing.assert_allclose(found.words, np.arange(words), atol=1e-9)
    assert (found.base, found.whole) == (2.0, pytest.approx(2.0 + sum(range(words))))


@pytest.mark.parametrize(
    ("words", "budget"), [(1, 2), (2, 4), (6, 70), (6, 20), (20, 22), (20, 30), (20, 300), (80, 200)]
)
def test_shares_add_up_within_the_budget(words: int, budget: int) -> None:
    value = game(words, curved, budget=budget)
    found = linear(value, as_it_is)
    assert found.words.sum() + found.base == pytest.approx(found.whole, abs=1e-9)
    assert value.computed <= budget
    if budget == words + 2:  # all that is known is what leaving each out says
        alone = leave_one_out(game(words, curved, budget=budget)).words
        np.testing.assert_allclose(np.argsort(found.words, kind="stable"), np.argsort(alone, kind="stable"))
        assert found.errors is None


def test_words_that_mean_something_together_share_it() -> None:
    found = linear(game(20, negated, budget=300), as_it_is)
    assert np.argsort(found.words)[:2].tolist() in ([0, 1], [1, 0])
    assert found.words.argmax() == 2
    assert np.abs(found.words[3:]).max() < 0.25


def test_few_words_are_not_sampled() -> None:
    one, other = (linear(game(6, curved, budget=70), probability, seed=seed) for seed in range(2))
    assert one.errors is None
    np.testing.assert_array_equal(one.words, other.words)


def test_the_same_seed_gives_the_same_shares_and_another_one_others_within_the_errors() -> None:
    one, again, other = (linear(game(20, curved, budget=200), as_it_is, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.words, again.words)
    assert one.errors is not None
    assert 0 < np.abs(one.words - other.words).max() < 6 * one.errors.max()


def test_more_answers_make_smaller_errors() -> None:
    few, many = (linear(game(20, curved, budget=budget), as_it_is).errors for budget in (150, 1_500))
    assert few is not None
    assert many is not None
    assert many.mean() < 0.8 * few.mean()  # less than by chance alone: no linear model is right here


def test_a_set_counts_as_the_probability_moves_towards_it() -> None:
    values = np.array([4.0, 0.0, -4.0, 30.0])
    np.testing.assert_allclose(_weights(values, 4.0, as_it_is), 1 + LEAST_WEIGHT)
    slope = probability(4.0) * (1 - probability(4.0))
    moves = np.array([slope, (probability(4.0) - 0.5) / 4, (2 * probability(4.0) - 1) / 8, probability(-4.0) / 26])
    expected = (moves / moves.max()) ** 2 + LEAST_WEIGHT
    np.testing.assert_allclose(_weights(values, 4.0, probability), expected, rtol=1e-3)
    assert expected[2] > 30 * expected[3] > expected[0] / 2  # a label that turns counts, though its log-odds are large
    np.testing.assert_allclose(_weights(np.array([900.0, 800.0]), 1.0, lambda value: 1.0), LEAST_WEIGHT)


def test_a_budget_that_is_too_small() -> None:
    with pytest.raises(OverBudget):
        linear(game(20, negated, budget=21), as_it_is)


def test_a_long_text_is_refused_before_its_sets_are_in_memory() -> None:
    value = game(3_000, lambda there: float(len(there)), budget=200)
    tracemalloc.start()
    with pytest.raises(OverBudget):
        linear(value, as_it_is)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 2_000_000, "a flag for each word of each set would be nine million"
