"""Every metric of the service in one table, other servers' names for them among it.

``Metrics`` makes them real with prometheus-client, of which this is the only file that imports it. Names follow
Prometheus' rules: base units (seconds, tokens), ``_total`` for counters. Durations end in buckets from a millisecond
to half a minute, a factor of two or so apart; token counts at powers of two.

One process listens and keeps all of them; those that compute report every batch to it over their sockets and keep none.
So prometheus-client's multi-process mode, with its files that outlive a process, is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from bertline import __version__
from bertline.monitoring.metrics.aliases import Aliases

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TOKENS = tuple(2.0**power for power in range(2, 14))
TEXTS = tuple(2.0**power for power in range(8))
CONFIDENCES = tuple(share / 20 for share in range(1, 21))


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table.

    Attributes:
        name: as Prometheus stores it, without ``_total``.
        kind: what it does.
        unit: of its values, for people; empty for plain counts.
        help: one sentence.
        labels: that tell its series apart.
        buckets: upper bounds, of a histogram.
        start: values of the only label whose series are there from the start, at zero: Prometheus sees no increase in
            a series whose first value is its first event.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    start: tuple[str, ...] = ()


MODEL = ("model", "version")

TABLE: tuple[Metric, ...] = (
    Metric("bertline_http_requests", "counter", "", "Answers by route and status.", ("route", "method", "status")),
    Metric(
        "bertline_http_request_seconds", "histogram", "seconds", "From a request's head to the end of its answer.",
        ("route",), SECONDS,
    ),
    Metric("bertline_http_requests_in_progress", "gauge", "", "Requests that wait for their answer."),
    Metric("bertline_requests", "counter", "", "A model's answers, single or batch.", ("model", "op", "size")),
    Metric("bertline_texts", "counter", "", "Texts that were answered.", (*MODEL, "op")),
    Metric(
        "bertline_phase_seconds", "histogram", "seconds",
        "Where a request's time went: tokenise, queue, compute (of its slowest text), post-process.",
        ("model", "phase"), SECONDS,
    ),
    Metric("bertline_text_tokens", "histogram", "tokens", "Tokens of a text, cut ones included.", ("model",), TOKENS),
    Metric("bertline_cut_tokens", "counter", "tokens", "Tokens that were not read, of texts too long.", MODEL),
    Metric("bertline_batch_texts", "histogram", "", "Texts of a batch.", ("model",), TEXTS),
    Metric("bertline_batch_tokens", "histogram", "tokens", "Padded tokens of a batch.", ("model",), TOKENS),
    Metric("bertline_batch_seconds", "histogram", "seconds", "Time to compute a batch.", ("model",), SECONDS),
    Metric("bertline_computed_tokens", "counter", "tokens", "Tokens computed: real or padding.", ("model", "kind")),
    Metric("bertline_queue_tokens", "gauge", "tokens", "Tokens that wait for the model.", ("model",)),
    Metric("bertline_queue_texts", "gauge", "", "Texts that wait for the model.", ("model",)),
    Metric("bertline_queue_seconds", "gauge", "seconds", "How long the last text in the queue will wait.", ("model",)),
    Metric("bertline_problems", "counter", "", "Requests that got an error, by its code.", ("code",)),
    Metric("bertline_worker_restarts", "counter", "", "Processes that were lost and replaced.", ("model",)),
    Metric("bertline_model_info", "gauge", "", "1 for each model that answers.", (*MODEL, "engine")),
    Metric("bertline_model_ready", "gauge", "", "1 while a model's process lives and has answered.", MODEL),
    Metric("bertline_ready", "gauge", "", "1 while requests may come."),
    Metric("bertline_build_info", "gauge", "", "1, with the version of bertline.", ("version",)),
    Metric(
        "bertline_auth_failures", "counter", "", "Requests whose credential was refused, by the problem's code.",
        ("reason",), start=("unauthenticated", "invalid_credentials", "insufficient_scope"),
    ),
    Metric(
        "bertline_rate_limited", "counter", "", "Requests that a client's limit refused, by the limit.",
        ("limit",), start=("requests", "tokens", "concurrency", "quota"),
    ),
    Metric(
        "bertline_certificate_expiry_timestamp_seconds", "gauge", "seconds",
        "When a certificate in use expires, in Unix time; no series without TLS.", ("certificate",),
    ),
    Metric("bertline_log_lines_dropped", "counter", "", "Log lines that could not be written in time."),
    Metric("bertline_predicted", "counter", "", "Texts by the most probable label.", (*MODEL, "label")),
    Metric(
        "bertline_confidence", "histogram", "", "Probability of the most probable label.", MODEL, CONFIDENCES,
    ),
)  # fmt: skip

Made = TypeVar("Made", Counter, Gauge, Histogram)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

disable_created_metrics()  # type: ignore[no-untyped-call]  # a third of all lines, and nobody asks when a series began


class Metrics:
    """The table's metrics, all at zero, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._found: dict[tuple[Any, ...], Any] = {}
        self._before: list[Callable[[], None]] = []
        for one in TABLE:
            self._make(one)
        self.set("bertline_build_info", 1, version=__version__)
        self._registry.register(Aliases(self._families))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def _make(self, one: Metric) -> None:
        registry = self._registry
        if one.kind == "counter":
            self._counters[one.name] = Counter(one.name, one.help, one.labels, registry=registry)
        elif one.kind == "gauge":
            self._gauges[one.name] = Gauge(one.name, one.help, one.labels, registry=registry)
        else:
            self._histograms[one.name] = Histogram(
                one.name, one.help, one.labels, registry=registry, buckets=one.buckets
            )
        for value in one.start:
            self.count(one.name, 0, **{one.labels[0]: value})

    def _families(self, metric: str) -> Iterable[Family]:
        for made in (self._counters, self._gauges, self._histograms):
            if metric in made:
                return made[metric].collect()
        raise KeyError(metric)

    def count(self, metric: str, /, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._series(self._counters[metric], metric, labels).inc(amount)

    def observe(self, metric: str, value: float, /, **labels: str) -> None:
        """Put a value in a histogram."""
        self._series(self._histograms[metric], metric, labels).observe(value)

    def set(self, metric: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self._series(self._gauges[metric], metric, labels).set(value)

    def clear(self, metric: str) -> None:
        """Forget all series of a gauge."""
        self._gauges[metric].clear()
        self._found = {key: one for key, one in self._found.items() if key[0] != metric}

    def _series(self, made: Made, metric: str, labels: Mapping[str, str]) -> Made:
        """The series of these labels; the library looks for it under a lock, for many times what an increment takes."""
        if not labels:
            return made
        key = (metric, *labels.items())
        found: Made | None = self._found.get(key)
        if found is None:
            found = self._found[key] = made.labels(**labels)
        return found

    def before_reading(self, call: Callable[[], None]) -> None:
        """Call this each time the metrics are read, to set what is only known then."""
        self._before.append(call)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        for call in self._before:
            call()
        return generate_latest(self._registry)


def samples_of(text: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """Name, labels and value of each sample in what a server answers to ``GET /metrics``.

    Raises:
        ValueError: it is not in Prometheus' text format.
    """
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
