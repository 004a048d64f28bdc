"""The fewest replicas that keep a latency."""

from __future__ import annotations

import pytest

from bertline.deploy.capacity.service_times import Knot, ServiceTimes
from bertline.deploy.capacity.sizing import POOL, Load, Sizer

KNOT = Knot(tokens=10, rows=1, one_s=0.01, full_s=0.01, alone_s=0.01)
TIMES = ServiceTimes(
    engine="e", cores=1, batch_tokens=10, knots=(KNOT,), request_s=0.002, batch_s=0.001, transit_s=0.001
)


def sizer(p99_ms: float, times: ServiceTimes = TIMES) -> Sizer:
    return Sizer(times, 1, Load([(10,)], p99_ms, number=200))


def test_the_utilisation_law() -> None:
    """13 ms of a core for each request: 10 for its batch, 3 for the server."""
    assert sizer(100).capacity == pytest.approx(1 / 0.013)
    assert sizer(100).least_ms == pytest.approx(14)


def test_a_tighter_latency_takes_more_replicas() -> None:
    loose, tight = (sizer(p99_ms).replicas(200.0) for p99_ms in (200.0, 30.0))
    assert loose is not None
    assert tight is not None
    assert 200 * 0.013 < loose < tight
    found = sizer(30.0)
    assert found.meets(tight, 200.0)
    assert not found.meets(tight - 1, 200.0)


def test_no_number_of_replicas_is_faster_than_one_text() -> None:
    assert sizer(13.9).replicas(1.0) is None


def test_a_large_pool_is_simulated_by_a_part_of_it() -> None:
    found = sizer(100.0)
    assert found.outcome(4 * POOL, 1200.0) is found.outcome(POOL, 300.0)


def test_a_gpu_leaves_the_cores_to_the_server() -> None:
    gpu = TIMES.model_copy(update={"gpu": True, "lanes": 1})
    assert sizer(100.0, gpu).capacity == pytest.approx(1 / 0.01)
    assert sizer(100.0, gpu).outcome(1, 50.0).busy == pytest.approx(50 * 0.003, rel=0.15)
