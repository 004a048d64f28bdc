from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bertline.export.quantise import Channels, Range, quantise_rows

WEIGHTS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-100, 100, width=32).filter(lambda one: one == 0 or abs(one) > 2**-60),
)
ROUNDED = 1 + 1e-4  # the division itself is in fp32
bounds = st.floats(-1e4, 1e4).filter(lambda one: one == 0 or abs(one) > 1e-6)


@given(WEIGHTS, st.sampled_from([63, 127]))
def test_no_weight_is_off_by_more_than_half_a_step(weight: np.ndarray[Any, Any], largest: int) -> None:
    quantised, scale = quantise_rows(weight, largest)
    assert quantised.dtype == np.int8
    assert np.abs(quantised).max() <= largest
    error = np.abs(quantised * scale[:, None].astype(np.float64) - weight)
    assert (error <= scale[:, None] / 2 * ROUNDED).all()


@given(WEIGHTS)
def test_the_largest_weight_of_each_row_uses_the_whole_range(weight: np.ndarray[Any, Any]) -> None:
    quantised, _ = quantise_rows(weight)
    used = np.abs(weight).max(axis=1) > 0
    assert (np.abs(quantised).max(axis=1) == np.where(used, 127, 0)).all()


@given(bounds, bounds)
def test_zero_is_a_step_of_every_range_and_its_ends_are_within_half_a_step(one: float, other: float) -> None:
    limits = Range(min(one, other), max(one, other))
    zero = limits.zero_point
    assert zero in range(256), "a whole step, so that zeros stay zeros"
    least, greatest = (-zero * limits.scale, (255 - zero) * limits.scale)
    assert least <= min(limits.low, 0) + limits.scale * 0.501
    assert greatest >= max(limits.high, 0) - limits.scale * 0.501


@pytest.mark.parametrize(("low", "high", "zero"), [(2.0, 5.0, 0), (-5.0, -2.0, 255), (-1.0, 1.0, 128), (0.0, 0.0, 0)])
def test_zero_is_in_every_range(low: float, high: float, zero: int) -> None:
    assert Range(low, high).zero_point == zero
    assert Range(low, high).scale == pytest.approx((max(high, 0) - min(low, 0)) / 255, abs=1e-11)


@given(WEIGHTS, st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_balancing_changes_no_product(weight: np.ndarray[Any, Any], seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(5, weight.shape[1])) * rng.lognormal(0, 2, weight.shape[1])
    seen = Channels(states.min(axis=0), states.max(axis=0))
    divisor = seen.balance(weight, share).astype(np.float64)
    assert (divisor > 0).all()
    product, magnitude = states @ weight.T.astype(np.float64), np.abs(states) @ np.abs(weight.T).astype(np.float64)
    moved = (states / divisor) @ (weight.astype(np.float64) * divisor).T
    assert (np.abs(moved - product) <= 1e-12 * magnitude + 1e-12).all()


def test_balancing_narrows_the_range_that_an_outlier_widens() -> None:
    seen = Channels(np.float32([-1, -100, -1]), np.float32([1, 100, 1]))
    divisor = seen.balance(np.ones((2, 3), dtype=np.float32))
    assert divisor[1] > 10 * divisor[0]
    narrowed = seen.range(divisor)
    assert narrowed.high / np.abs(seen.high / divisor).min() < 3, "an outlier of 100 to 1 is less than 3 to 1"
    assert seen.range() == Range(-100.0, 100.0)


def test_merged_histograms_hold_both_sets_of_observations() -> None:
    first = Channels(np.float32([-1, -2]), np.float32([1, 2]))
    second = Channels(np.float32([-3, 0]), np.float32([0, 5]))
    both = first.merged(second)
    assert (both.low.tolist(), both.high.tolist()) == ([-3, -2], [1, 5])
