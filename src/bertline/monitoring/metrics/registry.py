"""Every metric of the service in one table, other servers' names for them among it.

``Metrics`` makes them real with prometheus-client, of which this is the only file that imports it. Names follow
Prometheus' rules: base units (seconds, tokens), ``_total`` for counters. Durations end in buckets from a millisecond
to half a minute, a factor of two or so apart; token counts at powers of two.

One process listens and keeps all of them; those that compute report every batch to it over their sockets and keep none.
So prometheus-client's multi-process mode, with its files that outlive a process, is not needed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

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
_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}

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
    Metric(
        "bertline_predicted", "counter", "", "Texts by the most probable label, entities by type.", (*MODEL, "label"),
    ),
    Metric(
        "bertline_confidence", "histogram", "", "Probability of the most probable label, or of an entity.", MODEL,
        CONFIDENCES,
    ),
)  # fmt: skip

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Series:
    """One series of a counter or gauge."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Add to it."""
        self.value += amount


class Buckets:
    """One series of a histogram.

    Args:
        bounds: upper ones, rising.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Put a value in."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bounds as Prometheus writes them, and how many values are at most those."""
        names = [*map(str, self.bounds), "+Inf"]
        return [*zip(names, map(float, accumulate(self.counts)), strict=True)]


class Metrics:
    """The table's metrics, all at zero. They are counted on the event loop, and read there.

    prometheus-client's own take a lock for each event, and several times as long.
    """

    def __init__(self) -> None:
        self._rows = {one.name: one for one in TABLE}
        self._series: dict[str, dict[tuple[str, ...], Any]] = {one.name: {} for one in TABLE}
        self._found: dict[tuple[Any, ...], Any] = {}
        self._before: list[Callable[[], None]] = []
        self._registry = CollectorRegistry()
        for one in TABLE:
            for value in one.start:
                self.count(one.name, 0, **{one.labels[0]: value})
            if not one.labels:
                self.series(one.name)
        self.set("bertline_build_info", 1, version=__version__)
        self._registry.register(_Table(self._families))
        self._registry.register(Aliases(self._families))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def count(self, metric: str, /, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self.series(metric, **labels).inc(amount)

    def observe(self, metric: str, value: float, /, **labels: str) -> None:
        """Put a value in a histogram."""
        self.series(metric, **labels).observe(value)

    def set(self, metric: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self.series(metric, **labels).value = float(value)

    def clear(self, metric: str) -> None:
        """Forget all series of a gauge."""
        self._series[metric].clear()
        self._found = {key: one for key, one in self._found.items() if key[0] != metric}

    def series(self, metric: str, /, **labels: str) -> Any:
        """The series of these labels, ``Buckets`` of a histogram, else a ``Series``; for whoever counts often.

        Raises:
            KeyError: the table has no such metric.
            ValueError: its labels are others.
        """
        key = (metric, *labels.items())
        found = self._found.get(key)
        if found is None:
            row, there = self._rows[metric], self._series[metric]
            if labels.keys() != {*row.labels}:
                raise ValueError(f"the labels of {metric} are {', '.join(row.labels) or 'none'}: see the table")
            values = tuple(str(labels[name]) for name in row.labels)
            made = Buckets(row.buckets) if row.kind == "histogram" else Series()
            found = self._found[key] = there.setdefault(values, made)
        return found

    def _families(self, metric: str) -> Iterable[Family]:
        row = self._rows[metric]
        family: Any = _FAMILIES[row.kind](row.name, row.help, labels=row.labels)
        for values, one in self._series[metric].items():
            if isinstance(one, Buckets):
                family.add_metric(values, one.cumulative(), one.sum)
            else:
                family.add_metric(values, one.value)
        return [family]

    def before_reading(self, call: Callable[[], None]) -> None:
        """Call this each time the metrics are read, to set what is only known then."""
        self._before.append(call)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        for call in self._before:
            call()
        return generate_latest(self._registry)


class _Table(Collector):
    """All of ``TABLE``."""

    def __init__(self, families: Callable[[str], Iterable[Family]]) -> None:
        self._families = families

    def describe(self) -> list[Family]:
        """Nothing: so registering asks for no values."""
        return []

    def collect(self) -> Iterator[Family]:
        """One family a row."""
        return (family for one in TABLE for family in self._families(one.name))


def samples_of(text: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """Name, labels and value of each sample in what a server answers to ``GET /metrics``.

    Raises:
        ValueError: it is not in Prometheus' text format.
    """
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
