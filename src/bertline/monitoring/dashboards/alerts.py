"""The table of alerts, each with a section of the runbook.

A page wakes somebody because clients are affected. A ticket can wait for the next working day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bertline.monitoring.dashboards.objectives import FAILED, PAGE, POSTED, SLOW, TICKET

JOB = "bertline"  # of the scrape configuration
HOUR_S, DAY_S = 3_600, 86_400

# Codes of the server's own faults.
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
        """The anchor of its section in the runbook."""
        return self.name.lower()


def _share_of_requests(code: str) -> str:
    requests = f"sum by (job) (rate(bertline_http_requests_total{{{POSTED}}}[5m])) > 0"
    return f"sum by (job, code) (rate(bertline_problems_total{{{code}}}[5m]))\n/ on (job) group_left () ({requests})"


ALERTS: tuple[Alert, ...] = (
    Alert(
        "BertlineDown", f'up{{job="{JOB}"}} == 0 or absent(up{{job="{JOB}"}})', "1m", "page",
        "{{ $labels.job }} {{ $labels.instance }} does not answer Prometheus",
        "Prometheus could not read the metrics of {{ $labels.instance }} for a minute, or the job has no target.",
    ),
    Alert(
        "BertlineNotReady", "bertline_ready == 0", "2m", "page",
        "{{ $labels.instance }} is not ready",
        "For two minutes a model has not been ready, or its lost worker has not been replaced. Load balancers send no "
        "requests to this server.",
    ),
    Alert(
        "BertlineServerRestarts", f'changes(process_start_time_seconds{{job="{JOB}"}}[15m]) > 2', "0m", "page",
        "{{ $labels.instance }} keeps restarting",
        "The server restarted {{ $value }} times in 15 minutes: it stops if a model cannot be kept alive, and its "
        "supervisor restarts it.",
    ),
    Alert(
        "BertlineWorkerRestarts", "increase(bertline_worker_restarts_total[15m]) > 2", "0m", "page",
        "The worker of {{ $labels.model }} keeps dying",
        "It was lost about {{ $value | printf \"%.0f\" }} times in 15 minutes on {{ $labels.instance }}; the sixth "
        "loss within a minute stops the server.",
    ),
    Alert(
        "BertlineAvailabilityBurnsFast", FAILED.burns(*PAGE), "2m", "page",
        "Too many requests of {{ $labels.job }} fail",
        "{{ $value | humanizePercentage }} of the requests to a model got a 5xx or were refused for lack of capacity. "
        "At this rate, the monthly error budget of 0.1 % is used up within days.",
    ),
    Alert(
        "BertlineAvailabilityBurnsSlowly", FAILED.burns(*TICKET), "15m", "ticket",
        "More requests of {{ $labels.job }} fail than the objective allows",
        "{{ $value | humanizePercentage }} of the requests to a model failed over three days; the objective "
        "allows 0.1 %.",
    ),
    Alert(
        "BertlineLatencyBurnsFast", SLOW.burns(*PAGE), "2m", "page",
        "Too many answers of {{ $labels.job }} are slow",
        "{{ $value | humanizePercentage }} of the requests to a model took longer than 200 ms; the objective "
        "allows 1 %.",
    ),
    Alert(
        "BertlineLatencyBurnsSlowly", SLOW.burns(*TICKET), "15m", "ticket",
        "More answers of {{ $labels.job }} are slow than the objective allows",
        "{{ $value | humanizePercentage }} of the requests to a model took longer than 200 ms over three days; "
        "the objective allows 1 %.",
    ),
    Alert(
        "BertlineQueueLong", "bertline_queue_seconds > 0.5", "5m", "ticket",
        "Texts wait {{ $value | humanizeDuration }} for {{ $labels.model }}",
        "The queue on {{ $labels.instance }} has been longer than half a second for five minutes. Requests that would "
        "wait longer than --max-wait-ms are refused.",
    ),
    Alert(
        "BertlineErrors", _share_of_requests(f'code=~"{"|".join(OURS)}"') + " > 0.01", "5m", "ticket",
        "{{ $labels.job }} answers {{ $labels.code }}",
        "{{ $value | humanizePercentage }} of the requests to a model fail with {{ $labels.code }}, which is a fault "
        "of the server.",
    ),
    Alert(
        "BertlineClientErrors", _share_of_requests(f'code!~"{"|".join(NOT_THE_CLIENTS)}"') + " > 0.2", "15m", "ticket",
        "Many requests of clients to {{ $labels.job }} are invalid: {{ $labels.code }}",
        "{{ $value | humanizePercentage }} of the requests to a model are refused with {{ $labels.code }}. Perhaps "
        "a client was changed, or needs a higher limit.",
    ),
    Alert(
        "BertlineAuthFailures",
        "sum by (job) (rate(bertline_auth_failures_total[5m])) > 0.5\n"
        "and sum by (job) (rate(bertline_auth_failures_total[5m])) "
        "> 5 * sum by (job) (rate(bertline_auth_failures_total[6h]))",
        "5m", "ticket",
        "{{ $labels.job }} rejects many credentials",
        "{{ $value | printf \"%.1f\" }} requests per second have an invalid credential, more than five times the rate "
        "of the last six hours. Perhaps a key has expired, or somebody is guessing.",
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
        "The {{ $labels.certificate }} certificate has less than 3 days left; after that, clients cannot connect.",
    ),
    Alert(
        "BertlineRolledBack", 'increase(bertline_rollouts_ended_total{outcome="rolled_back"}[15m]) > 0', "0m", "ticket",
        "A new version of {{ $labels.model }} was rolled back",
        "{{ $labels.instance }} ended its rollout. The log of deployments has the reason with figures.",
    ),
    Alert(
        "BertlineRegistryUnfollowed",
        f"time() - bertline_registry_followed_timestamp_seconds > {HOUR_S // 4}", "5m", "ticket",
        "{{ $labels.instance }} does not follow the {{ $labels.what }} of {{ $labels.model }}",
        "The registry was last followed {{ $value | humanizeDuration }} ago. This server does not serve a new "
        "champion, or neither counts in a rollout nor ends it.",
    ),
    Alert(
        "BertlinePredictionStoreDown", "bertline_predictions_store_down == 1", "5m", "ticket",
        "{{ $labels.instance }} cannot write predictions to their store",
        "For five minutes the store of predictions has not been usable. Requests are answered; predictions wait in "
        "memory, and those for which there is no room are dropped. Feedback is refused.",
    ),
    Alert(
        "BertlinePredictionUpkeepStopped",
        f"time() - bertline_predictions_upkeep_timestamp_seconds > {3 * HOUR_S}", "5m", "ticket",
        "{{ $labels.instance }} no longer does the {{ $labels.work }} of its store of predictions",
        "The work {{ $labels.work }} was last done {{ $value | humanizeDuration }} ago: it fails or takes hours.",
    ),
    Alert(
        "BertlinePredictionsDropped", "increase(bertline_predictions_dropped_total[15m]) > 0", "0m", "ticket",
        "{{ $labels.instance }} loses predictions",
        "About {{ $value | printf \"%.0f\" }} predictions could not be kept in 15 minutes: their store is away or too "
        "slow.",
    ),
    Alert(
        "BertlineDrift", "max by (job, model, kind) (bertline_drift_found) == 1", "0m", "ticket",
        "What {{ $labels.model }} is asked has drifted",
        "The last check found a change of the {{ $labels.kind }} (texts, or only the labels' shares) against the rows "
        "that {{ $labels.model }} was measured on: its accuracy may have changed too.",
    ),
    Alert(
        "BertlineDriftUnchecked",
        f"time() - max by (job, model) (bertline_drift_checked_timestamp_seconds) > {8 * DAY_S}\n"
        "and max by (job, model) (bertline_model_info) == 1",  # not of a model that is no longer served
        "1h", "ticket",
        "{{ $labels.model }} is no longer checked for drift",
        "The last check was {{ $value | humanizeDuration }} ago: the job that makes them has stopped or fails.",
    ),
    Alert(
        "BertlineAccuracyDropped",
        "max by (job, model, version) (bertline_accuracy_dropped) == 1\n"
        "and max by (job, model, version) (bertline_model_info) == 1",  # not of a version that was replaced
        "0m", "ticket",
        "{{ $labels.model }} is less often right than it was",
        "The last test of the feedback on version {{ $labels.version }} found that its accuracy dropped, by more than "
        "chance, below what its test rows let expect.",
    ),
    Alert(
        "BertlineAccuracyUnchecked",
        f"time() - max by (job, model) (bertline_accuracy_checked_timestamp_seconds) > {7 * DAY_S}\n"
        "and on (job, model) (\n"  # without feedback on the version that answers, there is nothing to test
        '  max by (job, model, version) (bertline_feedback_judged{judged=~"right|wrong"})\n'
        "  and max by (job, model, version) (bertline_model_info) == 1\n"
        ")",
        "1d", "ticket",  # the first feedback on a new version waits for the next test
        "The accuracy of {{ $labels.model }} is no longer tested",
        "There is feedback on the version that answers, and the last test of it for a drop of accuracy was "
        "{{ $value | humanizeDuration }} ago: the job that makes them has stopped or fails.",
    ),
    Alert(
        "BertlineLogLinesDropped", "increase(bertline_log_lines_dropped_total[15m]) > 0", "0m", "ticket",
        "{{ $labels.instance }} loses log lines",
        "About {{ $value | printf \"%.0f\" }} lines could not be written in 15 minutes because their reader is too "
        "slow.",
    ),
)  # fmt: skip
