"""What is measured of one server, per mode: each function returns the figures as JSON has them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.parts.serve_kept import Kept, Record
from benchmarks.parts.serve_own import offline, predictor, single
from benchmarks.parts.serve_search import Found, Run, search
from benchmarks.parts.serve_soak import soak as watch
from benchmarks.parts.serve_texts import mixed
from benchmarks.servers import environments, steps
from benchmarks.servers.contestants import CONTESTANTS, Contestant, Setting
from benchmarks.servers.load import Plan
from benchmarks.servers.process import Server, ServerError
from bertline.inference.predictor import TextClassifier

CHECKED_TEXTS = 20
START_PER_S = 50.0
TRIAL_SHARE, LEAST_TRIAL_S = 0.4, 2.0  # of a step's length, for choosing a setting
OVERLOAD, OVERLOAD_S, OVERLOAD_LIMIT_S = 10.0, 60.0, 2.0
SOAK_SHARE = 0.8
SETTLE_LIMIT_S, SETTLED = 60.0, 3
LATE_MS, REPEATS = 25.0, 2


@dataclass(frozen=True)
class Bench:
    """What every mode measures with."""

    bundle: Path
    kept: Kept
    seconds: float
    minutes: float

    @cached_property
    def texts(self) -> list[str]:
        """What is asked, in its order."""
        return mixed(self.bundle)

    @cached_property
    def own(self) -> TextClassifier:
        """The engine, in this process."""
        return predictor(self.bundle)

    @cached_property
    def labels(self) -> list[str]:
        """What the first texts are to be answered with."""
        return [one.label for one in self.own.predict(self.texts[:CHECKED_TEXTS])]

    @contextmanager
    def serving(self, contestant: Contestant, setting: Setting) -> Iterator[Server]:
        """A server that gives the first texts the labels that our engine gives them.

        Raises:
            ServerError: it does not.
        """
        with Server(contestant, setting, self.bundle) as server:
            for text, label in zip(self.texts, self.labels, strict=False):
                if (found := server.label(text)) != label:
                    raise ServerError(f"{contestant.name} says {found} and the engine {label} of: {text[:200]}")
            yield server

    def plan(self, server: Server, rate_per_s: float, seconds: float, **more: Any) -> Plan:
        """Load of the mixed texts, with the warm-up before."""
        bodies = [server.contestant.request(text) for text in self.texts]
        return Plan(
            server.port,
            server.contestant.path,
            bodies,
            rate_per_s,
            steps.WARM_S + seconds,
            headers=server.headers,
            **more,
        )

    def run(self, server: Server) -> Run:
        """Steps of load, each on a server that has come to rest; one in which the generator was late is run again."""

        def one(rate_per_s: float, seconds: float, seed: int) -> steps.Step:
            for _ in range(1 + REPEATS):
                settle(server)
                found = steps.run(self.plan(server, rate_per_s, seconds, seed=seed))
                _say(found)
                if found.generator_lag_p99_ms <= LATE_MS:
                    break
            return found

        return one


def settle(server: Server) -> float | None:
    """Seconds until a server that is left alone answers in time again; None if it does not within a minute."""
    began, in_time = time.monotonic(), 0
    body = server.contestant.request("A quiet film.")
    while time.monotonic() - began < SETTLE_LIMIT_S:
        try:
            with server.client() as client:
                status, _, took_ms = client.ask(body)
        except OSError:
            status, took_ms = 0, 0.0
            time.sleep(0.1)
        in_time = in_time + 1 if status == 200 and took_ms <= steps.TARGET_MS else 0
        if in_time == SETTLED:
            return time.monotonic() - began
    return None


def peers(bench: Bench, name: str) -> Record:
    """The best setting, what it sustains, and its capacity."""
    contestant = CONTESTANTS[name]

    def measure() -> Record:
        trials = [_trial(bench, contestant, setting) for setting in contestant.settings]
        best = max(range(len(trials)), key=lambda i: trials[i]["sustained_per_s"])
        start = 0.8 * trials[best]["sustained_per_s"] or START_PER_S
        setting = contestant.settings[best]
        with bench.serving(contestant, setting) as server:
            found: Found = search(bench.run(server), start, bench.seconds)
            return {
                "title": contestant.title,
                "same_engine": contestant.same_engine,
                "versions": environments.versions(contestant.environment, contestant.packages),
                "setting": setting.title,
                "trials": trials,
                "ready_s": round(server.started_s, 2),
                "resident_mb": round(server.resident_bytes() / 2**20, 1),
                "processes": len(server.processes()),
                **found.record(),
            }

    return bench.kept.or_measure("peers", name, measure)


def _trial(bench: Bench, contestant: Contestant, setting: Setting) -> Record:
    """What one setting sustains in short steps. A server that does not even start sustains nothing, and says why."""
    print(f"  {setting.title}", flush=True)
    try:
        with bench.serving(contestant, setting) as server:
            seconds = max(LEAST_TRIAL_S, TRIAL_SHARE * bench.seconds)
            found = search(bench.run(server), START_PER_S, seconds, seeds=(0,), whole=False)
    except ServerError as error:
        print(f"  {error}", flush=True)
        return {"setting": setting.title, "sustained_per_s": 0.0, "error": str(error)}
    return {"setting": setting.title, "sustained_per_s": round(found.sustained_per_s, 1)}


def overhead(bench: Bench, name: str) -> Record:
    """One text at a time, through the server and without it; for our own also the engine's offline throughput."""
    contestant = CONTESTANTS[name]

    def measure() -> Record:
        rates = offline(bench.own, bench.texts) if name == "bertline" else []
        with bench.serving(contestant, _best(bench, contestant)) as server:
            found: Record = single(bench.own, server, bench.texts)
        return {**found, "offline_texts_per_s": rates, "texts": len(bench.texts)}

    found = bench.kept.or_measure("overhead", name, measure)
    rates = found["offline_texts_per_s"]
    said = f", offline {statistics.median(rates):.1f} texts/s" if rates else ""
    print(f"  engine p50 {found['engine_p50_ms']:.2f} ms, server p50 {found['server_p50_ms']:.2f} ms{said}", flush=True)
    return found


