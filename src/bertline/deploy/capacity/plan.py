"""The plan: the replicas that a load takes, for each engine and size of replica, and the cheapest of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertline.bundle.engine import RESERVED as TORCH
from bertline.bundle.verify import read_manifest
from bertline.deploy.capacity.measure import measure
from bertline.deploy.capacity.prices import Machine, PriceTable, read_measured, read_prices
from bertline.deploy.capacity.sample import Sample, read_sample
from bertline.deploy.capacity.service_times import ServiceTimes
from bertline.deploy.capacity.settings import PlanSettings
from bertline.deploy.capacity.simulation import Limits, Outcome
from bertline.deploy.capacity.sizing import Load, Sizer
from bertline.errors import BertlineError, UsageError
from bertline.machine.gpu import torch_sees_gpu
from bertline.service.settings import ServeSettings
from bertline.statistics.figures import percent

MEMORY_MARGIN = 1.25  # memory that a replica is given, as a multiple of what was measured
HOURS_PER_MONTH = 730.0
CURVE = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)  # of the asked rate
POOLS = (1, 2, 4, 8)  # replicas, at the same load for each

Notify = Callable[[str], None]


class Impossible(BertlineError):
    """No number of replicas meets the latency."""


@dataclass(frozen=True, slots=True)
class Option:
    """One engine on replicas of one size, on one kind of machine.

    Attributes:
        sizer: of this engine and size.
        replicas: at the peak, with headroom and without one zone.
        machine: that they run on; None without prices.
        machines: how many of them.
        seen: what clients see at the peak.
    """

    sizer: Sizer
    replicas: int
    machine: Machine | None
    machines: int
    seen: Outcome

    @property
    def times(self) -> ServiceTimes:
        """Of the engine."""
        return self.sizer.times

    @property
    def cores(self) -> int:
        """Of all replicas."""
        return self.replicas * self.sizer.cores

    @property
    def per_hour(self) -> float | None:
        """Price of the machines, at the peak."""
        return None if self.machine is None else self.machines * self.machine.price_per_hour

    @property
    def extrapolated(self) -> bool:
        """Whether a replica has more cores than the machine that was measured."""
        return self.sizer.cores > self.times.cores

    def machines_for(self, replicas: int) -> int:
        """Machines of this kind that so many replicas take."""
        if self.machine is None:
            return replicas
        return math.ceil(replicas / fitting(self.sizer, self.machine))

    @property
    def rank(self) -> tuple[float, int]:
        """The least is the best: by price, or by cores without prices."""
        return (self.cores if self.per_hour is None else self.per_hour), self.replicas


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of the day: its load and what it takes."""

    rps: float
    replicas: int
    machines: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer and what it follows from.

    Attributes:
        model: name of the bundle.
        settings: the question.
        sample: the texts.
        prices: None without a table.
        measured: of each engine on this machine.
        options: the best first.
        day: of the best option, hour by hour.
        curve: what clients of the best option see at several rates, ascending.
        pools: what they see at the same load for each replica, by number of replicas.
        took_s: of measuring and simulating.
    """

    model: str
    settings: PlanSettings
    sample: Sample
    prices: PriceTable | None
    measured: Sequence[ServiceTimes]
    options: Sequence[Option]
    day: Sequence[Hour]
    curve: Sequence[tuple[float, Outcome]]
    pools: Sequence[tuple[int, Outcome]]
    took_s: float

    @property
    def best(self) -> Option:
        """The option that the answer names."""
        return self.options[0]

    @property
    def requests_per_month(self) -> float:
        """Over all hours of the day."""
        return sum(hour.rps for hour in self.day) / len(self.day) * 3600 * HOURS_PER_MONTH

    def per_month(self, option: Option, *, scaled: bool) -> float | None:
        """Money a month: at the peak all the time, or of the best option scaled hour by hour."""
        if option.per_hour is None or option.machine is None:
            return None
        if not scaled:
            return option.per_hour * HOURS_PER_MONTH
        mean = sum(hour.machines for hour in self.day) / len(self.day)
        return mean * option.machine.price_per_hour * HOURS_PER_MONTH

    def core_hours(self, *, scaled: bool) -> float:
        """Core-hours a month of the best option's replicas."""
        replicas = sum(hour.replicas for hour in self.day) / len(self.day) if scaled else self.best.replicas
        return replicas * self.best.sizer.cores * HOURS_PER_MONTH


def make_plan(bundle: Path, settings: PlanSettings, notify: Notify) -> Plan:
    """Measure, simulate and price.

    Args:
        bundle: its directory.
        settings: the question.
        notify: called with what is done next.

    Raises:
        Impossible: no number of replicas meets the latency.
        BundleError: the bundle cannot be used.
        DataError: the texts cannot be used.
        UsageError: the price table cannot be used, or the bundle has no such engine.
    """
    began_s = time.monotonic()
    prices = None if settings.prices is None else read_prices(settings.prices)
    others = {} if prices is None else _others(prices, settings)
    sample = read_sample(bundle, settings.texts)
    measured = _measured(bundle, sample, settings, notify)
    limits = ServeSettings()
    load = Load(
        sample.requests,
        settings.p99_ms,
        settings.arrivals,
        Limits(limits.max_wait_ms / 1000, limits.request_timeout_ms / 1000),
        settings.simulated_requests,
    )
    options = sorted(_options(measured, others, prices, settings, load, notify), key=lambda one: one.rank)
    if not options:
        raise _impossible(measured, settings, load)
    notify("Simulating a day")
    best = options[0]
    return Plan(
        bundle.resolve().name,
        settings,
        sample,
        prices,
        measured,
        options,
        day=[_hour(best, share, settings) for share in settings.day],
        curve=[(share * settings.rps, best.sizer.outcome(best.replicas, share * settings.rps)) for share in CURVE],
        pools=[(number, best.sizer.outcome(number, settings.rps / best.replicas * number)) for number in POOLS],
        took_s=time.monotonic() - began_s,
    )


