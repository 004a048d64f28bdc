"""Probabilities from logits: against the definitions, and at the ends of the range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.statistics.activation import Activation, probabilities, sigmoid, softmax

LOGITS = st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=1, max_size=4).map(np.array)
TEMPERATURES = st.floats(0.05, 20)


@given(logits=LOGITS, temperature=TEMPERATURES)
def test_softmax_is_the_definition(logits: np.ndarray, temperature: float) -> None:
    powers = np.exp(logits / temperature - (logits / temperature).max(axis=1, keepdims=True))
    found = softmax(logits, temperature)
    assert found == pytest.approx(powers / powers.sum(axis=1, keepdims=True), rel=1e-9, abs=1e-300)
    assert found.sum(axis=1) == pytest.approx(1)


@given(logits=LOGITS, temperature=TEMPERATURES)
def test_sigmoid_is_softmax_of_a_label_against_nothing(logits: np.ndarray, temperature: float) -> None:
    against = np.stack([np.zeros(logits.size), logits.ravel()], axis=1)
    assert sigmoid(logits, temperature).ravel() == pytest.approx(softmax(against, temperature)[:, 1], abs=1e-12)


@given(logits=LOGITS, temperature=TEMPERATURES)
def test_the_temperature_changes_no_order(logits: np.ndarray, temperature: float) -> None:
    for activation in ("softmax", "sigmoid"):
        found = probabilities(logits, activation, temperature)
        assert ((found >= 0) & (found <= 1)).all()
        order = np.argsort(logits, axis=1, kind="stable")
        assert (np.diff(np.take_along_axis(found, order, axis=1), axis=1) >= 0).all()


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_no_logit_is_too_large(activation: Activation) -> None:
    found = probabilities(np.array([[1e30, -1e30], [3e4, -3e4]], np.float32), activation)
    assert found == pytest.approx(np.array([[1.0, 0.0], [1.0, 0.0]]))
