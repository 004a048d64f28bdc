"""The chosen threshold has the highest F1 that any threshold has on the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from bertline.statistics.thresholds import LEAST_POSITIVES, best_threshold

PAIRS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.500001, 0.7, 1.0])), min_size=1, max_size=12
)


@given(PAIRS)
def test_no_threshold_has_a_higher_f1(pairs: list[tuple[bool, float]]) -> None:
    truth, probability = np.array([one for one, _ in pairs]), np.array([one for _, one in pairs])
    chosen = best_threshold(truth, probability, least_positives=1)

    def f1(threshold: float) -> float:
        return float(f1_score(truth, probability >= threshold, zero_division=0))

    best = max(f1(one) for one in (0.5, *probability, *(np.unique(probability) + 1e-9)))
    assert f1(chosen) == pytest.approx(best)
    assert 0 <= chosen <= 1
    if f1(0.5) == pytest.approx(best):
        assert chosen == 0.5


def test_a_label_with_few_positives_keeps_the_half() -> None:
    probability = np.full(100, 0.1)
    probability[:LEAST_POSITIVES] = 0.3
    truth = np.arange(100) < LEAST_POSITIVES
    assert best_threshold(truth, probability) == pytest.approx(0.2)
    truth[0] = False
    assert best_threshold(truth, probability) == 0.5


def test_no_rows_and_no_positives() -> None:
    assert best_threshold(np.zeros(0, dtype=bool), np.zeros(0)) == 0.5
    assert best_threshold(np.zeros(5, dtype=bool), np.full(5, 0.9), least_positives=0) == 0.5


def test_of_equally_good_thresholds_the_one_nearest_the_half_is_taken() -> None:
    truth = np.array([True, True, False, True, False, False])
    probability = np.array([0.48, 0.4, 0.3, 0.2, 0.1, 0.05])
    f1 = {cut: f1_score(truth, probability >= cut) for cut in (0.35, 0.15)}
    assert f1[0.35] < f1[0.15]
    assert best_threshold(truth, probability, least_positives=1) == pytest.approx(0.15)
    equal = best_threshold(np.array([True, False]), np.array([0.3, 0.3]), least_positives=1)
    assert equal == pytest.approx(0.15)
