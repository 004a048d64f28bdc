"""The table of all metrics, and their values.

Names follow Prometheus' rules: base units (seconds, tokens), ``_total`` for counters. Buckets of durations range from a
millisecond to half a minute, about a factor of two apart; those of token counts are powers of two.

One process listens and has all metrics; the workers report every batch to it over their sockets. So prometheus-client's
multi-process mode, with its files that outlive a process, is not needed.
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
    """One row of the table."""

    name: str  # without ``_total``
    kind: Literal["counter", "gauge", "histogram"]
    unit: str  # empty for plain counts
    help: str  # one sentence
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()  # upper bounds of a histogram
    # Values of the only label whose series exist from the start, at zero: Prometheus sees no increase in a series whose
    # first value is its first event.
    start: tuple[str, ...] = ()


MODEL = ("model", "version")
_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}

TABLE: tuple[Metric, ...] = (
    Metric("bertline_http_requests", "counter", "", "Responses by route and status.", ("route", "method", "status")),
    Metric(
        "bertline_http_request_seconds", "histogram", "seconds", "From the request's head to the end of the response.",
        ("route",), SECONDS,
    ),
    Metric("bertline_http_requests_in_progress", "gauge", "", "Requests in progress."),
    Metric("bertline_requests", "counter", "", "Answers of a model, to one text or several.", ("model", "op", "size")),
    Metric("bertline_texts", "counter", "", "Answered texts.", (*MODEL, "op")),
    Metric(
        "bertline_phase_seconds", "histogram", "seconds",
        "Time of a request by phase: tokenise, queue, compute (of its slowest text), post-process.",
        ("model", "phase"), SECONDS,
    ),
    Metric("bertline_text_tokens", "histogram", "tokens", "Tokens of a text, including cut ones.", ("model",), TOKENS),
    Metric("bertline_cut_tokens", "counter", "tokens", "Tokens cut off texts that were too long.", MODEL),
    Metric("bertline_batch_texts", "histogram", "", "Texts per batch.", ("model",), TEXTS),
    Metric("bertline_batch_tokens", "histogram", "tokens", "Tokens per batch, including padding.", ("model",), TOKENS),
    Metric("bertline_batch_seconds", "histogram", "seconds", "Time to compute a batch.", ("model",), SECONDS),
    Metric("bertline_computed_tokens", "counter", "tokens", "Computed tokens, real or padding.", ("model", "kind")),
    Metric("bertline_queue_tokens", "gauge", "tokens", "Tokens in the queue.", ("model",)),
    Metric("bertline_queue_texts", "gauge", "", "Texts in the queue.", ("model",)),
    Metric("bertline_queue_seconds", "gauge", "seconds", "Expected wait of the last text in the queue.", ("model",)),
    Metric("bertline_lanes", "gauge", "", "Batches that the server can compute at a time, over all models."),
    Metric("bertline_cost_per_hour", "gauge", "", "Price of the server per hour (--cost-per-hour); 0: none was given."),
    Metric("bertline_problems", "counter", "", "Requests that failed, by error code.", ("code",)),
    Metric("bertline_worker_restarts", "counter", "", "Worker processes that were lost and replaced.", ("model",)),
    Metric("bertline_model_info", "gauge", "", "1 for each served model.", (*MODEL, "engine")),
    Metric("bertline_model_ready", "gauge", "", "1 while a model's worker runs and has answered.", MODEL),
    Metric(
        "bertline_rollout_share", "gauge", "",
        "Share of the clients whom the challenger of a rollout answers; role is none without a rollout.",
        ("model", "role"),
    ),
    Metric(
        "bertline_rollout_requests", "counter", "",
        "Requests of both versions of a rollout, by outcome: answered, slow, failed.", ("model", "arm", "outcome"),
    ),
    Metric(
        "bertline_rollout_compared", "counter", "",
        "Requests that both versions of a rollout computed, by outcome: same, different; or dropped.",
        ("model", "outcome"),
    ),
    Metric(
        "bertline_rollouts_ended", "counter", "",
        "Rollouts that this server ended, by outcome: promoted, passed, rolled_back.", ("model", "outcome"),
    ),
    Metric(
        "bertline_registry_followed_timestamp_seconds", "gauge", "seconds",
        "When the server last followed a model's alias, and its rollout, in the registry without a fault.",
        ("model", "what"),
    ),
    Metric("bertline_ready", "gauge", "", "1 while the server is ready for requests."),
    Metric("bertline_build_info", "gauge", "", "1, with the version of bertline.", ("version",)),
    Metric(
        "bertline_auth_failures", "counter", "", "Requests with a rejected credential, by reason.",
        ("reason",), start=("unauthenticated", "invalid_credentials", "insufficient_scope"),
    ),
    Metric(
        "bertline_rate_limited", "counter", "", "Requests rejected by a client's limit, by limit.",
        ("limit",), start=("requests", "tokens", "concurrency", "quota"),
    ),
    Metric(
        "bertline_certificate_expiry_timestamp_seconds", "gauge", "seconds",
        "Expiry of a certificate in use, in Unix time; no series without TLS.", ("certificate",),
    ),
    Metric("bertline_log_lines_dropped", "counter", "", "Log lines that could not be written."),
    Metric(
        "bertline_predicted", "counter", "", "Labels given to texts, by label; entities, by type.", (*MODEL, "label"),
    ),
    Metric(
        "bertline_confidence", "histogram", "", "Probability of each label given, and of each entity.", MODEL,
        CONFIDENCES,
    ),
    Metric("bertline_predictions_written", "counter", "", "Predictions written to their store."),
    Metric("bertline_predictions_dropped", "counter", "", "Predictions that were not kept."),
    Metric("bertline_predictions_waiting", "gauge", "", "Predictions that wait to be written."),
    Metric("bertline_predictions_store_down", "gauge", "", "1 while the store of predictions cannot be used."),
    Metric(
        "bertline_predictions_upkeep_timestamp_seconds", "gauge", "seconds",
        "When each regular work on the store of predictions was last done.", ("work",),
    ),
    Metric(
        "bertline_drift_checked_timestamp_seconds", "gauge", "seconds",
        "When the predictions of a model were last checked for drift.", ("model",),
    ),
    Metric(
        "bertline_drift_found", "gauge", "",
        "1 if the last check found this change: of the texts, or only of the labels' shares.", ("model", "kind"),
    ),
    Metric(
        "bertline_drift_p_value", "gauge", "", "P-value of each test of the last check, adjusted for their number.",
        ("model", "test"),
    ),
    Metric(
        "bertline_drift_estimated_accuracy", "gauge", "", "Accuracy that the last check estimated without labels.",
        ("model",),
    ),
    Metric(
        "bertline_accuracy_checked_timestamp_seconds", "gauge", "seconds",
        "When the feedback on a model was last tested for a drop of accuracy.", ("model",),
    ),
    Metric(
        "bertline_accuracy_dropped", "gauge", "",
        "1 if the last test of a version's feedback found a drop of accuracy that lasts.", MODEL,
    ),
    Metric(
        "bertline_accuracy_tested", "gauge", "",
        "Accuracy by the feedback of the last test: since the drop, or of all of it without one.", MODEL,
    ),
    Metric(
        "bertline_accuracy_expected", "gauge", "",
        "Accuracy that the last test expected, by the bundle's test rows, less their standard error.", MODEL,
    ),
    Metric(
        "bertline_feedback", "counter", "", "Feedback by what became of it.", ("status",),
        start=("counted", "corrected", "superseded", "duplicate", "unknown", "invalid"),
    ),
    Metric(
        "bertline_feedback_judged", "gauge", "",
        "Predictions in the store with feedback, by whether the feedback that counts says right, wrong or neither.",
        (*MODEL, "judged"),
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
    """One series of a histogram; ``bounds`` are upper bounds in ascending order."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Add a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bounds as Prometheus writes them, with the number of values up to each."""
        names = [*map(str, self.bounds), "+Inf"]
        return [*zip(names, map(float, accumulate(self.counts)), strict=True)]


