from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bertline.statistics import sequential
from bertline.statistics.sequential import (
    DROPS,
    HEAD_START,
    HORIZON,
    LEAST_ERROR,
    LEVEL,
    LIMIT,
    SHARES,
    Baseline,
    accuracy_drop,
)

Right = np.ndarray[Any, Any]


def stream(labels: int, accuracy: float, seed: int) -> Right:
    return np.random.default_rng(seed).random(labels) < accuracy


def reference(accuracy: float, rows: int, seed: int) -> Baseline:
    return Baseline(int(np.random.default_rng([seed, rows]).binomial(rows, accuracy)), rows)


@pytest.mark.parametrize(("accuracy", "rows", "streams"), [(0.98, 1_000, 600), (0.95, 60, 200)])
def test_false_alarms_are_as_rare_as_stated(accuracy: float, rows: int, streams: int) -> None:
    """Each stream has a reference of its own. 1 % and three standard errors."""
    alarms = sum(
        accuracy_drop(stream(HORIZON, accuracy, seed), reference(accuracy, rows, seed)).alarm is not None
        for seed in range(streams)
    )
    assert alarms <= streams * LEVEL + 3 * (streams * LEVEL * (1 - LEVEL)) ** 0.5


def by_the_label(right: Right, baseline: Baseline) -> int | None:
    """The same statistic, as it is defined: one label after the other, a ratio for each rate and drop."""
    wrong = baseline.rows - baseline.right
    rates = np.sin(np.linspace(np.arcsin(LEAST_ERROR**0.5), np.arcsin((1 - LEAST_ERROR) ** 0.5), 4_000)) ** 2
    logs = wrong * np.log(rates) + baseline.right * np.log1p(-rates)
    weights = np.exp(logs - logs.max())
    fallen = np.minimum(rates[:, None] + DROPS, 1 - LEAST_ERROR)
    ratios = np.full(fallen.shape, float(HEAD_START))
    for number, one in enumerate(right, 1):
        usual, after = (1 - rates, 1 - fallen) if one else (rates, fallen)
        ratios = np.minimum((ratios + 1) * after / usual[:, None], 1e250)  # of rates that are next to impossible
        weights = weights * usual / (weights * usual).sum()
        if (weights @ ratios) @ SHARES > LIMIT:
            return number
    return None


@pytest.mark.parametrize(("accuracy", "drop", "rows"), [(0.98, 0.1, 1_000), (0.8, 0.4, 100), (0.5, 0.3, 20)])
def test_right_answers_taken_together_and_few_rates_change_nothing(accuracy: float, drop: float, rows: int) -> None:
    for seed in range(5):
        right = np.concatenate([stream(300, accuracy, seed), stream(500, accuracy - drop, 100 + seed)])
        baseline = reference(accuracy, rows, seed)
        found, defined = accuracy_drop(right, baseline).alarm, by_the_label(right, baseline)
        assert found is not None
        assert defined is not None
        assert abs(found - defined) <= 3


def test_a_drop_is_found_soon_and_dated() -> None:
    """97 % to 92 % after 2,000 labels, 50 times."""
    found = [
        accuracy_drop(
            np.concatenate([stream(2_000, 0.97, seed), stream(2_000, 0.92, 100 + seed)]), Baseline(970, 1_000)
        )
        for seed in range(50)
    ]
    delays = [one.alarm - 2_000 for one in found if one.alarm is not None and one.alarm > 2_000]
    assert len(delays) >= 49
    assert np.median(delays) < 450
    assert np.median([abs(one.since - 2_000) for one in found if one.since is not None]) < 100
    assert np.median([one.after for one in found if one.after is not None]) == pytest.approx(0.92, abs=0.01)


@pytest.mark.parametrize(("accuracy", "labels"), [(0.98, 30), (0.9, 40), (0.8, 60)])
def test_a_large_drop_is_found_within_few_labels(accuracy: float, labels: int) -> None:
    """By 40 points after 500 labels: in 25 of 30 streams."""
    found = [
        accuracy_drop(
            np.concatenate([stream(500, accuracy, seed), stream(labels, accuracy - 0.4, 100 + seed)]),
            reference(accuracy, 1_000, seed),
        )
        for seed in range(30)
    ]
    assert sum(one.alarm is not None and one.alarm > 500 for one in found) >= 25
    assert np.median([abs(one.since - 500) for one in found if one.since is not None]) <= 3


def test_a_drop_before_the_first_label_is_found_by_the_reference() -> None:
    """20 points, which the stream alone could not show."""
    for seed in range(20):
        found = accuracy_drop(stream(400, 0.7, seed), Baseline(900, 1_000))
        assert found.alarm is not None
        assert found.since is not None
        assert found.since < 100
        assert found.lasts


