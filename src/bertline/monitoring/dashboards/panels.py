"""What the dashboards show: a table of panels per dashboard, in reading order.

Queries use Grafana's own words: ``$job``, ``$model`` and ``$__rate_interval``, the shortest range that has data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bertline.monitoring.dashboards.objectives import ASKED, AVAILABLE, FAST, POSTED

Kind = Literal["timeseries", "stat", "table"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One row of a table.

    Attributes:
        title: of the panel.
        description: what is seen, and what to make of it.
        queries: expression and legend of each; a legend names labels as ``{{label}}``.
        unit: by Grafana's name.
        kind: of panel.
        width: in columns; a row has 24.
        stacked: areas on top of each other.
        limit: where it begins to be bad; drawn as a line.
        least: of the axis.
        most: of the axis.
    """

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: Kind = "timeseries"
    width: int = 12
    stacked: bool = False
    limit: float | None = None
    least: float | None = 0
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Rows of panels under headings.

    Attributes:
        uid: stays the same, so that links do.
        title: of the dashboard.
        description: of the dashboard.
        by_model: has a variable for models.
        rows: panels by heading.
    """

    uid: str
    title: str
    description: str
    by_model: bool
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]


IN = 'job=~"$job"'
OF = f'{IN},model=~"$model"'
PADDING = f'{IN},kind="padding"'


def rate(metric: str, where: str = IN, *, by: str = "") -> str:
    """Per second, summed by labels.

    >>> rate("bertline_texts_total", 'job="a"', by="model")
    'sum by (model) (rate(bertline_texts_total{job="a"}[$__rate_interval]))'
    """
    return f"sum {f'by ({by}) ' if by else ''}(rate({metric}{{{where}}}[$__rate_interval]))"


def quantile(share: float, metric: str, where: str = IN, *, by: str = "") -> str:
    """Of a histogram, by labels; between the bounds of its bucket, as if its values were spread evenly."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', where, by=labels)})"


def mean(metric: str, where: str = IN, *, by: str = "") -> str:
    """Of a histogram, by labels."""
    return f"{rate(f'{metric}_sum', where, by=by)} / {rate(f'{metric}_count', where, by=by)}"


_POSTED = f"{IN},{POSTED}"
_TIMED = f"{IN},{ASKED}"
_SECONDS = "bertline_http_request_seconds"

NOW = (
    Panel(
        "Ready", "1 where requests may come; 0 while a model is not ready or the server stops.",
        ((f"min(bertline_ready{{{IN}}})", "ready"),), kind="stat", width=4, most=1,
    ),
    Panel(
        "Requests per second", "All routes, probes included.",
        ((rate("bertline_http_requests_total"), "requests"),), "reqps", "stat", 4,
    ),
    Panel(
        "Texts per second", "Texts that were answered.", ((rate("bertline_texts_total"), "texts"),), "ops", "stat", 4,
    ),
    Panel(
        "99 of 100 answers within", "Of the routes that ask a model.",
        ((quantile(0.99, _SECONDS, _TIMED), "p99"),), "s", "stat", 4,
    ),
    Panel(
        "Failed, last 5 minutes",
        "Share of requests with a 5xx or refused for want of capacity; the objective is 0.1 %.",
        ((f"job:bertline_failed_share:rate5m{{{IN}}}", "{{job}}"),), "percentunit", "stat", 4, limit=1 - AVAILABLE,
    ),
    Panel(
        "Longest queue", "How long the last text in a queue will wait.",
        ((f"max(bertline_queue_seconds{{{IN}}})", "wait"),), "s", "stat", 4, limit=0.5,
    ),
)  # fmt: skip