def replica_mb(times: ServiceTimes) -> int:
    """Memory to give a replica, in MiB."""
    return max(1, math.ceil(MEMORY_MARGIN * times.memory_mb))


def fitting(sizer: Sizer, machine: Machine) -> int:
    """Replicas that fit onto a machine."""
    if machine.measured is not None:
        return 1
    by_memory = math.floor(1024 * machine.memory_gb / replica_mb(sizer.times))
    return min(machine.cores // sizer.cores, by_memory)


def enough(sizer: Sizer, rate: float, settings: PlanSettings) -> int | None:
    """Replicas for a rate with headroom, of which those outside of any one zone are enough without it."""
    number = sizer.replicas(rate * (1 + settings.headroom))
    if number is None or settings.zones == 1:
        return number
    least = sizer.replicas(rate)
    if least is None:
        return None
    while number - math.ceil(number / settings.zones) < least:
        number += 1
    return number


def _others(prices: PriceTable, settings: PlanSettings) -> dict[str, list[ServiceTimes]]:
    assert settings.prices is not None
    own = [machine for machine in prices.machine if machine.measured is not None]
    return {machine.name: read_measured(settings.prices.parent / str(machine.measured)) for machine in own}


def _measured(bundle: Path, sample: Sample, settings: PlanSettings, notify: Notify) -> Sequence[ServiceTimes]:
    """Measured now, or earlier."""
    if settings.measured is None:
        return measure(bundle, _engines(bundle, sample, settings), sample, settings.measure_s, notify)
    times = read_measured(settings.measured)
    known = [one.engine for one in times]
    for name in settings.engine:
        if name not in known:
            raise UsageError(f"{settings.measured} has no engine {name}: valid names are {', '.join(known)}")
    return [one for one in times if one.engine in (settings.engine or known)]


def _engines(bundle: Path, sample: Sample, settings: PlanSettings) -> Sequence[str]:
    known = read_manifest(bundle).engine_names
    for name in settings.engine:
        if name not in known:
            raise UsageError(f"{bundle} has no engine {name}: valid names are {', '.join(known)}")
    return settings.engine or ([*sample.engines, TORCH] if torch_sees_gpu() else sample.engines)


def _options(
    measured: Sequence[ServiceTimes],
    others: dict[str, list[ServiceTimes]],
    prices: PriceTable | None,
    settings: PlanSettings,
    load: Load,
    notify: Notify,
) -> Iterator[Option]:
    for times in measured:
        for cores in settings.replica_cores if not times.gpu else (times.cores,):
            notify(f"Simulating {times.engine} on replicas of {cores} {'core' if cores == 1 else 'cores'}")
            sizer = Sizer(times, cores, load)
            machines = [None] if prices is None else [one for one in prices.machine if one.measured is None]
            yield from _on(sizer, machines, settings)
    for name, each in others.items():
        assert prices is not None
        machine = next(one for one in prices.machine if one.name == name)
        for times in each:
            notify(f"Simulating {times.engine} on {name}")
            yield from _on(Sizer(times, machine.cores, load), [machine], settings)


def _on(sizer: Sizer, machines: Sequence[Machine | None], settings: PlanSettings) -> Iterator[Option]:
    possible = [one for one in machines if one is None or fitting(sizer, one) > 0]
    replicas = enough(sizer, settings.rps, settings) if possible else None
    if replicas is None:
        return
    seen = sizer.outcome(replicas, settings.rps)
    for machine in possible:
        number = replicas if machine is None else math.ceil(replicas / fitting(sizer, machine))
        yield Option(sizer, replicas, machine, max(number, settings.zones), seen)


def _hour(option: Option, share: float, settings: PlanSettings) -> Hour:
    rate = settings.rps * share / 100
    replicas = settings.zones if rate == 0 else min(option.replicas, enough(option.sizer, rate, settings) or 1)
    replicas = max(replicas, settings.zones)
    return Hour(rate, replicas, max(option.machines_for(replicas), settings.zones))


def _impossible(measured: Sequence[ServiceTimes], settings: PlanSettings, load: Load) -> Impossible:
    sizers = [Sizer(times, cores, load) for times in measured for cores in settings.replica_cores]
    best = min(sizers, key=lambda one: one.least_ms)
    if best.least_ms > settings.p99_ms:
        return Impossible(
            f"no number of replicas answers {percent(0.99, digits=0)} of these texts within {settings.p99_ms:g} ms: on "
            f"an idle replica {best.times.engine}, the fastest engine here, takes {best.least_ms:.1f} ms; ask for more "
            "time, or make the model faster with bertline optimize or distill"
        )
    return Impossible(
        f"no option meets {settings.p99_ms:g} ms on these machines: give machines with more cores or memory, "
        "other --replica-cores, or more time"
    )
