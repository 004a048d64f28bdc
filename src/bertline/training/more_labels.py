"""What more labels would buy: the learning curve of a linear model on the frozen encoder.

Fine-tuning for each size would take several times as long as the training itself. The linear model takes no time, and
only the slope of its curve is used: the error that falls along it is the trained model's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from bertline.destination import replace_file
from bertline.statistics.as_json import as_json
from bertline.statistics.figures import PERCENT
from bertline.statistics.intervals import Estimate, percentile
from bertline.statistics.power_law import fall, slopes
from bertline.training.ridge import Classes, Features, ridge_answers

HeldOut = Float[np.ndarray[Any, Any], "held_out features"]
Expected = Integer[np.ndarray[Any, Any], " held_out"]
SHARES = (1 / 8, 1 / 4, 1 / 2, 1)
DRAWS = 4  # of each share but the whole
RESAMPLES = 1000
LEAST_ROWS = 80  # to learn from: ten at the smallest share
LEAST_HELD_OUT = 50
MORE = 100
KEPT = "more_labels.json"


@dataclass(frozen=True)
class MoreLabels:
    """A learning curve.

    Attributes:
        rows: with a label that the model was trained on.
        sizes: rows that the linear model learned from.
        accuracy: of it on the validation rows, with so many.
        slope: of the power law through its errors.
    """

    rows: int
    sizes: tuple[int, ...]
    accuracy: tuple[Estimate, ...]
    slope: Estimate

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "rows": self.rows,
            "sizes": list(self.sizes),
            "accuracy": [as_json(one) for one in self.accuracy],
            "slope": as_json(self.slope),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> MoreLabels:
        """From ``to_json``."""
        accuracy, slope = ((Estimate(**one) for one in content["accuracy"]), Estimate(**content["slope"]))
        return cls(content["rows"], tuple(content["sizes"]), tuple(accuracy), slope)

    def fact(self, accuracy: float) -> tuple[str, str]:
        """What they would buy a model of this accuracy, for people."""
        hundred, double = (fall(1 - accuracy, self.rows, more, self.slope) for more in (MORE, self.rows))
        return (
            "More labels",
            f"{MORE} more than the {self.rows:,} rows would raise the accuracy by {_points(hundred)}, twice as many by "
            f"{_points(double)}, along the learning curve of a linear model on the frozen encoder",
        )


def _points(gain: Estimate) -> str:
    return f"{100 * gain.value:.1f} points (95{PERCENT} {100 * gain.low:.1f} to {100 * gain.high:.1f})"


def measure_more_labels(
    features: Features, labels: Classes, held_out: HeldOut, expected: Expected, *, rows: int, seed: int
) -> MoreLabels | None:
    """Measure the curve; None if there are too few rows to tell.

    Args:
        features: of training rows, by the frozen encoder.
        labels: of these, from 0 on.
        held_out: features of the validation rows.
        expected: labels of these.
        rows: with a label that the model is trained on.
        seed: of the draws.
    """
    if len(labels) < LEAST_ROWS or len(expected) < LEAST_HELD_OUT:
        return None
    rng = np.random.default_rng(seed)
    sizes = tuple(round(share * len(labels)) for share in SHARES)
    wrong = np.array([_wrong(features, labels, held_out, expected, size, rng) for size in sizes])
    counts = rng.multinomial(len(expected), np.full(len(expected), 1 / len(expected)), size=RESAMPLES)
    resampled = counts @ wrong.T / len(expected)
    error = wrong.mean(axis=1)
    accuracy = (percentile(float(1 - error[i]), 1 - resampled[:, i]) for i in range(len(sizes)))
    slope = percentile(float(slopes(sizes, error[None])[0]), slopes(sizes, resampled))
    return MoreLabels(rows, sizes, tuple(accuracy), slope)


def keep_more_labels(directory: Path, found: MoreLabels | None) -> None:
    """Write it beside the checkpoints, for a run that is resumed."""
    if found is None:
        return
    directory.mkdir(parents=True, exist_ok=True)
    replace_file(directory / KEPT, json.dumps(found.to_json()).encode())


def kept_more_labels(directory: Path) -> MoreLabels | None:
    """What ``keep_more_labels`` wrote, if it wrote anything."""
    try:
        return MoreLabels.from_json(json.loads((directory / KEPT).read_bytes()))
    except FileNotFoundError:
        return None


def _wrong(
    features: Features, labels: Classes, held_out: HeldOut, expected: Expected, size: int, rng: np.random.Generator
) -> Any:
    """How often each validation row is wrong, over draws of so many training rows."""
    draws = [rng.permutation(len(labels))[:size] for _ in range(1 if size == len(labels) else DRAWS)]
    return np.mean([ridge_answers(features[one], labels[one], held_out) != expected for one in draws], axis=0)