def test_few_reference_rows_are_believed_less() -> None:
    """85 % where 95 % were right on the reference: 1,000 rows show it, 20 do not, but a drop within the stream is."""
    low = [stream(1_000, 0.85, seed) for seed in range(10)]
    assert all(accuracy_drop(one, Baseline(950, 1_000)).alarm for one in low)
    assert [accuracy_drop(one, Baseline(19, 20)).alarm for one in low] == [None] * 10
    lower = [np.concatenate([one, stream(500, 0.55, seed)]) for seed, one in enumerate(low)]
    alarms = [accuracy_drop(one, Baseline(19, 20)).alarm for one in lower]
    assert all(one is not None and one > 1_000 for one in alarms)


def test_a_stream_that_gets_better_is_no_drop() -> None:
    assert accuracy_drop(stream(4_000, 0.99, 0), Baseline(950, 1_000)).alarm is None
    risen = np.concatenate([stream(2_000, 0.8, 1), stream(4_000, 0.9, 2)])
    assert accuracy_drop(risen, Baseline(800, 1_000)).alarm is None


def test_what_falls_back_to_what_was_expected_does_not_last() -> None:
    """The stream had been better than the reference."""
    found = accuracy_drop(np.concatenate([stream(3_000, 0.99, 0), stream(3_000, 0.9, 1)]), Baseline(880, 1_000))
    assert found.alarm is not None
    assert not found.lasts


def test_the_order_in_which_labels_arrive_changes_nothing() -> None:
    """Labels carry the place of their prediction; sorted by it they are the same stream."""
    right = np.concatenate([stream(1_000, 0.97, 0), stream(1_000, 0.9, 1)])
    arrived = np.random.default_rng(2).permutation(2_000)
    again = right[arrived][np.argsort(arrived)]
    assert accuracy_drop(again, Baseline(970, 1_000)) == accuracy_drop(right, Baseline(970, 1_000))


def test_later_labels_change_nothing_about_the_alarm() -> None:
    right = np.concatenate([stream(1_000, 0.97, 0), stream(1_000, 0.9, 1), stream(2_000, 0.99, 2)])
    found = [accuracy_drop(right[:labels], Baseline(970, 1_000)) for labels in (2_000, 4_000)]
    assert found[0].alarm == found[1].alarm
    assert found[0].since == found[1].since


def test_next_to_no_labels() -> None:
    sure = Baseline(5_000, 5_000)
    assert accuracy_drop(np.array([], dtype=bool), sure).labels == 0
    assert accuracy_drop(np.zeros(1, dtype=bool), sure).alarm is None  # a label may be wrong
    assert accuracy_drop(np.zeros(2, dtype=bool), Baseline(95, 100)).alarm is None


@pytest.mark.parametrize("rows", [1, 20, 1_000, 1_000_000])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_rates_that_are_0_or_1_for_long_stay_numbers(ratio: float, rows: int) -> None:
    baseline = Baseline(int(ratio * rows), rows)
    with np.errstate(invalid="raise", divide="raise", over="raise"):
        better = np.concatenate([np.ones(200_000, dtype=bool), np.zeros(1, dtype=bool)])
        assert accuracy_drop(better, baseline).alarm is None
        all_wrong = accuracy_drop(np.zeros(3_000, dtype=bool), baseline)
    assert (all_wrong.alarm is None) == (rows == 1 or ratio == 0)


def test_possible_rates_are_those_of_jeffreys_posterior() -> None:
    for baseline in (Baseline(9, 10), Baseline(900, 1_000)):
        rates, weights = sequential._usual(baseline, HORIZON)
        wrong = baseline.rows - baseline.right
        expected = (wrong + 0.5) / (baseline.rows + 1)
        assert float((weights * rates).sum()) == pytest.approx(expected, rel=0.02)
        variance = expected * (1 - expected) / (baseline.rows + 2)
        assert float((weights * (rates - expected) ** 2).sum()) == pytest.approx(variance, rel=0.05)


def test_the_baseline_to_show_is_less_by_its_standard_error() -> None:
    right = np.array([True] * 9 + [False])
    assert Baseline.of(right) == Baseline(9, 10)
    assert accuracy_drop(right, Baseline.of(right)).baseline == pytest.approx(0.9 - (9.5 * 1.5 / 121 / 10) ** 0.5)
    assert 0.95 < Baseline(20, 20).cautious < 0.98
    assert Baseline(0, 20).cautious == 0
