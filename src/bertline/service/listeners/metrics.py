"""Metrics of the serving core and of HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from bertline.monitoring.metrics.operations import OPERATION
from bertline.monitoring.metrics.registry import Buckets, Metrics, Series
from bertline.service.exchange import METHODS, Exchange
from bertline.service.guard.invalid_token import InvalidToken
from bertline.service.limits.ledger import LimitReached
from bertline.service.listeners.rollouts import RolloutMetrics
from bertline.service.route_table import template_of
from bertline.service.settings import settings_of
from bertline.serving.listeners import Listener
from bertline.serving.problems import Code, Problem
from bertline.serving.scheduler import BatchRecord

if TYPE_CHECKING:
    from bertline.serving.answered import Answered
    from bertline.serving.serving import Serving
    from bertline.serving.version import Version


class _OfModel(NamedTuple):
    """The series of a version and output, looked up once."""

    texts: Series
    single: Series
    batch: Series
    tokenise: Buckets
    queue: Buckets
    compute: Buckets
    text_tokens: Buckets
    cut_tokens: Series
    predicted: dict[str, Series]
    ranked: bool
    confidence: Buckets

    @classmethod
    def of(cls, metrics: Metrics, version: Version, output: str) -> _OfModel:
        """Look them up."""
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
            ranked=bool(predicted) and version.spec.ranked,
            confidence=series("bertline_confidence", **names),
        )

    def count_given(self, given: Sequence[tuple[str, float]]) -> None:
        """Count labels or types with their probabilities."""
        for label, confidence in given:
            self.predicted[label].inc()
            self.confidence.observe(confidence)


class _Batches(NamedTuple):
    """The series of a model's batches, looked up once."""

    texts: Buckets
    tokens: Buckets
    seconds: Buckets
    real: Series
    padding: Series

    @classmethod
    def of(cls, metrics: Metrics, model: str) -> _Batches:
        """Look them up."""
        sizes = (metrics.series(f"bertline_batch_{one}", model=model) for one in ("texts", "tokens", "seconds"))
        kinds = (metrics.series("bertline_computed_tokens", model=model, kind=one) for one in ("real", "padding"))
        return cls(*sizes, *kinds)


class MetricsListener(Listener):
    """Counts the events of the serving core."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self._rollouts = RolloutMetrics(self.metrics)
        self.rolled = self._rollouts.rolled
        self._restarts: dict[str, int] = {}
        self._of_models: dict[tuple[str, str, str], _OfModel] = {}
        self._batches: dict[str, _Batches] = {}
        for code in Code:  # Prometheus sees no increase in a series that begins with its first event
            self.metrics.count("bertline_problems", 0, code=code.value)

    def watch(self, serving: Serving) -> None:
        """Update the gauges of queues and processes whenever the metrics are read."""
        self.metrics.before_reading(lambda: self._update_gauges(serving))

    def computed(self, record: BatchRecord) -> None:
        """Count a batch."""
        model, padding = record.line.model[0], record.padded_tokens - record.tokens
        batches = self._batches.get(model) or self._batches.setdefault(model, _Batches.of(self.metrics, model))
        batches.texts.observe(record.texts)
        batches.tokens.observe(record.padded_tokens)
        batches.seconds.observe(record.compute_s)
        batches.real.inc(record.tokens)
        batches.padding.inc(padding)

    def answered(self, output: str, answered: Answered) -> None:
        """Count an answer and its texts."""
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
            for answer, reading in zip(answered.answers, readings, strict=True):  # made once, for the response too
                if not reading.unread:  # the label of an empty text is meaningless
                    of.count_given(answer.chosen)

    def predicted(self, answered: Answered) -> None:
        """A tagger's answers were made."""
        spec = answered.version.spec
        of = self._series(answered.version, spec.output)
        of.count_given(spec.counted(answered.answers))

    def _series(self, version: Version, output: str) -> _OfModel:
        key = version.name, version.version, output
        if key not in self._of_models:
            self._of_models[key] = _OfModel.of(self.metrics, version, output)
        return self._of_models[key]

    def refused(self, problem: Problem) -> None:
        """Count a problem."""
        self.metrics.count("bertline_problems", 1, code=problem.code.value)
        if isinstance(problem, LimitReached):
            self.metrics.count("bertline_rate_limited", 1, limit=problem.limit)

    def shed(self, route: str, status: int) -> None:
        """Count a POST that was shed, which no middleware sees."""
        self.metrics.count("bertline_http_requests", 1, route=route, method="POST", status=str(status))

    def auth_failed(self, problem: Problem) -> None:
        """Count a request that the guard rejected."""
        reason = problem.check if isinstance(problem, InvalidToken) else problem.code
        self.metrics.count("bertline_auth_failures", 1, reason=reason.value)

    def _update_gauges(self, serving: Serving) -> None:
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
            before = self._restarts.get(version.name, 0)
            self._restarts[version.name] = version.restarts
            self.metrics.count("bertline_worker_restarts", max(0, version.restarts - before), model=version.name)
        self._rollouts.update(serving.models)
        put("bertline_ready", serving.ready)
        put("bertline_lanes", serving.scheduler.lanes)
        put("bertline_cost_per_hour", settings_of(serving).cost_per_hour or 0.0)


class HttpMetrics:
    """Counts responses by route and status, and their durations."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics, self._open = metrics, 0
        self._post_process: dict[str, Buckets] = {}  # by model
        self._responses: dict[tuple[str, str, int], tuple[Series, Buckets]] = {}  # by route, method and status
        metrics.before_reading(lambda: metrics.set("bertline_http_requests_in_progress", self._open))

    def began(self) -> None:
        """A request has begun."""
        self._open += 1

    def started(self, exchange: Exchange) -> None:
        """Its response has begun: post-processing is over."""
        if exchange.answered is not None:
            model = exchange.answered.version.name
            if model not in self._post_process:
                series = self._metrics.series("bertline_phase_seconds", model=model, phase="post-process")
                self._post_process[model] = series
            self._post_process[model].observe(exchange.started_s - exchange.answered_s)

    def ended(self, exchange: Exchange, method: str) -> None:
        """Its response has ended."""
        self._open -= 1
        # The template, ``/v1/models/{name}``: anybody can invent paths.
        route = template_of(exchange.scope.get("route")) or "other"
        key = route, method if method in METHODS else "other", exchange.status
        if key not in self._responses:
            self._responses[key] = self._series(*key)
        responses, seconds = self._responses[key]
        responses.inc()
        seconds.observe(perf_counter() - exchange.began_s)

    def _series(self, route: str, method: str, status: int) -> tuple[Series, Buckets]:
        named = str(status) if status else "client_gone"
        responses: Series = self._metrics.series("bertline_http_requests", route=route, method=method, status=named)
        return responses, self._metrics.series("bertline_http_request_seconds", route=route)
