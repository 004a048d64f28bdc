"""The table of alerts, each with a section of the runbook.

A page wakes somebody, because clients are affected. A ticket is for the next working day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bertline.monitoring.dashboards.objectives import FAILED, PAGE, POSTED, SLOW, TICKET

JOB = "bertline"  # of the scrape configuration
DAY_S = 86_400

# Codes of the server's own faults; all others are faults of a client, or its limits.
OURS = ("internal", "compute_failed", "no_memory", "worker_lost", "deadline")
NOT_THE_CLIENTS = (*OURS, "overloaded", "not_ready")


@dataclass(frozen=True, slots=True)
class Alert:
    """One row of the table. Summary and description may use Prometheus' templates ``$labels`` and ``$value``."""

    name: str  # lower-cased, the anchor in the runbook
    expression: str  # fires while it has a result
    lasting: str  # how long it must have a result, a Prometheus duration
    severity: Literal["page", "ticket"]
    summary: str  # one line
    description: str

    @property
    def anchor(self) -> str:
        """Of its section in the runbook."""
        return self.name.lower()


def _share_of_asked(code: str) -> str:
    asked = f"sum by (job) (rate(bertline_http_requests_total{{{POSTED}}}[5m])) > 0"
    return f"sum by (job, code) (rate(bertline_problems_total{{{code}}}[5m]))\n/ on (job) group_left () ({asked})"


ALERTS: tuple[Alert, ...] = (
    Alert(
        "BertlineDown", f'up{{job="{JOB}"}} == 0 or absent(up{{job="{JOB}"}})', "1m", "page",
        "{{ $labels.job }} {{ $labels.instance }} does not answer Prometheus",
        "The metrics of {{ $labels.instance }} could not be read for a minute, or no target of the job is known.",
    ),
    Alert(
        "BertlineNotReady", "bertline_ready == 0", "2m", "page",
        "{{ $labels.instance }} takes no requests",
        "A model is not ready, or its process was lost and is not back, for two minutes: load balancers leave this "
        "server out.",
    ),
    Alert(
        "BertlineServerRestarts", f'changes(process_start_time_seconds{{job="{JOB}"}}[15m]) > 2', "0m", "page",
        "{{ $labels.instance }} starts again and again",
        "The server began {{ $value }} times more in a quarter of an hour: it ends when a model is beyond help, and "
        "whatever started it starts it anew.",
    ),
    Alert(
        "BertlineWorkerRestarts", "increase(bertline_worker_restarts_total[15m]) > 2", "0m", "page",
        "The process that computes {{ $labels.model }} is lost again and again",
        "About {{ $value | printf \"%.0f\" }} losses in a quarter of an hour on {{ $labels.instance }}; a sixth one "
        "within a minute ends the server.",
    ),
    Alert(
        "BertlineAvailabilityBurnsFast", FAILED.burns(*PAGE), "2m", "page",
        "Too many requests of {{ $labels.job }} fail",
        "{{ $value | humanizePercentage }} of the requests to a model got a 5xx or were refused for want of capacity: "
        "at this pace the month's 0.1 % is gone within days.",
    ),
    Alert(
        "BertlineAvailabilityBurnsSlowly", FAILED.burns(*TICKET), "15m", "ticket",
        "More requests of {{ $labels.job }} fail than the objective allows",
        "{{ $value | humanizePercentage }} of the requests to a model failed over three days; 0.1 % may.",
    ),
    Alert(
        "BertlineLatencyBurnsFast", SLOW.burns(*PAGE), "2m", "page",
        "Too many answers of {{ $labels.job }} are slow",
        "{{ $value | humanizePercentage }} of the requests to a model took longer than 200 ms; 1 % may.",
    ),
    Alert(
        "BertlineLatencyBurnsSlowly", SLOW.burns(*TICKET), "15m", "ticket",
        "More answers of {{ $labels.job }} are slow than the objective allows",
        "{{ $value | humanizePercentage }} of the requests to a model took longer than 200 ms over three days; "
        "1 % may.",
    ),
    Alert(
        "BertlineQueueLong", "bertline_queue_seconds > 0.5", "5m", "ticket",
        "Texts wait {{ $value | humanizeDuration }} for {{ $labels.model }}",
        "On {{ $labels.instance }} the queue has been longer than half a second for five minutes; requests that would "
        "wait longer than --max-wait-ms are refused.",
    ),
    Alert(
        "BertlineErrors", _share_of_asked(f'code=~"{"|".join(OURS)}"') + " > 0.01", "5m", "ticket",
        "{{ $labels.job }} answers {{ $labels.code }}",
        "{{ $value | humanizePercentage }} of the requests to a model end with {{ $labels.code }}, which is the "
        "server's doing.",
    ),
    Alert(
        "BertlineClientErrors", _share_of_asked(f'code!~"{"|".join(NOT_THE_CLIENTS)}"') + " > 0.2", "15m", "ticket",
        "Clients of {{ $labels.job }} send what it refuses: {{ $labels.code }}",
        "{{ $value | humanizePercentage }} of the requests to a model are refused with {{ $labels.code }}: a client "
        "was changed, or a limit does not fit its use.",
    ),
    Alert(
        "BertlineAuthFailures",
        "sum by (job) (rate(bertline_auth_failures_total[5m])) > 0.5\n"
        "and sum by (job) (rate(bertline_auth_failures_total[5m])) "
        "> 5 * sum by (job) (rate(bertline_auth_failures_total[6h]))",
        "5m", "ticket",
        "Many credentials are refused by {{ $labels.job }}",
        "{{ $value | printf \"%.1f\" }} requests per second bring a credential that is refused, five times as many "
        "as over six hours: a key expired, or somebody guesses.",
    ),
    Alert(
        "BertlineCertificateExpiresSoon",
        f"bertline_certificate_expiry_timestamp_seconds - time() < {14 * DAY_S}", "1h", "ticket",
        "A certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}",
        "The {{ $labels.certificate }} certificate was not renewed: it has less than 14 days left.",
    ),
    Alert(
        "BertlineCertificateExpires",
        f"bertline_certificate_expiry_timestamp_seconds - time() < {3 * DAY_S}", "10m", "page",
        "A certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}",
        "The {{ $labels.certificate }} certificate has less than 3 days left; then no client connects any more.",
    ),
    Alert(
        "BertlineLogLinesDropped", "increase(bertline_log_lines_dropped_total[15m]) > 0", "0m", "ticket",
        "{{ $labels.instance }} loses log lines",
        "About {{ $value | printf \"%.0f\" }} lines could not be written in a quarter of an hour: whoever reads them "
        "is slower than they come.",
    ),
)  # fmt: skip
