from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from bertline.optimization.threshold import Chosen, choose_threshold, upper_bound

Array = np.ndarray[Any, Any]
ALLOWED, CONFIDENCE, SECOND_RIGHT = 0.03, 0.9, 0.95


def drawn(rows: int, seed: int) -> tuple[Array, Array, Array]:
    """A first network that is right as often as it says, and a second one that is right 95 times of 100."""
    rng = np.random.default_rng(seed)
    sure = rng.uniform(0.5, 1.0, rows)
    return sure, rng.random(rows) < sure, rng.random(rows) < SECOND_RIGHT


def true_loss(threshold: float) -> float:
    """Chance that a row is kept, wrong, and would have been right: 0.95 · the integral of 2 · (1 − p) from there on."""
    return SECOND_RIGHT * (1 - max(0.5, min(1.0, threshold))) ** 2


def test_the_promise_holds_as_often_as_stated() -> None:
    """400 draws: violations are binomial, so three standard errors above 1 − confidence are a one in 700 chance."""
    draws, rows = 400, 400
    chosen = [choose_threshold(*drawn(rows, seed), allowed=ALLOWED, confidence=CONFIDENCE) for seed in range(draws)]
    promised = [one for one in chosen if one.certified]
    assert len(promised) > 0.95 * draws, "so many rows suffice for a promise"
    violations = sum(true_loss(one.threshold) > ALLOWED for one in promised) / draws
    assert violations <= 1 - CONFIDENCE + 3 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / draws)
    assert np.mean([true_loss(one.threshold) for one in promised]) > ALLOWED / 3, "and what is allowed is used"


def test_a_threshold_that_looks_right_on_the_rows_breaks_it() -> None:
    """So the test above can fail: taking the lowest threshold whose loss on the rows is allowed is no promise."""
    broken = 0
    for seed in range(100):
        sure, first, second = drawn(400, seed)
        lost = (sure[:, None] >= sure[None, :]) & (~first & second)[:, None]
        broken += true_loss(float(sure[lost.mean(axis=0) <= ALLOWED].min())) > ALLOWED
    assert broken > 25


def test_too_few_rows_promise_nothing_and_keep_within_it_on_the_rows() -> None:
    sure, first, second = drawn(30, seed=2)
    chosen = choose_threshold(sure, first, second, allowed=0.01, confidence=0.95)
    assert not chosen.certified
    assert chosen.bound > 0.01
    assert chosen.lost <= 0.01
    assert chosen.threshold <= 1


def test_the_figures_match_the_rows() -> None:
    sure, first, second = drawn(500, seed=3)
    chosen = choose_threshold(sure, first, second, allowed=0.05, confidence=0.9)
    kept = sure >= chosen.threshold
    lost, won = (kept & ~first & second).sum(), (kept & first & ~second).sum()
    assert chosen.certified
    assert chosen.passed_on == pytest.approx(1 - kept.mean())
    assert chosen.lost == pytest.approx((lost - won) / 500)
    assert chosen.bound == pytest.approx(upper_bound(int(lost), 500, 0.9))
    assert chosen.bound <= 0.05


def test_a_first_network_that_is_never_worse_keeps_every_row() -> None:
    sure, _, second = drawn(300, seed=4)
    chosen = choose_threshold(sure, second, second, allowed=0.02, confidence=0.95)
    assert chosen == Chosen(float(sure.min()), 0.0, 0.0, upper_bound(0, 300, 0.95), True)


def test_a_first_network_that_is_always_wrong_passes_every_row_on() -> None:
    sure = np.linspace(0.5, 1.0, 200)
    chosen = choose_threshold(sure, np.zeros(200, bool), np.ones(200, bool), allowed=0.001, confidence=0.95)
    assert chosen.threshold > 1
    assert (chosen.passed_on, chosen.lost, chosen.certified) == (1.0, 0.0, False)


@given(st.integers(1, 400), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_bound_is_the_share_that_makes_so_few_events_unlikely(
    rows: int, data: st.DataObject, confidence: float
) -> None:
    """The definition of Clopper and Pearson's bound, by the binomial distribution itself."""
    events = data.draw(st.integers(0, rows))
    bound = upper_bound(events, rows, confidence)
    assert events / rows <= bound <= 1
    if events < rows:
        assert binom.cdf(events, rows, bound) == pytest.approx(1 - confidence, rel=1e-6)
