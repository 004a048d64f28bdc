"""Files for Prometheus: configuration, recording rules, alerts, and their tests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bertline.errors import UsageError
from bertline.monitoring.dashboards.alert_examples import EXAMPLES, AlertExample
from bertline.monitoring.dashboards.alerts import ALERTS, JOB, Alert
from bertline.monitoring.dashboards.objectives import recorded
from bertline.monitoring.dashboards.yaml_files import yaml_of

CONFIG, RULES = "prometheus/prometheus.yml", "prometheus/rules.yml"
# Files by interval: promtool evaluates all rules of a file at one interval, so examples of many hours have their own.
RULE_TESTS = {"1m": "prometheus/rules-test.yml", "15m": "prometheus/rules-test-days.yml"}
RUNBOOK = "docs/runbook.md"


@dataclass(frozen=True, slots=True)
class Scrape:
    """How Prometheus reaches the servers.

    Attributes:
        targets: ``host:port`` of each, or ``https://host:port``; all with TLS or none.
        key_file: path, on Prometheus' machine, of a file with a key or token with the scope metrics.
        runbook: its URL or path; a section's anchor is appended.
        interval_s: between two scrapes.

    Raises:
        UsageError: a target is invalid, or only some targets have TLS.
    """

    targets: tuple[str, ...] = ("127.0.0.1:8000",)
    key_file: str | None = None
    runbook: str = RUNBOOK
    interval_s: int = 15

    def __post_init__(self) -> None:
        if len({one.startswith("https://") for one in self.targets}) != 1:
            raise UsageError("a job cannot mix targets with and without https://: give those of one kind")
        for one in self.addresses:
            _, colon, port = one.rpartition(":")
            if not colon or not port.isdecimal() or "/" in one:
                raise UsageError(f"{one} is not a target: write host:port, or https://host:port")

    @property
    def scheme(self) -> str:
        """The scheme of all targets."""
        return "https" if self.targets[0].startswith("https://") else "http"

    @property
    def addresses(self) -> list[str]:
        """The ``host:port`` of each target."""
        return [one.removeprefix("https://").removeprefix("http://").rstrip("/") for one in self.targets]


def files(scrape: Scrape) -> dict[str, str]:
    """The files by their paths: the configuration, the rules, and their tests for ``promtool test rules``."""
    return {
        CONFIG: yaml_of(_config(scrape), comment="Prometheus for bertline: promtool check config prometheus.yml"),
        RULES: yaml_of(
            {"groups": _groups(scrape)}, comment="Recorded shares and alerts: promtool check rules rules.yml"
        ),
        **{
            name: yaml_of(
                _rule_tests(every), comment="Each alert fires or is silent: promtool test rules rules-test*.yml"
            )
            for every, name in RULE_TESTS.items()
        },
    }


def _config(scrape: Scrape) -> dict[str, Any]:
    job: dict[str, Any] = {"job_name": JOB, "scheme": scrape.scheme, "metrics_path": "/metrics"}
    if scrape.key_file:
        job["authorization"] = {"type": "Bearer", "credentials_file": scrape.key_file}
    job["static_configs"] = [{"targets": scrape.addresses}]
    every = f"{scrape.interval_s}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": ["rules.yml"],
        "scrape_configs": [job],
    }


def rules_of_job(job: str, runbook: str) -> str:
    """Recording rules and alerts that look at one job only, for Prometheus that watch several services.

    >>> "job:bertline_failed_share:rate5m{job=" in rules_of_job("shop/reviews", "https://wiki.example")
    True
    """
    groups = _groups(Scrape(runbook=runbook))
    for rule in (one for group in groups for one in group["rules"]):
        rule["expr"] = _narrowed(rule["expr"], job)
    return yaml_of({"groups": groups}, comment="Recorded shares and alerts, from the server's tables of metrics")


_SERIES = re.compile(r"\b((?:job:)?bertline_[a-z0-9_:]+)(\{?)")


def _narrowed(expression: str, job: str) -> str:
    """The expression with every selector narrowed to a job; those that name one are of the default job."""
    of_job = expression.replace(f'job="{JOB}"', f'job="{job}"')
    return _SERIES.sub(lambda series: f'{series[1]}{{job="{job}"{"," if series[2] else "}"}', of_job)


OBJECTIVE_GROUP, ALERT_GROUP = "bertline-objectives", "bertline-alerts"


def _groups(scrape: Scrape) -> list[dict[str, Any]]:
    shares = [{"record": name, "expr": expression} for name, expression in recorded().items()]
    return [
        {"name": OBJECTIVE_GROUP, "rules": shares},
        {"name": ALERT_GROUP, "rules": [_rule(one, scrape.runbook) for one in ALERTS]},
    ]


def _rule(alert: Alert, runbook: str) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{runbook}#{alert.anchor}",
        },
    }


def _rule_tests(every: str) -> dict[str, Any]:
    cases = [(alert, one) for alert in ALERTS for one in EXAMPLES[alert.name] if one.interval == every]
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": every,
        # Alerts must read the shares that were recorded at the same time.
        "group_eval_order": [OBJECTIVE_GROUP, ALERT_GROUP],
        "tests": [_rule_test(alert, example) for alert, example in cases],
    }


def _rule_test(alert: Alert, example: AlertExample) -> dict[str, Any]:
    """Tests the series ALERTS, because promtool's alert tests would also compare the texts of annotations."""
    labels = [
        dict(sorted({"alertname": alert.name, "severity": alert.severity, **one}.items())) for one in example.fires
    ]
    return {
        "name": f"{alert.name}: {example.what}",
        "interval": example.interval,
        "input_series": [{"series": name, "values": values} for name, values in example.series],
        "promql_expr_test": [
            {
                "expr": f'ALERTS{{alertname="{alert.name}",alertstate="firing"}}',
                "eval_time": example.at,
                "exp_samples": [{"labels": _selector({"alertstate": "firing", **one}), "value": 1} for one in labels],
            }
        ],
    }


def _selector(labels: Mapping[str, str]) -> str:
    pairs = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return f"ALERTS{{{pairs}}}"


def expressions() -> Sequence[tuple[str, str]]:
    """Every expression of a rule, with the rule's name."""
    return [*recorded().items(), *((one.name, one.expression) for one in ALERTS)]
