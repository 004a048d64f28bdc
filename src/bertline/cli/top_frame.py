"""What ``bertline top`` knows of a server at one refresh, for the screen and as JSON."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

from bertline.monitoring.addresses import MODEL_ROUTES
from bertline.monitoring.metrics.snapshot import Snapshot, increase, increases, quantiles

_ASKED = re.compile(MODEL_ROUTES)


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One version that answers.

    Attributes:
        name: of the model.
        version: of its bundle.
        engine: that computes it.
        ready: whether its process lives and has answered; None where the server does not say.
        texts_per_s: answered, since the refresh before.
        queue_tokens: that wait for the model.
        queue_s: how long the last text in the queue will wait.
        restarts: processes lost since the server began.
    """

    name: str
    version: str
    engine: str
    ready: bool | None
    texts_per_s: float
    queue_tokens: float
    queue_s: float
    restarts: float


@dataclass(frozen=True, slots=True)
class Frame:
    """A server between two readings.

    Attributes:
        release: of bertline.
        ready: whether requests may come.
        since_s: seconds between the readings.
        requests_per_s: of the routes that ask a model.
        texts_per_s: answered.
        in_progress: requests that wait for their answer.
        p50_s: half of the answers took less; None where there were none.
        p99_s: 99 of 100 answers took less.
        padding: share of the computed tokens that were none.
        refusals: by the problem's code, since the reading before.
        refusals_in_all: the same since the server began.
        models: the versions that answer.
    """

    release: str
    ready: bool
    since_s: float
    requests_per_s: float
    texts_per_s: float
    in_progress: float
    p50_s: float | None
    p99_s: float | None
    padding: float | None
    refusals: dict[str, float]
    refusals_in_all: dict[str, float]
    models: tuple[ModelLine, ...]

    @property
    def as_json(self) -> dict[str, Any]:
        """Of plain types."""
        return asdict(self)


def frame_of(before: Snapshot, now: Snapshot) -> Frame:
    """What happened between two readings of one server, and how it stands."""
    since_s = max(now.at_s - before.at_s, 1e-9)
    routes = [route for route in now.by("bertline_http_requests_total", "route") if _ASKED.fullmatch(route)]
    requests = sum(_counted(before, now, "bertline_http_requests_total", route=one, method="POST") for one in routes)
    latency = quantiles(
        before, now, "bertline_http_request_seconds", 0.5, 0.99, labels=[{"route": one} for one in routes]
    )
    p50_s, p99_s = (None if isnan(one) else one for one in latency)
    padded = _counted(before, now, "bertline_computed_tokens_total", kind="padding")
    computed = padded + _counted(before, now, "bertline_computed_tokens_total", kind="real")
    problems = now.by("bertline_problems_total", "code")
    return Frame(
        release=next((labels["version"] for labels, _ in now.series("bertline_build_info")), ""),
        ready=bool(now.total("bertline_ready")),
        since_s=since_s,
        requests_per_s=requests / since_s,
        texts_per_s=_counted(before, now, "bertline_texts_total") / since_s,
        in_progress=now.total("bertline_http_requests_in_progress"),
        p50_s=p50_s,
        p99_s=p99_s,
        padding=padded / computed if computed else None,
        refusals=increases(before.by("bertline_problems_total", "code"), problems),
        refusals_in_all={code: number for code, number in problems.items() if number},
        models=tuple(_models(before, now, since_s)),
    )


def _counted(before: Snapshot, now: Snapshot, name: str, **where: str) -> float:
    return increase(before.total(name, **where), now.total(name, **where))


def _models(before: Snapshot, now: Snapshot, since_s: float) -> list[ModelLine]:
    lines = []
    for labels, _ in now.series("bertline_model_info"):
        name, version = labels["model"], labels["version"]
        ready = now.series("bertline_model_ready", model=name, version=version)
        lines.append(
            ModelLine(
                name=name,
                version=version,
                engine=labels["engine"],
                ready=bool(ready[0][1]) if ready else None,
                texts_per_s=_counted(before, now, "bertline_texts_total", model=name, version=version) / since_s,
                queue_tokens=now.total("bertline_queue_tokens", model=name),
                queue_s=now.total("bertline_queue_seconds", model=name),
                restarts=now.total("bertline_worker_restarts_total", model=name),
            )
        )
    return lines