TRAFFIC = (
    Panel(
        "Requests by route", "Templates of paths, so what a client makes up is no series: it is in other.",
        ((rate("bertline_http_requests_total", by="route"), "{{route}}"),), "reqps", stacked=True,
    ),
    Panel(
        "Answers by status", "client_gone: the client closed its connection before the answer.",
        ((rate("bertline_http_requests_total", by="status"), "{{status}}"),), "reqps", stacked=True,
    ),
    Panel(
        "Half of the answers within, by route",
        "From a request's head to the end of its answer. Batches are in it too.",
        ((quantile(0.5, _SECONDS, _TIMED, by="route"), "{{route}}"),), "s",
    ),
    Panel(
        "99 of 100 answers within, by route", "The objective counts answers slower than 200 ms.",
        ((quantile(0.99, _SECONDS, _TIMED, by="route"), "{{route}}"),), "s", limit=0.2,
    ),
    Panel(
        "Where a request's time goes",
        "Mean of each phase. A long queue: too much load. Long computing: long texts, or "
        "a machine that is busy with something else.",
        ((mean("bertline_phase_seconds", by="phase"), "{{phase}}"),), "s", stacked=True,
    ),
    Panel(
        "Requests in progress", "Of each server.",
        ((f"bertline_http_requests_in_progress{{{IN}}}", "{{instance}}"),),
    ),
)  # fmt: skip

QUEUE = (
    Panel(
        "Wait in the queue, by model",
        "How long the last text in the queue will wait; beyond --max-wait-ms requests are "
        "refused.", ((f"max by (model) (bertline_queue_seconds{{{IN}}})", "{{model}}"),), "s", limit=0.5,
    ),
    Panel(
        "Tokens that wait, by model", "All texts in the queue.",
        ((f"sum by (model) (bertline_queue_tokens{{{IN}}})", "{{model}}"),),
    ),
    Panel(
        "Texts of a batch", "Mean by model: 1 on an idle server, more under load.",
        ((mean("bertline_batch_texts", by="model"), "{{model}}"),), width=8,
    ),
    Panel(
        "Time of a batch", "Mean and the slowest of 100, by model.",
        (
            (mean("bertline_batch_seconds", by="model"), "{{model}}, mean"),
            (quantile(0.99, "bertline_batch_seconds", by="model"), "{{model}}, p99"),
        ), "s", width=8,
    ),
    Panel(
        "Padding", "Share of computed tokens that are none: texts of different lengths in one batch.",
        (
            (
                f"{rate('bertline_computed_tokens_total', PADDING, by='model')} / "
                f"{rate('bertline_computed_tokens_total', by='model')}",
                "{{model}}",
            ),
        ), "percentunit", width=8, most=1,
    ),
)  # fmt: skip

REFUSALS = (
    Panel(
        "Problems by code", "overloaded and deadline: too little capacity. internal, compute_failed, worker_lost, "
        "no_memory: the server's fault. Others: what clients send.",
        ((rate("bertline_problems_total", by="code"), "{{code}}"),), "reqps", stacked=True,
    ),
    Panel(
        "Refused credentials and limits", "By reason, and by the limit that a client reached.",
        (
            (rate("bertline_auth_failures_total", by="reason"), "{{reason}}"),
            (rate("bertline_rate_limited_total", by="limit"), "limit: {{limit}}"),
        ), "reqps", stacked=True,
    ),
    Panel(
        "Failed requests",
        "Share of requests to a model, over an hour and over three days, and what the objective allows.",
        (
            (f"job:bertline_failed_share:rate1h{{{IN}}}", "{{job}}, 1 h"),
            (f"job:bertline_failed_share:rate3d{{{IN}}}", "{{job}}, 3 d"),
        ), "percentunit", limit=1 - AVAILABLE,
    ),
    Panel(
        "Slow requests", "Share of requests to a model that took longer than 200 ms, and what the objective allows.",
        (
            (f"job:bertline_slow_share:rate1h{{{IN}}}", "{{job}}, 1 h"),
            (f"job:bertline_slow_share:rate3d{{{IN}}}", "{{job}}, 3 d"),
        ), "percentunit", limit=1 - FAST,
    ),
)  # fmt: skip

PROCESS = (
    Panel(
        "Memory", "Of the process that listens; those that compute are not in it.",
        ((f"process_resident_memory_bytes{{{IN}}}", "{{instance}}"),), "bytes", width=6,
    ),
    Panel(
        "Cores in use", "By the process that listens.",
        ((f"rate(process_cpu_seconds_total{{{IN}}}[$__rate_interval])", "{{instance}}"),), width=6,
    ),
    Panel(
        "Certificates", "Time until they expire; nothing without TLS.",
        ((f"bertline_certificate_expiry_timestamp_seconds{{{IN}}} - time()", "{{instance}}, {{certificate}}"),), "s",
        width=6, least=None,
    ),
    Panel(
        "Log lines lost", "Per second, where whoever reads them is too slow.",
        ((f"rate(bertline_log_lines_dropped_total{{{IN}}}[$__rate_interval])", "{{instance}}"),), width=6,
    ),
)  # fmt: skip

