"""A real Prometheus reads a real server under load of every kind: each expression of rules and dashboards has data."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

from bertline.cli import top
from bertline.monitoring.dashboards import grafana, prometheus
from bertline.monitoring.metrics.registry import TABLE, samples_of
from bertline.monitoring.metrics.snapshot import Snapshot
from bertline.testing.tiny import write_tiny_bundle
from tests.service.spawn import spawned
from tests.service.watching import LONG, asking
from tools.expressions import SUFFIXES, measured, plain
from tools.observe import Watched, watched

# This server has no TLS and follows no registry. A second target sets them.
WITHOUT_CAUSE = {"bertline_certificate_expiry_timestamp_seconds", "bertline_registry_followed_timestamp_seconds"}

command = typer.Typer()
command.callback()(lambda: None)
top.register(command)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("watched")) as one:
        one.prometheus.until("count_over_time(bertline_worker_restarts_total[1m]) > 8")
        yield one


def snapshot(url: str) -> Snapshot:
    return Snapshot(time.monotonic(), tuple(samples_of(httpx.get(f"{url}/metrics", trust_env=False).text)))


@pytest.mark.parametrize(
    ("name", "expression"), prometheus.expressions(), ids=lambda one: one if " " not in one else ""
)
def test_a_rule_has_data(running: Watched, name: str, expression: str) -> None:
    assert running.prometheus.until(measured(expression))
    if name.startswith("job:"):
        assert running.prometheus.until(name)


@pytest.mark.parametrize(
    ("board", "panel", "expression"), grafana.expressions(), ids=lambda one: "" if "(" in one else one
)
def test_a_panel_has_data(running: Watched, board: str, panel: str, expression: str) -> None:
    found = running.prometheus.until(plain(expression, range_="10s"))
    assert all(one["value"][1] != "NaN" for one in found), found


def test_prometheus_evaluates_every_rule_and_this_loads_rules_have_data(running: Watched) -> None:
    rules = running.prometheus.rules()
    assert {one["name"] for one in rules} == {name for name, _ in prometheus.expressions()}
    assert {one["health"] for one in rules} == {"ok"}, [one.get("lastError") for one in rules if one.get("lastError")]
    up = {one["name"] for one in rules if one["type"] == "alerting" and one["alerts"]}
    assert {"BertlineAvailabilityBurnsFast", "BertlineErrors"} <= up
    assert not up & {"BertlineDown", "BertlineNotReady", "BertlineCertificateExpires"}
    written = [
        note
        for one in rules
        if one["type"] == "alerting"
        for alert in one["alerts"]
        for note in alert["annotations"].values()
    ]
    assert not [note for note in written if "error expanding template" in note or "<no value>" in note]


def test_the_server_sets_every_metric_that_it_has_cause_to(running: Watched) -> None:
    there = {name for name, _, _ in snapshot(running.server.url).samples}
    rows = {one.name: f"{one.name}{SUFFIXES[one.kind][0]}" for one in TABLE}
    assert {name for name, series in rows.items() if series not in there} <= WITHOUT_CAUSE


def test_top_shows_the_server_once_for_people_and_once_for_programs(running: Watched) -> None:
    shown = CliRunner().invoke(command, ["top", running.server.url, "--once"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0, shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    for word in ("texts/s", "p99", "reviews", "fp32", "overloaded", "deadline", "empty_text", "ready"):
        assert word in shown.output
    told = CliRunner().invoke(command, ["top", running.server.url, "--once", "--json"])
    frame = json.loads(told.output)
    assert frame["texts_per_s"] > 0
    assert 0 < frame["p50_s"] <= frame["p99_s"]
    assert frame["models"][0]["restarts"] >= 1
    assert frame["refusals_in_all"].keys() >= {"overloaded", "deadline", "empty_text", "unknown_model"}


def test_worker_metrics_are_counted_and_outlive_their_processes(tmp_path: Path) -> None:
    bundle = tmp_path / "reviews"
    write_tiny_bundle(bundle, engine=True)
    with spawned(str(bundle), "--drain-s", "0") as server:
        (worker,) = server.workers
        warmed = snapshot(server.url)
        for _ in range(5):
            httpx.post(f"{server.url}/v1/predict", json={"texts": ["a film", LONG]}, trust_env=False).raise_for_status()
        before = snapshot(server.url)
        assert worker != server.pid
        assert before.total("bertline_batch_texts_sum") - warmed.total("bertline_batch_texts_sum") == 10
        assert before.total("bertline_texts_total") == 10
        os.kill(worker, signal.SIGKILL)
        with asking(server.url, clients=1) as load:
            deadline_s = time.monotonic() + 60
            while load.answers < 20 or not snapshot(server.url).total("bertline_worker_restarts_total"):
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
        after = snapshot(server.url)
        assert server.workers != [worker]
    for name in ("bertline_batch_texts_sum", "bertline_texts_total", "bertline_computed_tokens_total"):
        assert after.total(name) > before.total(name), name
