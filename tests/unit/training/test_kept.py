from __future__ import annotations

import numpy as np
import pytest

from bertline.training.kept import measure_kept

TRUTH = np.zeros(1_000, dtype=np.int64)


def answers(right: range) -> np.ndarray:
    found = np.ones(1_000, dtype=np.int64)
    found[list(right)] = 0
    return found


def test_what_is_kept_is_the_ratio_of_the_accuracies_on_the_same_rows() -> None:
    kept = measure_kept(TRUTH, answers(range(20, 800)), answers(range(800)))
    assert (kept.student.value, kept.teacher.value, kept.agreement.value) == (0.78, 0.8, 0.98)
    assert kept.ratio.value == pytest.approx(0.975)
    assert kept.difference.accuracy.value == pytest.approx(-0.02)
    # 20 rows of 1,000 are lost: their number has a standard deviation of √20, so the ratio one of 0.0056
    assert kept.ratio.low == pytest.approx(0.975 - 1.96 * 0.0056, abs=0.002)
    assert kept.ratio.high == pytest.approx(0.975 + 1.96 * 0.0056, abs=0.002)


def test_of_a_perfect_copy_everything_is_kept_without_doubt() -> None:
    kept = measure_kept(TRUTH, answers(range(700)), answers(range(700)))
    assert (kept.ratio.value, kept.ratio.low, kept.ratio.high) == (1.0, 1.0, 1.0)
    assert kept.agreement.value == 1.0


def test_the_figures_are_json_by_name() -> None:
    said = measure_kept(TRUTH, answers(range(600)), answers(range(700))).to_json()
    assert said.keys() == {"value", "low", "high", "teacher_accuracy", "student_accuracy", "agreement", "difference"}
    assert said["difference"]["only_second"] == 100
