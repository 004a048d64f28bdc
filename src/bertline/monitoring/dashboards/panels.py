"""The panels of each dashboard, in reading order."""

from __future__ import annotations

from bertline.monitoring.dashboards.objectives import ASKED, AVAILABLE, FAST, POSTED
from bertline.monitoring.dashboards.panel import IN, OF, Dashboard, Panel, mean, quantile, rate

PADDING = f'{IN},kind="padding"'
_POSTED = f"{IN},{POSTED}"
_TIMED = f"{IN},{ASKED}"
_SECONDS = "bertline_http_request_seconds"

NOW = (
    Panel(
        "Ready", "1: the server accepts requests. 0: a model is not ready, or the server is stopping.",
        ((f"min(bertline_ready{{{IN}}})", "ready"),), kind="stat", width=4, most=1,
    ),
    Panel(
        "Requests per second", "All routes, including probes.",
        ((rate("bertline_http_requests_total"), "requests"),), "reqps", "stat", 4,
    ),
    Panel(
        "Texts per second", "Answered texts.", ((rate("bertline_texts_total"), "texts"),), "ops", "stat", 4,
    ),
    Panel(
        "Latency, p99", "Of routes that use a model.",
        ((quantile(0.99, _SECONDS, _TIMED), "p99"),), "s", "stat", 4,
    ),
    Panel(
        "Failed, last 5 minutes",
        "Share of requests that got a 5xx or were refused for lack of capacity; the objective is 0.1 %.",
        ((f"job:bertline_failed_share:rate5m{{{IN}}}", "{{job}}"),), "percentunit", "stat", 4, limit=1 - AVAILABLE,
    ),
    Panel(
        "Longest queue", "Expected wait of the last text in a queue.",
        ((f"max(bertline_queue_seconds{{{IN}}})", "wait"),), "s", "stat", 4, limit=0.5,
    ),
)  # fmt: skip

TRAFFIC = (
    Panel(
        "Requests by route", "By path template; unknown paths are counted as other.",
        ((rate("bertline_http_requests_total", by="route"), "{{route}}"),), "reqps", stacked=True,
    ),
    Panel(
        "Answers by status", "client_gone: the client closed its connection before it got the answer.",
        ((rate("bertline_http_requests_total", by="status"), "{{status}}"),), "reqps", stacked=True,
    ),
    Panel(
        "Latency by route, p50", "From the request's head to the end of the response, including batches.",
        ((quantile(0.5, _SECONDS, _TIMED, by="route"), "{{route}}"),), "s",
    ),
    Panel(
        "Latency by route, p99", "The objective counts answers slower than 200 ms.",
        ((quantile(0.99, _SECONDS, _TIMED, by="route"), "{{route}}"),), "s", limit=0.2,
    ),
    Panel(
        "Time by phase",
        "Mean of each phase. A long queue means overload. Long computing means long texts, or other load on the "
        "machine.",
        ((mean("bertline_phase_seconds", by="phase"), "{{phase}}"),), "s", stacked=True,
    ),
    Panel(
        "Requests in progress", "By server.",
        ((f"bertline_http_requests_in_progress{{{IN}}}", "{{instance}}"),),
    ),
)  # fmt: skip

QUEUE = (
    Panel(
        "Wait in the queue, by model",
        "Expected wait of the last text in the queue. Above --max-wait-ms, requests are refused.",
        ((f"max by (model) (bertline_queue_seconds{{{IN}}})", "{{model}}"),), "s", limit=0.5,
    ),
    Panel(
        "Waiting tokens, by model", "Of all texts in the queue.",
        ((f"sum by (model) (bertline_queue_tokens{{{IN}}})", "{{model}}"),),
    ),
    Panel(
        "Texts per batch", "Mean by model: 1 on an idle server, more under load.",
        ((mean("bertline_batch_texts", by="model"), "{{model}}"),), width=8,
    ),
    Panel(
        "Time per batch", "Mean and p99, by model.",
        (
            (mean("bertline_batch_seconds", by="model"), "{{model}}, mean"),
            (quantile(0.99, "bertline_batch_seconds", by="model"), "{{model}}, p99"),
        ), "s", width=8,
    ),
    Panel(
        "Padding", "Share of padding in the computed tokens: a batch combines texts of different lengths.",
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
        "Problems by code", "overloaded, deadline: the server lacks capacity. internal, compute_failed, worker_lost, "
        "no_memory: the server is at fault. Others: the client is at fault.",
        ((rate("bertline_problems_total", by="code"), "{{code}}"),), "reqps", stacked=True,
    ),
    Panel(
        "Rejected credentials and limits", "By reason, and by the limit that a client reached.",
        (
            (rate("bertline_auth_failures_total", by="reason"), "{{reason}}"),
            (rate("bertline_rate_limited_total", by="limit"), "limit: {{limit}}"),
        ), "reqps", stacked=True,
    ),
    Panel(
        "Failed requests",
        "Share of requests to a model, over an hour and over three days, and the objective.",
        (
            (f"job:bertline_failed_share:rate1h{{{IN}}}", "{{job}}, 1 h"),
            (f"job:bertline_failed_share:rate3d{{{IN}}}", "{{job}}, 3 d"),
        ), "percentunit", limit=1 - AVAILABLE,
    ),
    Panel(
        "Slow requests", "Share of requests to a model that took longer than 200 ms, and the objective.",
        (
            (f"job:bertline_slow_share:rate1h{{{IN}}}", "{{job}}, 1 h"),
            (f"job:bertline_slow_share:rate3d{{{IN}}}", "{{job}}, 3 d"),
        ), "percentunit", limit=1 - FAST,
    ),
)  # fmt: skip

