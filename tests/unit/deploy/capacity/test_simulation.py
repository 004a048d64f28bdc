"""The simulation agrees with queueing theory where theory has an answer, and behaves where it has none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bertline.deploy.capacity.arrivals import Pattern, arrivals
from bertline.deploy.capacity.service_times import Knot, ServiceTimes
from bertline.deploy.capacity.simulation import Limits, Outcome, simulate

SERVICE_S = 0.01
NUMBER = 1_500
ALWAYS = (1.0,)
EXPONENTIAL = tuple(-math.log(1 - (rank + 0.5) / 1000) for rank in range(1000))


def times(spread: tuple[float, ...] = ALWAYS, *, batch_tokens: int = 10, request_s: float = 0.0) -> ServiceTimes:
    """An engine that takes 10 ms for a text of 10 tokens, and as much for each further one of a batch."""
    knots = [
        Knot(tokens=10, rows=rows, **dict.fromkeys(("one_s", "full_s", "alone_s"), rows * SERVICE_S)) for rows in (1, 9)
    ]
    return ServiceTimes(
        engine="e", cores=1, batch_tokens=batch_tokens, knots=tuple(knots), spread=spread, request_s=request_s
    )  # fmt: skip


def outcome(
    engine: ServiceTimes, load: float, *, replicas: int = 1, cores: int = 1, pattern: Pattern = "poisson",
    limits: Limits | None = None, number: int = NUMBER,
) -> Outcome:  # fmt: skip
    """At a load given as a share of what all cores can do."""
    rate = load * replicas * cores / SERVICE_S
    arrived = arrivals(rate, number, pattern, seed=5)
    return simulate(
        engine, replicas=replicas, cores=cores, arrivals_s=arrived, requests=[(10,)], limits=limits, seed=7
    )  # fmt: skip


def erlang_c(servers: int, load: float) -> float:
    """The share of requests that wait in M/M/c (Erlang 1917)."""
    offered = servers * load
    last = offered**servers / math.factorial(servers) / (1 - load)
    return last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)


def m_m_c_s(servers: int, load: float) -> float:
    """Mean time in M/M/c."""
    return SERVICE_S + erlang_c(servers, load) * SERVICE_S / (servers * (1 - load))


# The mean of n requests of a queue at load ρ has a relative standard error of about √(2(1 + ρ) / n) / (1 − ρ):
# 7.2 % at 0.4 with n = 1,500. The bounds below are two of them or more.
def test_one_exponential_server_is_m_m_1() -> None:
    found = outcome(times(EXPONENTIAL), 0.4)
    assert found.latency_s.mean() == pytest.approx(SERVICE_S / (1 - 0.4), rel=0.15)
    assert found.quantile_ms(0.99) == pytest.approx(1000 * SERVICE_S / (1 - 0.4) * math.log(100), rel=0.3)
    assert found.busy == pytest.approx(0.4, rel=0.08)
    assert found.per_s == pytest.approx(40, rel=0.08)


def test_one_constant_server_is_m_d_1() -> None:
    found = outcome(times(), 0.4)
    wait_s = SERVICE_S * 0.4 / (2 * (1 - 0.4))  # Pollaczek and Khinchine
    assert found.latency_s.mean() == pytest.approx(SERVICE_S + wait_s, rel=0.1)


def test_four_exponential_servers_are_m_m_4() -> None:
    found = outcome(times(EXPONENTIAL), 0.7, cores=4)
    assert found.latency_s.mean() == pytest.approx(m_m_c_s(4, 0.7), rel=0.12)


@pytest.mark.drill
@pytest.mark.parametrize("cores", [1, 4])
def test_long_runs_are_m_m_c(cores: int) -> None:
    load = 0.8  # one standard error: 4.7 %
    found = outcome(times(EXPONENTIAL), load, cores=cores, number=40_000)
    assert found.latency_s.mean() == pytest.approx(m_m_c_s(cores, load), rel=0.1)


def test_the_servers_own_thread_is_a_queue_too() -> None:
    """Two visits of half a request's time, on one thread with cores to spare."""
    found = outcome(times(request_s=0.02), 0.125, cores=4, number=500)
    assert found.busy == pytest.approx(0.125 * (0.02 + SERVICE_S) / SERVICE_S, rel=0.08)
    assert found.latency_s.min() == pytest.approx(0.02 + SERVICE_S)
    assert found.quantile_ms(0.99) > 1000 * 2 * (0.02 + SERVICE_S)


def test_littles_law() -> None:
    """Requests under way = rate × latency: as many as the busy share of one core and those that wait for it."""
    found = outcome(times(EXPONENTIAL), 0.4, number=500)
    under_way = found.per_s * found.latency_s.mean()
    assert under_way == pytest.approx(0.4 / (1 - 0.4), rel=0.2)


@pytest.mark.parametrize("pattern", ["poisson", "bursty"])
def test_more_replicas_are_never_slower(pattern: Pattern) -> None:
    arrived = arrivals(150.0, 500, pattern, seed=2)
    p99 = [
        simulate(times(EXPONENTIAL), replicas=n, cores=1, arrivals_s=arrived, requests=[(10,)], seed=1).quantile_ms(
            0.99
        )
        for n in (2, 3, 5)
    ]
    assert p99 == sorted(p99, reverse=True)


def test_more_load_is_never_faster() -> None:
    found = [outcome(times(), load, number=500) for load in (0.3, 0.6, 0.9)]
    for share in (0.5, 0.99):
        quantiles = [one.quantile_ms(share) for one in found]
        assert quantiles == sorted(quantiles)


def test_bursts_wait_longer() -> None:
    even, bursts = (outcome(times(), 0.6, pattern=pattern) for pattern in ("poisson", "bursty"))
    assert bursts.quantile_ms(0.99) > 1.3 * even.quantile_ms(0.99)


def test_texts_share_batches_under_load() -> None:
    """Twice as many as one by one, because a batch of four takes as long as one text here."""
    knots = [Knot(tokens=10, rows=rows, **dict.fromkeys(("one_s", "full_s", "alone_s"), SERVICE_S)) for rows in (1, 4)]
    engine = ServiceTimes(engine="e", cores=1, batch_tokens=40, knots=tuple(knots))
    found = outcome(engine, 2.0, number=500)
    assert found.per_s == pytest.approx(200, rel=0.1)
    assert found.texts_per_batch > 2


def test_the_scheduler_refuses_what_would_wait_too_long() -> None:
    found = outcome(times(), 2.0, limits=Limits(max_wait_s=0.1, timeout_s=5.0), number=500)
    assert 0.3 < found.refused < 0.6
    assert found.quantile_ms(0.99) == math.inf
    assert np.isfinite(found.quantile_ms(0.3))


def test_the_same_seed_gives_the_same_latencies() -> None:
    first, second = (outcome(times(EXPONENTIAL), 0.8, number=500) for _ in range(2))
    assert (first.latency_s == second.latency_s).all()
