"""Metrics of what the core does and of what HTTP makes of it."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from bertline.monitoring.metrics.operations import OPERATION
from bertline.monitoring.metrics.registry import Metrics
from bertline.service.exchange import METHODS, Exchange
from bertline.service.guard.invalid_token import InvalidToken
from bertline.service.limits.ledger import LimitReached
from bertline.service.route_table import template_of
from bertline.serving.listeners import Listener
from bertline.serving.problems import Code, Problem
from bertline.serving.scheduler import BatchRecord

if TYPE_CHECKING:
    from bertline.serving.answered import Answered
from bertline.serving.serving import Serving


class MetricsListener(Listener):
    """Keeps the metrics of a service."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self._known: dict[str, int] = {}
        for code in Code:  # a series that begins with its first event shows Prometheus no increase
            self.metrics.count("bertline_problems", 0, code=code.value)

    def watch(self, serving: Serving) -> None:
        """Read queues and processes whenever the metrics are read."""
        self.metrics.before_reading(lambda: self._look(serving))

    def computed(self, record: BatchRecord) -> None:
        """A batch was computed."""
        observe, (model, _) = self.metrics.observe, record.line.model
        observe("bertline_batch_texts", record.texts, model=model)
        observe("bertline_batch_tokens", record.padded_tokens, model=model)
        observe("bertline_batch_seconds", record.compute_s, model=model)
        self.metrics.count("bertline_computed_tokens", record.tokens, model=model, kind="real")
        padding = record.padded_tokens - record.tokens
        self.metrics.count("bertline_computed_tokens", padding, model=model, kind="padding")

    def answered(self, output: str, answered: Answered) -> None:
        """A request got its rows."""
        count, observe, version = self.metrics.count, self.metrics.observe, answered.version
        names = {"model": version.name, "version": version.version}
        texts, timing, op = len(answered.readings), answered.timing, OPERATION[output]
        count("bertline_texts", texts, op=op, **names)
        size = "single" if texts == 1 else "batch"
        count("bertline_requests", 1, model=version.name, op=op, size=size)
        for phase, seconds in (
            ("tokenise", timing.tokenise_s),
            ("queue", timing.queue_s),
            ("compute", timing.compute_s),
        ):
            observe("bertline_phase_seconds", seconds, model=version.name, phase=phase)
        for reading in answered.readings:
            observe("bertline_text_tokens", reading.read + reading.cut, model=version.name)
            if reading.cut:
                count("bertline_cut_tokens", reading.cut, **names)
        if output == answered.version.spec.output and answered.version.spec.ranked:
            self._predicted(answered)

    def _predicted(self, answered: Answered) -> None:
        """Labels were given."""
        version = answered.version
        names = {"model": version.name, "version": version.version}
        shares = answered.shares()
        best, confidences = shares.argmax(axis=1).tolist(), shares.max(axis=1).tolist()
        for place, confidence, reading in zip(best, confidences, answered.readings, strict=True):
            if reading.unread:
                continue  # a label of [CLS] and [SEP] says nothing of what is sent here
            self.metrics.count("bertline_predicted", 1, label=version.labels[place], **names)
            self.metrics.observe("bertline_confidence", confidence, **names)

    def refused(self, problem: Problem) -> None:
        """A request got an error."""
        self.metrics.count("bertline_problems", 1, code=problem.code.value)
        if isinstance(problem, LimitReached):
            self.metrics.count("bertline_rate_limited", 1, limit=problem.limit)

    def shed(self, route: str, status: int) -> None:
        """A POST got its response from its head alone, so that no middleware saw it."""
        self.metrics.count("bertline_http_requests", 1, route=route, method="POST", status=str(status))

    def auth_failed(self, problem: Problem) -> None:
        """The guard rejected a request."""
        reason = problem.check if isinstance(problem, InvalidToken) else problem.code
        self.metrics.count("bertline_auth_failures", 1, reason=reason.value)

    def _look(self, serving: Serving) -> None:
        put = self.metrics.set
        self.metrics.clear("bertline_model_info")
        self.metrics.clear("bertline_model_ready")
        for version in serving.models:
            lines = version.lines
            put("bertline_queue_texts", sum(line.queue.texts for line in lines), model=version.name)
            put("bertline_queue_tokens", sum(line.queue.tokens for line in lines), model=version.name)
            wait_s = max((serving.scheduler.expected_wait_s(line) for line in lines), default=0.0)
            put("bertline_queue_seconds", wait_s, model=version.name)
            put("bertline_model_info", 1, model=version.name, version=version.version, engine=version.engine)
            put("bertline_model_ready", version.ready, model=version.name, version=version.version)
            before = self._known.get(version.name, 0)
            self._known[version.name] = version.restarts
            self.metrics.count("bertline_worker_restarts", max(0, version.restarts - before), model=version.name)
        put("bertline_ready", serving.ready)


class HttpMetrics:
    """Responses by route and status, and how long they took."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics, self._open = metrics, 0
        metrics.before_reading(lambda: metrics.set("bertline_http_requests_in_progress", self._open))

    def began(self) -> None:
        """A request."""
        self._open += 1

    def started(self, exchange: Exchange) -> None:
        """Its response: what was from a model's rows to here."""
        if exchange.answered is not None:
            seconds, model = exchange.started_s - exchange.answered_s, exchange.answered.version.name
            self._metrics.observe("bertline_phase_seconds", seconds, model=model, phase="post-process")

    def ended(self, exchange: Exchange, method: str) -> None:
        """Both are over."""
        self._open -= 1
        # The template and not the path, which anybody may make up: ``/v1/models/{name}``.
        route = template_of(exchange.scope.get("route")) or "other"
        status = str(exchange.status) if exchange.status else "client_gone"
        method = method if method in METHODS else "other"
        self._metrics.count("bertline_http_requests", 1, route=route, method=method, status=status)
        self._metrics.observe("bertline_http_request_seconds", perf_counter() - exchange.began_s, route=route)
