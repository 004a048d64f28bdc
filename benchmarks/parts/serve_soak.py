"""Does a server's memory grow? Constant load, its resident memory every few seconds, and the slope of that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.servers import steps
from benchmarks.servers.load import Plan
from benchmarks.servers.process import Server

EVERY_S = 5.0
SETTLING_SHARE = 0.2  # of the samples, in which buffers and arenas still fill
BLOCKS = 8


@dataclass(frozen=True)
class Slope:
    """Growth in MB per hour with its 95 % interval."""

    mb_per_hour: float
    low: float
    high: float


def soak(server: Server, plan: Plan) -> dict[str, Any]:
    """Run a plan and watch the memory meanwhile: the step, the samples as (seconds, MB), and their slope."""
    samples: list[tuple[float, float]] = []
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(steps.run, plan)
        while not running.done():
            samples.append((round(time.monotonic() - began, 2), round(server.resident_bytes() / 2**20, 2)))
            time.sleep(EVERY_S)
        step = running.result()
    kept = [one for one in samples if one[0] <= plan.duration_s]
    kept = kept[int(SETTLING_SHARE * len(kept)) :]
    found = slope([at for at, _ in kept], [mb for _, mb in kept])
    return {"step": asdict(step), "samples": samples, "slope": asdict(found) if found else None}


def slope(seconds: Sequence[float], mb: Sequence[float]) -> Slope | None:
    """Least squares through the means of 8 blocks, with Student's t on 6 degrees of freedom; None below 16 samples.

    Memory at one moment resembles that of the moment before, so single samples would claim too much. Measured on 144
    samples of a first-order autoregression: the interval holds the slope 95, 94, 93 and 90 times of 100 where
    neighbours correlate by 0, 0.5, 0.8 and 0.9.
    """
    length = len(seconds) // BLOCKS
    if length < 2:
        return None
    means = [np.asarray(one)[-BLOCKS * length :].reshape(BLOCKS, length).mean(1) for one in (seconds, mb)]
    fit = stats.linregress(means[0] / 3600, means[1])
    value, reach = float(fit.slope), float(stats.t.ppf(0.975, BLOCKS - 2) * fit.stderr)
    return Slope(value, value - reach, value + reach)
