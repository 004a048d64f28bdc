"""How much a server sustains: offered load is stepped up until it no longer keeps its promise, then halved in between.

The promise is p99 ≤ 200 ms over all requests, failed ones counted as never answered. The longest texts and the densest
arrivals of a few seconds are chance, and one step more or less makes a sixth of what is found (docs/log.md): so a load
holds if it does in two of three steps with other arrivals. Two low loads are for the picture, and a last one above all
that held saturates the server: capacity is the most good answers per second of any step, in time or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.servers.steps import Step

GROWTH, NEAR = 1.6, 1.04
LEAST_PER_S = 1.0
SEEDS = (0, 1, 2)
DRAWN = (0.25, 0.5)
OVER = 1.3

Run = Callable[[float, float, int], Step]  # rate per second, seconds, seed


@dataclass(frozen=True)
class Found:
    """The steps in the order they were run; ``sustained_per_s`` is the highest load that held, 0 if none did."""

    steps: list[Step]
    sustained_per_s: float
    capacity_per_s: float

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "steps": [asdict(one) for one in self.steps]}


def search(run: Run, start_per_s: float, seconds: float, *, seeds: Sequence[int] = SEEDS, whole: bool = True) -> Found:
    """Find what a server sustains, from a guess.

    Args:
        run: a step of a rate, seconds and seed.
        start_per_s: the guess.
        seconds: of a step.
        seeds: a load holds if most steps with these do; an odd number.
        whole: find its capacity too, and what the picture shows.
    """
    steps: list[Step] = []

    def step(rate: float, seed: int) -> bool:
        steps.append(run(rate, seconds, seed))
        return steps[-1].holds

    def holds(rate: float) -> bool:
        return most(lambda seed: step(rate, seed), seeds)

    low, high = bracket(holds, max(LEAST_PER_S, start_per_s))
    while low and high / low > NEAR:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if holds(middle) else (low, middle)
    if whole:
        for rate in (*(share * (low or high) for share in DRAWN), OVER * high):
            step(rate, seeds[0])
    return Found(steps, low, max(one.answers_per_s for one in steps))


def most(holds: Callable[[int], bool], seeds: Sequence[int]) -> bool:
    """Whether it does for more than half of the seeds; none is asked for once that is clear.

    >>> most(lambda seed: seed != 1, (0, 1, 2)), most(lambda seed: seed == 1, (0, 1, 2))
    (True, False)
    """
    verdicts: list[bool] = []
    while 2 * max(verdicts.count(True), verdicts.count(False)) <= len(seeds):
        verdicts.append(holds(seeds[len(verdicts)]))
    return verdicts.count(True) > verdicts.count(False)


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
