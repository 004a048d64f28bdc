"""Metrics of what the core does and of what HTTP makes of it."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from bertline.monitoring.metrics.operations import OPERATION
from bertline.monitoring.metrics.registry import Buckets, Metrics, Series
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
    from bertline.serving.version import Version


class _OfModel(NamedTuple):
    """What is counted for each answer of a version: looked up once."""

    texts: Series
    single: Series
    batch: Series
    tokenise: Buckets
    queue: Buckets
    compute: Buckets
    text_tokens: Buckets
    cut_tokens: Series
    predicted: dict[str, Series]
    ranked: list[Series]
    confidence: Buckets

    @classmethod
    def of(cls, metrics: Metrics, version: Version, output: str) -> _OfModel:
        """Of this version and output."""
        model, op, series = version.name, OPERATION[output], metrics.series
        names = {"model": model, "version": version.version}
        labels = version.spec.names if output == version.spec.output else ()
        predicted = {label: series("bertline_predicted", label=label, **names) for label in labels}
        tokenise, queue, compute = (
            series("bertline_phase_seconds", model=model, phase=one) for one in ("tokenise", "queue", "compute")
        )
        return cls(
            texts=series("bertline_texts", op=op, **names),
            single=series("bertline_requests", model=model, op=op, size="single"),
            batch=series("bertline_requests", model=model, op=op, size="batch"),
            tokenise=tokenise,
            queue=queue,
            compute=compute,
            text_tokens=series("bertline_text_tokens", model=model),
            cut_tokens=series("bertline_cut_tokens", **names),
            predicted=predicted,
            ranked=[*predicted.values()] if version.spec.ranked else [],
            confidence=series("bertline_confidence", **names),
        )


class MetricsListener(Listener):
    """Keeps the metrics of a service."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self._known: dict[str, int] = {}
        self._of_models: dict[tuple[str, str, str], _OfModel] = {}
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
        readings, timing = answered.readings, answered.timing
        of = self._series(answered.version, output)
        of.texts.inc(len(readings))
        (of.single if len(readings) == 1 else of.batch).inc()
        of.tokenise.observe(timing.tokenise_s)
        of.queue.observe(timing.queue_s)
        of.compute.observe(timing.compute_s)
        for reading in readings:
            of.text_tokens.observe(reading.read + reading.cut)
            if reading.cut:
                of.cut_tokens.inc(reading.cut)
        if of.ranked:
            for shares, reading in zip(answered.probabilities(), readings, strict=True):
                if not reading.unread:  # a label of [CLS] and [SEP] says nothing of what is sent here
                    confidence = max(shares)
                    of.ranked[shares.index(confidence)].inc()
                    of.confidence.observe(confidence)

    def predicted(self, answered: Answered) -> None:
        """A tagger's answers were made."""
        spec = answered.version.spec
        of = self._series(answered.version, spec.output)
        for label, confidence in spec.counted(answered.answers):
            of.predicted[label].inc()
            of.confidence.observe(confidence)

    def _series(self, version: Version, output: str) -> _OfModel:
        key = version.name, version.version, output
        if key not in self._of_models:
            self._of_models[key] = _OfModel.of(self.metrics, version, output)
        return self._of_models[key]

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
            self._series(version, version.spec.output)
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