_PRICE = f"sum(bertline_cost_per_hour{{{IN}}})"
_BUSY = f"{rate('bertline_batch_seconds_sum')} / sum(bertline_lanes{{{IN}}})"

COST = (
    Panel(
        "Cost per million answers",
        "Price of the servers per hour (--cost-per-hour) at the present rate of answers, in the currency of that "
        "price; empty without a price. It falls as load rises.",
        ((f"1e6 * ({_PRICE} > 0) / (3600 * {rate('bertline_requests_total')})", "per million"),), width=8,
    ),
    Panel(
        "Cost per month", "Price of the servers per hour × 730; empty without a price.",
        ((f"730 * ({_PRICE} > 0)", "per month"),), width=8,
    ),
    Panel(
        "Idle share",
        "Share of the servers' lanes that compute nothing. Much of it all day means that fewer servers would do; none "
        "of it means that requests wait. At night it is no fault, so no alert looks at it.",
        ((f"1 - {_BUSY}", "idle"),), "percentunit", width=8, most=1,
    ),
)  # fmt: skip

PROCESS = (
    Panel(
        "Memory", "Of the server process, without workers.",
        ((f"process_resident_memory_bytes{{{IN}}}", "{{instance}}"),), "bytes", width=6,
    ),
    Panel(
        "Cores in use", "By the server process, without workers.",
        ((f"rate(process_cpu_seconds_total{{{IN}}}[$__rate_interval])", "{{instance}}"),), width=6,
    ),
    Panel(
        "Certificates", "Time until they expire; empty without TLS.",
        ((f"bertline_certificate_expiry_timestamp_seconds{{{IN}}} - time()", "{{instance}}, {{certificate}}"),), "s",
        width=6, least=None,
    ),
    Panel(
        "Lost log lines", "Per second. Lines are lost if their reader is too slow.",
        ((f"rate(bertline_log_lines_dropped_total{{{IN}}}[$__rate_interval])", "{{instance}}"),), width=6,
    ),
    Panel(
        "Predictions kept", "Per second, written to their store and lost.",
        (
            (f"rate(bertline_predictions_written_total{{{IN}}}[$__rate_interval])", "{{instance}}, written"),
            (f"rate(bertline_predictions_dropped_total{{{IN}}}[$__rate_interval])", "{{instance}}, lost"),
        ), "ops",
    ),
    Panel(
        "Predictions waiting", "For their store; more while it is away.",
        ((f"bertline_predictions_waiting{{{IN}}}", "{{instance}}"),), width=6,
    ),
    Panel(
        "Upkeep of predictions", "Time since each regular work on their store was done; retention has an hour.",
        ((f"time() - bertline_predictions_upkeep_timestamp_seconds{{{IN}}}", "{{instance}}, {{work}}"),), "s", width=6,
    ),
)  # fmt: skip

ROLLOUTS = (
    Panel(
        "Share of the challenger", "Of the clients, by model and role; a shadow answers none.",
        ((f"max by (model, role) (bertline_rollout_share{{{OF}}})", "{{model}}, {{role}}"),), "percentunit", width=8,
        most=1,
    ),
    Panel(
        "Slow and failed requests in a rollout", "Per second, of the champion and of the challenger.",
        (
            (
                rate("bertline_rollout_requests_total", f'{OF},outcome!="answered"', by="model, arm, outcome"),
                "{{model}} {{arm}}, {{outcome}}",
            ),
        ), "reqps", width=8,
    ),
    Panel(
        "Answers compared", "Requests that both versions computed; dropped ones had to give way to real requests.",
        ((rate("bertline_rollout_compared_total", OF, by="model, outcome"), "{{model}}, {{outcome}}"),), "reqps",
        width=8, stacked=True,
    ),
    Panel(
        "Rollouts that ended", "In the last hour, by outcome.",
        (
            (
                f"sum by (model, outcome) (increase(bertline_rollouts_ended_total{{{OF}}}[1h]))",
                "{{model}}, {{outcome}}",
            ),
        ), width=12,
    ),
    Panel(
        "Registry followed", "Time since then, of the server where it is longest; empty without a registry.",
        (
            (
                f"time() - min by (model, what) (bertline_registry_followed_timestamp_seconds{{{OF}}})",
                "{{model}}, {{what}}",
            ),
        ), "s", width=12,
    ),
)  # fmt: skip

