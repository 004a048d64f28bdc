from __future__ import annotations

import numpy as np
import pytest

from bertline.statistics.unlabelled import estimate_accuracy


def drawn(rows: int, mean: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences that are calibrated, and whether each answer is right."""
    rng = np.random.default_rng(seed)
    confidence = 1 / (1 + np.exp(-np.abs(rng.normal(mean, 1.5, rows))))
    return confidence, rng.random(rows) < confidence


@pytest.mark.parametrize("mean", [0.0, 1.0, 2.0, 4.0])
def test_the_accuracy_of_harder_and_easier_texts_is_estimated(mean: float) -> None:
    reference, right = drawn(4_000, 2.0, 0)
    new, truth = drawn(2_000, mean, 1)
    found = estimate_accuracy(reference, right, new)
    assert found.reference == right.mean()
    assert found.cbpe == pytest.approx(truth.mean(), abs=0.02)
    assert found.estimate.low <= truth.mean() <= found.estimate.high


def test_overconfidence_is_learned_from_the_reference() -> None:
    """Confidences that promise too much: the calibrated mean is still right."""
    reference, right = drawn(4_000, 1.0, 2)
    new, truth = drawn(4_000, 1.0, 3)
    found = estimate_accuracy(reference**0.25, right, new**0.25)
    assert found.cbpe == pytest.approx(truth.mean(), abs=0.02)


@pytest.mark.drill
def test_the_interval_holds_what_labels_would_show() -> None:
    """In 90 % of 30 windows or more, within two standard errors: the interval also allows for a shift."""
    held = 0
    for seed in range(30):
        reference, right = drawn(400, 2.0, 2 * seed)
        new, truth = drawn(200, 2.0, 2 * seed + 1)
        interval = estimate_accuracy(reference, right, new, seed=seed).estimate
        held += interval.low <= truth.mean() <= interval.high
    assert held >= 24


def test_a_model_that_is_always_or_never_right() -> None:
    confidence = np.linspace(0.5, 0.99, 60)
    for right in (np.ones(60, dtype=bool), np.zeros(60, dtype=bool)):
        found = estimate_accuracy(confidence, right, confidence)
        assert found.estimate.value == pytest.approx(float(right[0]), abs=0.05)
        assert 0 <= found.estimate.low <= found.estimate.high <= 1
        assert set(found.to_json()) == {"level", "value", "low", "high", "reference", "cbpe", "atc", "doc"}