def overload(bench: Bench, name: str) -> Record:
    """Ten times the capacity for a while, clients that hang up after two seconds, and how soon it is itself again."""
    contestant = CONTESTANTS[name]
    capacity = _measured(bench, name)["capacity_per_s"]

    def measure() -> Record:
        with bench.serving(contestant, _best(bench, contestant)) as server:
            settle(server)
            plan = bench.plan(server, OVERLOAD * capacity, OVERLOAD_S, limit_s=OVERLOAD_LIMIT_S)
            step = steps.run(plan)
            _say(step)
            recovered_s = settle(server)
        share = step.good_per_s / capacity
        return {"capacity_per_s": capacity, "step": asdict(step), "share": share, "recovered_s": recovered_s}

    return bench.kept.or_measure("overload", name, measure)


def soak(bench: Bench, name: str) -> Record:
    """80 % of what is sustained, for a long time."""
    contestant = CONTESTANTS[name]
    rate = SOAK_SHARE * _measured(bench, name)["sustained_per_s"]
    if not rate:
        raise SystemExit(f"{name} sustains nothing, so there is no load to soak it with: see build/benchmarks/serve")

    def measure() -> Record:
        with bench.serving(contestant, _best(bench, contestant)) as server:
            settle(server)
            found = watch(server, bench.plan(server, rate, 60 * bench.minutes))
        return {"minutes": bench.minutes, "rate_per_s": rate, **found}

    found = bench.kept.or_measure(f"soak{bench.minutes:g}", name, measure)
    _say(steps.Step(**found["step"]))
    print(f"  memory: {found['slope']} MB per hour", flush=True)
    return found


def _measured(bench: Bench, name: str) -> Record:
    found = bench.kept.find("peers", name)
    if found is None:
        raise SystemExit(
            f"the capacity of {name} with steps of {bench.seconds:g} s is not known: "
            f"run --only peers --servers {name} first"
        )
    return found


def _best(bench: Bench, contestant: Contestant) -> Setting:
    """The setting that won among the peers, else the first."""
    found = bench.kept.find("peers", contestant.name)
    return next((one for one in contestant.settings if found and one.title == found["setting"]), contestant.settings[0])


def _say(step: steps.Step) -> None:
    shown = [f"{one:.1f}" if one is not None else "—" for one in (step.p50_ms, step.p99_ms)]
    failed = "".join(f", {count} {name}" for name, count in step.failures.items())
    failed += f", {step.sent_again} sent again" if step.sent_again else ""
    print(
        f"    {step.offered_per_s:.1f}/s offered, {step.answers_per_s:.1f}/s answered, "
        f"{step.in_time_per_s:.1f}/s in time, p50 {shown[0]} ms, p99 {shown[1]} ms{failed} "
        f"(generator: {step.generator_cpu_share:.0%} of a core, late by {step.generator_lag_p99_ms:.1f} ms)",
        flush=True,
    )
