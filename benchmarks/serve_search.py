"""How much a server sustains: offered load is stepped up until it no longer keeps its promise, then halved in between.

The promise is p99 ≤ 200 ms over all requests, failed ones counted as never answered. What the bisection ends with has
to hold once more for twice as long with other arrivals, or less is tried. Two low loads are for the picture, and a last
one above all that held saturates the server: capacity is the most good answers per second of any step, in time or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.servers.steps import Step

GROWTH, NEAR = 1.6, 1.04
LEAST_PER_S = 1.0
CONFIRMATIONS = 6
DRAWN = (0.25, 0.5)
OVER = 1.3

Run = Callable[[float, float, int], Step]  # rate per second, seconds, seed


@dataclass(frozen=True)
class Found:
    """The steps in the order they were run; ``sustained_per_s`` is the load that held twice, 0 if none did."""

    steps: list[Step]
    sustained_per_s: float
    capacity_per_s: float

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "steps": [asdict(one) for one in self.steps]}


def search(run: Run, start_per_s: float, seconds: float, *, confirm: bool = True) -> Found:
    """Find what a server sustains, from a guess; without ``confirm``, only about that and not its capacity."""
    steps: list[Step] = []

    def holds(rate: float, seconds: float = seconds, seed: int = 0) -> bool:
        steps.append(run(rate, seconds, seed))
        return steps[-1].holds

    low, high = bracket(holds, max(LEAST_PER_S, start_per_s))
    while low and high / low > NEAR:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if holds(middle) else (low, middle)
    if confirm:
        low, high = confirmed(lambda rate: holds(rate, 2 * seconds, 1), low, high)
        for share in DRAWN:  # for the picture
            holds(share * (low or high))
        holds(OVER * high)
    return Found(steps, low, max(one.answers_per_s for one in steps))


def confirmed(holds: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
    """The highest rate from ``low`` downwards, in growing strides, that holds; 0 if none of a few does."""
    for stride in range(CONFIRMATIONS if low else 0):
        if holds(low):
            return low, high
        low, high = low / NEAR ** (2**stride), low
    return 0.0, high


def bracket(holds: Callable[[float], bool], start_per_s: float) -> tuple[float, float]:
    """A rate that holds, 0 if none above ``LEAST_PER_S`` does, and a higher one that does not."""
    low = high = start_per_s
    if holds(start_per_s):
        while holds(high := low * GROWTH):
            low = high
        return low, high
    while (low := high / GROWTH) >= LEAST_PER_S:
        if holds(low):
            return low, high
        high = low
    return 0.0, high
