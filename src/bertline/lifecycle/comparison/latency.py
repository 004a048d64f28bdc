"""How long two models take for a text: both in turn, one text at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.statistics.intervals import Estimate
from bertline.statistics.paired import median_ratio

MOST_TIMED = 100  # texts, spread over the table

Times = Float[np.ndarray[Any, Any], " texts"]


@dataclass(frozen=True, slots=True)
class Latency:
    """Times of one model for single texts, in milliseconds."""

    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, times_ms: Times) -> Latency:
        """From the time of each text."""
        p50, p99 = np.quantile(times_ms, [0.5, 0.99])
        return cls(float(p50), float(p99))


@dataclass(frozen=True, slots=True)
class Latencies:
    """The times of both models for the same texts, and how many times as long the second takes in the median."""

    texts: int
    first: Latency
    second: Latency
    ratio: Estimate

    @classmethod
    def of(cls, first_ms: Times, second_ms: Times) -> Latencies:
        """From the times of each text."""
        return cls(len(first_ms), Latency.of(first_ms), Latency.of(second_ms), median_ratio(second_ms, first_ms))

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        sides = {"first": asdict(self.first), "second": asdict(self.second)}
        return {"texts": self.texts, **sides, "ratio": self.ratio.to_json()}


def timed_places(rows: int, most: int = MOST_TIMED) -> list[int]:
    """Rows to time, spread over a table of so many.

    >>> timed_places(5, 3), timed_places(2, 3)
    ([0, 2, 4], [0, 1])
    """
    places: list[int] = np.unique(np.linspace(0, rows - 1, min(most, rows)).round().astype(np.int64)).tolist()
    return places
