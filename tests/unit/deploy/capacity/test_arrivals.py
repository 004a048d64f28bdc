"""Requests arrive at the rate that was asked for, by chance or in bursts."""

from __future__ import annotations

import numpy as np
import pytest

from bertline.deploy.capacity.arrivals import Pattern, arrivals

NUMBER = 200_000


def dispersion(times: list[float], window_s: float) -> float:
    """Variance ÷ mean of the counts in windows: 1 for a Poisson process."""
    counts = np.bincount((np.array(times) / window_s).astype(int))[:-1]
    return float(counts.var() / counts.mean())


@pytest.mark.parametrize(("pattern", "within"), [("poisson", 0.01), ("bursty", 0.03)])
def test_the_mean_rate_is_kept(pattern: Pattern, within: float) -> None:
    times = arrivals(100.0, NUMBER, pattern, seed=1)
    assert times == sorted(times)
    assert len(times) / times[-1] == pytest.approx(100.0, rel=within)


def test_only_bursts_are_overdispersed() -> None:
    # Of 2,000 windows, the estimate of 1 has a standard error of √(2/2000) = 0.03.
    assert dispersion(arrivals(100.0, NUMBER, "poisson"), 1.0) == pytest.approx(1.0, abs=0.1)
    assert dispersion(arrivals(100.0, NUMBER, "bursty"), 1.0) > 5
