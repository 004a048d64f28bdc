"""Times at which requests arrive: by chance at a steady rate, or in bursts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Literal

Pattern = Literal["poisson", "bursty"]

BURST_RATE = 2.0  # of the mean rate, during a burst
BURST_S, BURST_SHARE = 1.0, 0.1  # mean length of a burst; share of time in bursts


def arrivals(rate_per_s: float, number: int, pattern: Pattern = "poisson", seed: int = 0) -> list[float]:
    """The times of so many requests, in seconds, ascending.

    Args:
        rate_per_s: mean rate.
        number: of requests.
        pattern: poisson: independent of each other. bursty: the rate doubles for a second at a time, a tenth of the
            time (a Markov-modulated Poisson process), with the same mean.
        seed: of the generator.
    """
    rng = random.Random(seed)
    times = _poisson(rate_per_s, rng) if pattern == "poisson" else _bursty(rate_per_s, rng)
    return list(islice(times, number))


def _poisson(rate_per_s: float, rng: random.Random) -> Iterator[float]:
    now_s = 0.0
    while True:
        now_s += rng.expovariate(rate_per_s)
        yield now_s


def _bursty(rate_per_s: float, rng: random.Random) -> Iterator[float]:
    calm = rate_per_s * (1 - BURST_RATE * BURST_SHARE) / (1 - BURST_SHARE)
    states = ((calm, BURST_S * (1 - BURST_SHARE) / BURST_SHARE), (BURST_RATE * rate_per_s, BURST_S))
    now_s, state = 0.0, 0
    until_s = rng.expovariate(1 / states[state][1])
    while True:
        gap_s = rng.expovariate(states[state][0])
        if now_s + gap_s < until_s:
            now_s += gap_s
            yield now_s
        else:  # gaps have no memory, so the next state draws a new one
            now_s, state = until_s, 1 - state
            until_s = now_s + rng.expovariate(1 / states[state][1])