VERSIONS = (
    Panel(
        "Versions", "What answers, and what computes it.",
        ((f"max by (instance, model, version, engine) (bertline_model_info{{{OF}}})", ""),), kind="table", width=16,
    ),
    Panel(
        "Releases", "Servers by version of bertline.",
        ((f"count by (version) (bertline_build_info{{{IN}}})", "{{version}}"),), kind="stat", width=8,
    ),
    Panel(
        "Ready", "1 while the process that computes a model lives and has answered.",
        ((f"min by (model, version) (bertline_model_ready{{{OF}}})", "{{model}} {{version}}"),), width=8, most=1,
    ),
    Panel(
        "Lost processes",
        "In the last quarter of an hour, by model. One is replaced; the sixth within a minute ends the "
        "server.", ((f"sum by (model) (increase(bertline_worker_restarts_total{{{OF}}}[15m]))", "{{model}}"),), width=8,
    ),
    Panel(
        "Texts by version", "Two lines for a model while a new version takes over.",
        ((rate("bertline_texts_total", OF, by="model, version, op"), "{{model}} {{version}} {{op}}"),), "ops", width=8,
        stacked=True,
    ),
)  # fmt: skip

ANSWERS = (
    Panel(
        "Labels",
        "Share of each label among the labels given, or of each type among the entities. A jump without a new version "
        "means that the texts have changed.",
        (
            (
                f"{rate('bertline_predicted_total', OF, by='model, label')} / on (model) group_left () "
                f"{rate('bertline_predicted_total', OF, by='model')}",
                "{{model}}: {{label}}",
            ),
        ), "percentunit", stacked=True, most=1,
    ),
    Panel(
        "Confidence",
        "Probability of each label given, or of each entity: what 1 of 10, half and 9 of 10 stay below.",
        tuple(
            (quantile(share, "bertline_confidence", OF, by="model"), f"{{{{model}}}}, p{share * 100:.0f}")
            for share in (0.1, 0.5, 0.9)
        ), "percentunit", most=1,
    ),
)  # fmt: skip

LENGTHS = (
    Panel(
        "Tokens of a text", "Cut ones included: half of the texts, and 99 of 100, have at most so many.",
        (
            (quantile(0.5, "bertline_text_tokens", OF, by="model"), "{{model}}, p50"),
            (quantile(0.99, "bertline_text_tokens", OF, by="model"), "{{model}}, p99"),
        ),
    ),
    Panel(
        "Not read", "Share of tokens that were cut off, because a text was too long for the model.",
        (
            (
                f"{rate('bertline_cut_tokens_total', OF, by='model')} / "
                f"{rate('bertline_text_tokens_sum', OF, by='model')}",
                "{{model}}",
            ),
        ), "percentunit", most=1,
    ),
    Panel(
        "Computed tokens", "Per second, real and padding.",
        ((rate("bertline_computed_tokens_total", OF, by="model, kind"), "{{model}}, {{kind}}"),), "ops", stacked=True,
    ),
    Panel(
        "Time by model and phase", "Mean per request.",
        ((mean("bertline_phase_seconds", OF, by="model, phase"), "{{model}}, {{phase}}"),), "s", stacked=True,
    ),
)  # fmt: skip

DASHBOARDS: tuple[Dashboard, ...] = (
    Dashboard(
        "bertline-service", "bertline: service", "Traffic, latency, queues and refusals of bertline's servers.", False,
        (
            ("Now", NOW), ("Traffic and latency", TRAFFIC), ("Queue and batches", QUEUE),
            ("Refusals and objectives", REFUSALS), ("Process", PROCESS),
        ),
    ),
    Dashboard(
        "bertline-models", "bertline: models", "What the models answer, to which texts, in which version.", True,
        (("Versions", VERSIONS), ("Answers", ANSWERS), ("Texts", LENGTHS)),
    ),
)  # fmt: skip
