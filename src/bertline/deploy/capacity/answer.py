"""The plan in words and as JSON: the answer first, then what it assumes."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from typing import Any

from bertline.deploy.capacity.plan import HOURS_PER_MONTH, MEMORY_MARGIN, Option, Plan, replica_mb
from bertline.deploy.capacity.settings import DAY
from bertline.deploy.capacity.simulation import Outcome
from bertline.deploy.capacity.sizing import MOST_BUSY, POOL
from bertline.statistics.figures import percent

BUSY_LOAD = 0.3  # of the cores, by others, from which measurements are doubtful
BUSY = 0.8  # of a replica's load, at which the autoscalers' target is read


def answer(plan: Plan) -> str:
    """The sentence that answers the question."""
    best, asked = plan.best, plan.settings
    fact = f"{best.times.engine}, predicted p99 {best.seen.quantile_ms(0.99):.0f} ms"
    sentence = (
        f"{asked.rps:,g} requests/s under {asked.p99_ms:g} ms p99 take {_count(best.replicas, 'replica')} of "
        f"{_count(best.sizer.cores, 'core')} ({fact})"
    )
    if best.machine is None or plan.prices is None:
        return (
            f"{sentence}: {_count(best.cores, 'core')}, {plan.core_hours(scaled=False):,.0f} core-hours a month, or "
            f"{plan.core_hours(scaled=True):,.0f} if replicas follow the day."
        )
    whole, scaled = (plan.per_month(best, scaled=one) or 0.0 for one in (False, True))
    money = plan.prices.currency
    return (
        f"{sentence} on {best.machines} × {best.machine.name}: {money} {whole:,.0f} a month, or {money} {scaled:,.0f} "
        f"if replicas follow the day ({money} {per_million(plan):,.2f} per million requests)."
    )


def per_million(plan: Plan) -> float:
    """Money for a million requests of the best option, whose replicas follow the day."""
    return 1e6 * (plan.per_month(plan.best, scaled=True) or 0.0) / plan.requests_per_month


def assumptions(plan: Plan) -> Iterator[str]:
    """One sentence for each thing that the answer takes for granted."""
    asked, best = plan.settings, plan.best
    lengths = plan.sample
    yield (
        f"Texts: {lengths.source}, one a request: {lengths.tokens(0.5)} tokens in the median, {lengths.tokens(0.99)} "
        f"at the {percent(0.99, digits=0)} quantile."
    )
    yield (
        f"Measured on {best.times.processor}, {_count(best.times.cores, 'core')}, as CPU time: a core that others use "
        f"too is slower. No authentication, TLS or traces. Memory: {MEMORY_MARGIN:g} × what was held under load."
    )
    if best.times.load > BUSY_LOAD * best.times.cores:
        yield (
            f"Other programs kept {best.times.load:.1f} of {best.times.cores} cores busy before: the times are "
            "uncertain; measure again while the machine is quiet."
        )
    if any(one.extrapolated for one in plan.options):
        yield (
            f"Replicas of more than {_count(best.times.cores, 'core')} are extrapolated (~): each further core is "
            "taken to be as fast as those measured."
        )
    yield (
        f"Simulated: {asked.simulated_requests:,} requests, {_arrivals(plan)}, each to the replica with the fewest "
        f"under way; above {POOL} replicas, {POOL} with their part of the load."
    )
    zones = (
        f"any of {asked.zones} zones may be lost at the asked load"
        if asked.zones > 1
        else "the loss of a zone is not covered (--zones 3)"
    )
    more, busy = percent(asked.headroom, digits=0), percent(MOST_BUSY, digits=0)
    yield f"Sized for {more} more than asked (--headroom), with cores busy at most {busy} of the time; {zones}."
    curve = "an assumed curve (--day gives yours)" if asked.day == DAY else "your curve"
    mean = percent(sum(asked.day) / len(asked.day) / 100, digits=0)
    yield f"Day: {curve}; the mean is {mean} of the peak. A month has {HOURS_PER_MONTH:g} hours."
    if plan.prices is None:
        yield "No prices: give a table of yours with --prices."
    else:
        yield f"Money: {plan.prices.sentence}; machines alone, without traffic, storage or balancers."


def _arrivals(plan: Plan) -> str:
    if plan.settings.arrivals == "poisson":
        bursts = plan.best.sizer.outcome(plan.best.replicas, plan.settings.rps, "bursty").quantile_ms(0.99)
        return f"independent of each other (in bursts of twice the rate, p99 is {_ms(bursts)})"
    return "in bursts of twice the rate for a second at a time"


def to_json(plan: Plan) -> dict[str, Any]:
    """Everything, for programs; ``measured`` is what ``bertline deploy chart --plan`` reads."""
    return {
        "model": plan.model,
        "answer": answer(plan),
        "assumptions": list(assumptions(plan)),
        "question": plan.settings.model_dump(mode="json"),
        "prices": None if plan.prices is None else plan.prices.model_dump(mode="json", exclude={"machine"}),
        "options": [option_json(plan, one) for one in plan.options],
        "day": [
            {"hour": hour, "rps": one.rps, "replicas": one.replicas, "machines": one.machines}
            for hour, one in enumerate(plan.day)
        ],
        "per_month_scaled": plan.per_month(plan.best, scaled=True),
        "per_million_requests": per_million(plan) if plan.prices else None,
        "curve": [{"rps": rate, **_seen(one)} for rate, one in plan.curve],
        "same_load_per_replica": [{"replicas": number, **_seen(one)} for number, one in plan.pools],
        "requests_per_month": round(plan.requests_per_month),
        "core_hours_per_month": {
            "peak": plan.core_hours(scaled=False),
            "scaled": plan.core_hours(scaled=True),
        },
        "measured": chart_json(plan),
        "times": [one.model_dump(mode="json") for one in plan.measured],
        "took_s": round(plan.took_s, 1),
    }


def option_json(plan: Plan, option: Option) -> dict[str, Any]:
    """One option's figures."""
    seen = option.seen
    return {
        "engine": option.times.engine,
        "replicas": option.replicas,
        "replica_cores": option.sizer.cores,
        "cores": option.cores,
        "replica_memory_mb": replica_mb(option.times),
        "memory_mb": option.replicas * replica_mb(option.times),
        "machine": None if option.machine is None else option.machine.name,
        "machines": option.machines,
        "extrapolated": option.extrapolated,
        **_seen(seen),
        "texts_per_batch": round(seen.texts_per_batch, 2),
        "replica_most_rps": round(option.sizer.capacity, 1),
        "per_hour": option.per_hour,
        "per_month": plan.per_month(option, scaled=False),
        "per_million_requests_at_peak": None
        if option.per_hour is None
        else 1e6 * option.per_hour / (3600 * plan.settings.rps),
    }


