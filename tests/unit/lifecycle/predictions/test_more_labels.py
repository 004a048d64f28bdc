"""What a bundle's own learning curve says of more labels."""

from __future__ import annotations

from typing import Any

import pytest

from bertline.lifecycle.predictions.more_labels import gain_of

ACCURACY = {"value": 0.8, "low": 0.7, "high": 0.9}
CURVE = {"rows": 300, "slope": {"value": -0.5, "low": -0.6, "high": -0.3}}


def test_the_error_falls_along_the_curve() -> None:
    gain = gain_of({"accuracy": ACCURACY, "more_labels": CURVE}, 100)
    assert gain is not None
    assert gain.value == pytest.approx(0.2 * (1 - (4 / 3) ** -0.5))
    assert gain.low < gain.value < gain.high


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"accuracy": ACCURACY},
        {"accuracy": ACCURACY, "more_labels": {"rows": 3}},
        {"accuracy": ACCURACY, "more_labels": {**CURVE, "rows": 0}},
    ],
)
def test_a_bundle_without_one_says_nothing(metrics: dict[str, Any]) -> None:
    assert gain_of(metrics, 100) is None
