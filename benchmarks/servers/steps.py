"""One step of load: the generator run against a server, and what it showed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.servers.load import BROKEN, LATE, UNSENT, Answers, Plan

TARGET_MS = 200.0  # an answer in time
TARGET_SHARE = 0.99  # of the requests that have to be answered in time: p99
WARM_S = 2.0
NAMES = {BROKEN: "broken off", LATE: "given up", UNSENT: "not sent"}


@dataclass(frozen=True)
class Step:
    """What a server did at one offered load, in the window after the warm-up.

    A request that was refused, failed or given up counts as one that is never answered: quantiles over all requests
    treat its latency as infinite, which is written as None.
    """

    rate_per_s: float  # asked for
    seconds: float
    requests: int
    offered_per_s: float  # as the seed drew them
    p50_ms: float | None
    p99_ms: float | None
    p99_of_answers_ms: float | None
    answers_per_s: float  # good answers that came within the window, however late
    in_time_per_s: float  # requests of the window with a good answer within TARGET_MS
    good_per_s: float  # requests of the window with a good answer before the client gave up
    failures: dict[str, int]
    generator_lag_p99_ms: float
    generator_cpu_share: float
    peak_connections: int
    sent_again: int  # of the whole plan: their kept connection was closed as they left

    @property
    def holds(self) -> bool:
        """99 of 100 requests were answered well within 200 ms."""
        return self.p99_ms is not None and self.p99_ms <= TARGET_MS


def run(plan: Plan, warm_s: float = WARM_S) -> Step:
    """Run a plan in a process of its own.

    Raises:
        RuntimeError: the generator failed.
    """
    command = [sys.executable, "-m", "benchmarks.servers.load"]
    done = subprocess.run(command, input=json.dumps(asdict(plan)), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    return summary(plan, Answers(**json.loads(done.stdout)), warm_s)


def summary(plan: Plan, answers: Answers, warm_s: float) -> Step:
    """The figures of the window from ``warm_s`` to the end of the plan."""
    seconds = plan.duration_s - warm_s
    rows = list(zip(answers.scheduled_s, answers.latency_ms, answers.status, strict=True))
    window = [(latency, status) for scheduled, latency, status in rows if scheduled >= warm_s]
    good = sorted(latency for latency, status in window if status == 200)
    ends = [scheduled + latency / 1000 for scheduled, latency, status in rows if status == 200]
    everything = [*good, *[math.inf] * (len(window) - len(good))]
    failures = Counter(NAMES.get(status, str(status)) for _, status in window if status != 200)
    return Step(
        rate_per_s=plan.rate_per_s,
        seconds=seconds,
        requests=len(window),
        offered_per_s=len(window) / seconds,
        p50_ms=quantile(everything, 0.5),
        p99_ms=quantile(everything, 0.99),
        p99_of_answers_ms=quantile(good, 0.99),
        answers_per_s=sum(warm_s <= end < plan.duration_s for end in ends) / seconds,
        in_time_per_s=sum(one <= TARGET_MS for one in good) / seconds,
        good_per_s=len(good) / seconds,
        failures=dict(failures),
        generator_lag_p99_ms=answers.lag_p99_ms,
        generator_cpu_share=answers.cpu_share,
        peak_connections=answers.peak_connections,
        sent_again=answers.sent_again,
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of them do not exceed; None if that is infinite or there is none.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([1.0, math.inf], 0.99), quantile([], 0.5)
    (2.0, None, None)
    """
    if not ordered:
        return None
    found = ordered[max(0, math.ceil(share * len(ordered)) - 1)]
    return found if math.isfinite(found) else None