def _seen(outcome: Outcome) -> dict[str, float | None]:
    """What clients see; null where the server refuses so many that there is no such latency."""
    p50_ms, p99_ms = (outcome.quantile_ms(share) for share in (0.5, 0.99))
    return {
        "p50_ms": round(p50_ms, 2) if math.isfinite(p50_ms) else None,
        "p99_ms": round(p99_ms, 2) if math.isfinite(p99_ms) else None,
        "refused_ratio": round(outcome.refused, 4),
        "answers_per_s": round(outcome.per_s, 1),
        "busy_ratio": round(outcome.busy, 3),
    }


def chart_json(plan: Plan) -> dict[str, Any]:
    """The best replica, for a chart: what it sustains, holds and takes to start."""
    best = plan.best
    sustained = plan.settings.rps * (1 + plan.settings.headroom) / best.replicas
    seen = best.sizer.outcome(best.replicas, BUSY * sustained * best.replicas)
    in_flight = seen.per_s * float(seen.latency_s.mean()) / min(best.replicas, POOL)  # Little's law
    return {
        "throughput_rps": round(sustained, 2),
        "load_s": round(best.times.start_s, 2),
        "memory_bytes": round(best.times.memory_mb * 2**20),
        "threads": best.sizer.cores,
        "engine": best.times.engine,
        "machine": f"{best.times.processor}, {_count(best.times.cores, 'core')}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "in_flight": max(1, round(in_flight)),
    }


def _ms(milliseconds: float) -> str:
    return "beyond the server's limit, so that it refuses" if milliseconds == float("inf") else f"{milliseconds:.0f} ms"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