VERSIONS = (
    Panel(
        "Versions", "Current versions with their engines.",
        ((f"max by (instance, model, version, engine) (bertline_model_info{{{OF}}})", ""),), kind="table", width=16,
    ),
    Panel(
        "Releases", "Number of servers by version of bertline.",
        ((f"count by (version) (bertline_build_info{{{IN}}})", "{{version}}"),), kind="stat", width=8,
    ),
    Panel(
        "Ready", "1: the model's worker is running and warmed up.",
        ((f"min by (model, version) (bertline_model_ready{{{OF}}})", "{{model}} {{version}}"),), width=8, most=1,
    ),
    Panel(
        "Lost workers",
        "In the last 15 minutes, by model. A lost worker is replaced; the sixth loss within a minute stops the server.",
        ((f"sum by (model) (increase(bertline_worker_restarts_total{{{OF}}}[15m]))", "{{model}}"),), width=8,
    ),
    Panel(
        "Texts by version", "While a new version takes over, its model has two lines.",
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
        "Probability of each label given, or of each entity: p10, p50 and p90.",
        tuple(
            (quantile(share, "bertline_confidence", OF, by="model"), f"{{{{model}}}}, p{share * 100:.0f}")
            for share in (0.1, 0.5, 0.9)
        ), "percentunit", most=1,
    ),
)  # fmt: skip


def _judged(how: str) -> str:
    """A share of two such sums is right, however many servers show the same store."""
    return f'sum by (model, version) (bertline_feedback_judged{{{OF},judged=~"{how}"}})'


FEEDBACK = (
    Panel(
        "Accuracy by feedback",
        "Share of predictions that were right, of all in the store with feedback; corrections count.",
        (
            (f"{_judged('right')} / {_judged('right|wrong')}", "{{model}}, {{version}}"),
        ), "percentunit", most=1,
    ),
    Panel(
        "Feedback", "Per second, by what became of it; of all models together.",
        ((f"sum by (status) (rate(bertline_feedback_total{{{IN}}}[$__rate_interval]))", "{{status}}"),), "ops",
        stacked=True,
    ),
    Panel(
        "Accuracy, tested", "By the feedback of the last test for a drop, and what the model's test rows let expect.",
        (
            (f"min by (model, version) (bertline_accuracy_tested{{{OF}}})", "{{model}}, {{version}}"),
            (f"max by (model, version) (bertline_accuracy_expected{{{OF}}})", "{{model}}, {{version}}, expected"),
        ), "percentunit", most=1,
    ),
    Panel(
        "Last test of accuracy", "Time since then.",
        ((f"time() - max by (model) (bertline_accuracy_checked_timestamp_seconds{{{OF}}})", "{{model}}"),), "s",
    ),
)  # fmt: skip

DRIFT = (
    Panel(
        "Drift", "Smallest p-value of each test, adjusted for their number, in the last check; below 5 % is drift.",
        ((f"min by (model, test) (bertline_drift_p_value{{{OF}}})", "{{model}}, {{test}}"),), "percentunit", width=8,
        most=1,
    ),
    Panel(
        "Accuracy estimated without labels", "By the last check; it cannot see texts that now mean something else.",
        ((f"min by (model) (bertline_drift_estimated_accuracy{{{OF}}})", "{{model}}"),), "percentunit", width=8, most=1,
    ),
    Panel(
        "Last check for drift", "Time since then.",
        ((f"time() - max by (model) (bertline_drift_checked_timestamp_seconds{{{OF}}})", "{{model}}"),), "s", width=8,
    ),
)  # fmt: skip

LENGTHS = (
    Panel(
        "Tokens per text", "Including cut tokens.",
        (
            (quantile(0.5, "bertline_text_tokens", OF, by="model"), "{{model}}, p50"),
            (quantile(0.99, "bertline_text_tokens", OF, by="model"), "{{model}}, p99"),
        ),
    ),
    Panel(
        "Cut tokens", "Share of tokens that were not read because a text was too long.",
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
            ("Refusals and objectives", REFUSALS), ("Cost", COST), ("Process", PROCESS),
        ),
    ),
    Dashboard(
        "bertline-models", "bertline: models", "The models' versions, answers, and texts.", True,
        (
            ("Versions", VERSIONS), ("Rollouts", ROLLOUTS), ("Answers", ANSWERS), ("Feedback", FEEDBACK),
            ("Drift", DRIFT), ("Texts", LENGTHS),
        ),
    ),
)  # fmt: skip