class Metrics:
    """The metrics of the table, counted and read on the event loop.

    prometheus-client's own metrics take a lock for each event, and several times as long.
    """

    def __init__(self) -> None:
        self._rows = {one.name: one for one in TABLE}
        self._series: dict[str, dict[tuple[str, ...], Any]] = {one.name: {} for one in TABLE}
        self._cache: dict[tuple[Any, ...], Any] = {}
        self._callbacks: list[Callable[[], None]] = []
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
        """Add a value to a histogram."""
        self.series(metric, **labels).observe(value)

    def set(self, metric: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self.series(metric, **labels).value = float(value)

    def clear(self, metric: str) -> None:
        """Remove all series of a gauge."""
        self._series[metric].clear()
        self._cache = {key: one for key, one in self._cache.items() if key[0] != metric}

    def series(self, metric: str, /, **labels: str) -> Any:
        """The series with these labels, ``Buckets`` of a histogram, else a ``Series``, for frequent updates.

        Raises:
            KeyError: the table has no such metric.
            ValueError: the metric has other labels.
        """
        key = (metric, *labels.items())
        series = self._cache.get(key)
        if series is None:
            row = self._rows[metric]
            if labels.keys() != {*row.labels}:
                raise ValueError(f"the labels of {metric} are {', '.join(row.labels) or 'none'}: see the table")
            values = tuple(str(labels[name]) for name in row.labels)
            new = Buckets(row.buckets) if row.kind == "histogram" else Series()
            series = self._cache[key] = self._series[metric].setdefault(values, new)
        return series

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
        """Call this each time before the metrics are read, to set gauges."""
        self._callbacks.append(call)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        for call in self._callbacks:
            call()
        return generate_latest(self._registry)


class _Table(Collector):
    """Collects the metrics of ``TABLE``."""

    def __init__(self, families: Callable[[str], Iterable[Family]]) -> None:
        self._families = families

    def describe(self) -> list[Family]:
        """Empty, so that registering does not collect values."""
        return []

    def collect(self) -> Iterator[Family]:
        """One family per row."""
        return (family for one in TABLE for family in self._families(one.name))


def samples_of(text: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """Name, labels and value of each sample in a response of ``GET /metrics``.

    Raises:
        ValueError: the text is not in Prometheus' format.
    """
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
