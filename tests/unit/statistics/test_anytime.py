"""Rates that are looked at after every few trials: false alarms are counted over whole streams."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bertline.statistics.anytime import Rate, difference, log_above, log_below, log_higher, log_lower

LEVEL = 0.05
STREAMS, HORIZON, EVERY = 200, 2_000, 50
MOST = 0.05 + 3 * math.sqrt(0.05 * 0.95 / STREAMS)  # three standard errors above the level


def ever(p_first: float, p_second: float, margin: float, share: float, seed: int) -> list[int]:
    """After how many trials each stream first had enough evidence of a higher second rate; 0: it never had."""
    rng = np.random.default_rng(seed)
    enough = math.log(1 / LEVEL)
    when = []
    for _ in range(STREAMS):
        first = second = Rate()
        found = 0
        for look in range(EVERY, HORIZON + 1, EVERY):
            seconds = int(rng.binomial(EVERY, share))
            first += Rate(EVERY - seconds, int(rng.binomial(EVERY - seconds, p_first)))
            second += Rate(seconds, int(rng.binomial(seconds, p_second)))
            if log_higher(first, second, margin) >= enough:
                found = look
                break
        when.append(found)
    return when


@pytest.mark.parametrize(
    ("first", "second", "margin", "share"),
    [(0.02, 0.03, 0.01, 0.5), (0.0, 0.01, 0.01, 0.05), (0.2, 0.2, 0.0, 0.25), (0.5, 0.45, -0.05, 0.5)],
)
def test_a_rate_at_the_margin_raises_at_most_the_stated_false_alarms(
    first: float, second: float, margin: float, share: float
) -> None:
    assert sum(map(bool, ever(first, second, margin, share, seed=1))) / STREAMS <= MOST


def test_a_higher_rate_is_found_soon() -> None:
    when = ever(0.01, 0.2, 0.01, 0.5, seed=2)
    assert min(when) > 0
    assert np.median(when) <= 200


def test_evidence_grows_with_equal_trials_in_any_order() -> None:
    parts = [Rate(100, 1), Rate(300, 9), Rate(50, 0)]
    assert sum(parts, Rate()) == sum(reversed(parts), Rate()) == Rate(450, 10)
    assert log_higher(Rate(100, 1), Rate(100, 10), 0.01) < log_higher(Rate(1000, 10), Rate(1000, 100), 0.01)


def test_without_trials_there_is_no_evidence_and_nothing_is_excluded() -> None:
    assert log_higher(Rate(), Rate(), 0.01) == pytest.approx(0, abs=1e-9)
    assert log_lower(Rate(), Rate(100, 0), 0.01) <= 0
    low, high = difference(Rate(), Rate())
    assert low < -0.9
    assert high > 0.9


@pytest.mark.parametrize(("first", "second"), [(Rate(1000, 20), Rate(500, 60)), (Rate(0, 0), Rate(10, 10))])
def test_the_interval_has_the_differences_that_are_not_refuted(first: Rate, second: Rate) -> None:
    low, high = difference(first, second)
    assert low <= second.value - first.value <= high
    enough = -math.log(0.05)
    if low > -0.99:
        assert log_higher(first, second, low - 1e-6) >= enough > log_higher(first, second, low + 1e-6)
    if high < 0.99:
        assert log_lower(first, second, high + 1e-6) >= enough > log_lower(first, second, high - 1e-6)


def test_one_rate_against_a_bound() -> None:
    assert log_above(Rate(200, 100), 0.2) > math.log(1e6)
    assert log_below(Rate(200, 4), 0.2) > math.log(1e6)
    assert log_above(Rate(200, 40), 0.2) < 0
    assert log_above(Rate(200, 4), 0.2) < 0
    assert log_below(Rate(200, 100), 0.2) < 0
    assert log_below(Rate(200, 40), 0.2) < 0
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(100):
        hits = np.cumsum(rng.random(1000) < 0.2)
        alarms += any(log_above(Rate(n, int(hits[n - 1])), 0.2) >= math.log(1 / LEVEL) for n in range(20, 1001, 20))
    assert alarms <= 100 * (0.05 + 3 * math.sqrt(0.05 * 0.95 / 100))
