from __future__ import annotations

import numpy as np
import pytest

from bertline.statistics.sequential import HORIZON, LEVEL, accuracy_drop, threshold


def stream(labels: int, accuracy: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(labels) < accuracy


def test_false_alarms_are_as_rare_as_stated() -> None:
    """400 streams that the threshold was not simulated from: 1 % and three standard errors."""
    alarms = sum(accuracy_drop(stream(HORIZON, 0.95, 1_000 + seed), 0.95).alarm is not None for seed in range(400))
    assert alarms <= 400 * LEVEL + 3 * (400 * LEVEL * (1 - LEVEL)) ** 0.5


def test_a_drop_is_found_soon_and_dated() -> None:
    """97 % to 92 % after 2,000 labels, 50 times."""
    found = [
        accuracy_drop(np.concatenate([stream(2_000, 0.97, seed), stream(2_000, 0.92, 100 + seed)]), 0.97)
        for seed in range(50)
    ]
    delays = [one.alarm - 2_000 for one in found if one.alarm is not None and one.alarm > 2_000]
    assert len(delays) >= 49
    assert np.median(delays) < 400
    assert np.median([abs(one.since - 2_000) for one in found if one.since is not None]) < 100
    assert np.median([one.after for one in found if one.after is not None]) == pytest.approx(0.92, abs=0.01)


def test_a_stream_that_gets_better_is_no_drop() -> None:
    assert accuracy_drop(stream(4_000, 0.99, 0), 0.95).alarm is None


def test_the_order_in_which_labels_arrive_changes_nothing() -> None:
    """Labels carry the place of their prediction; sorted by it they are the same stream."""
    right = np.concatenate([stream(1_000, 0.97, 0), stream(1_000, 0.9, 1)])
    arrived = np.random.default_rng(2).permutation(2_000)
    again = right[arrived][np.argsort(arrived)]
    assert accuracy_drop(again, 0.97) == accuracy_drop(right, 0.97)


def test_no_labels_and_a_baseline_without_errors() -> None:
    assert accuracy_drop(np.array([], dtype=bool), 0.9).labels == 0
    assert accuracy_drop(np.ones(500, dtype=bool), 1.0).alarm is None
    assert accuracy_drop(np.zeros(50, dtype=bool), 1.0).alarm is not None


def test_a_threshold_is_simulated_once() -> None:
    assert threshold(0.05, 0.05) == threshold(0.05, 0.05)
    assert 8 < threshold(0.05, 0.05) < 11
