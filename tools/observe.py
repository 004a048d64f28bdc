"""Run a server under load with a real Prometheus, to see alerts and panels with data.

python -m tools.observe            runs until Ctrl+C and prints the addresses
python -m tools.observe --table    writes docs/observability.md: each expression with its result

Needs prometheus (tools/packages.sh promtool installs it). The model is tiny, because only changes of
the series matter.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bertline.bundle.verify import read_manifest
from bertline.destination import write_files
from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck, add_accuracy_check
from bertline.lifecycle.predictions.checks import DriftCheck, add_check
from bertline.lifecycle.predictions.records import now_ms
from bertline.lifecycle.predictions.store import open_store
from bertline.monitoring.addresses import MODEL_ROUTES
from bertline.monitoring.dashboards import alerts, grafana, prometheus
from bertline.monitoring.metrics.registry import Metrics
from bertline.testing.tiny import write_tiny_bundle
from tests.programs import find
from tests.service.spawn import Spawned, spawned
from tests.service.watching import EVERY_STATUS, Prometheus, asking, exporter
from tests.service.watching import prometheus as started
from tools.expressions import measured, plain

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "observability.md"
SERIES_S = 12  # of data before the table is written
SHOWN = 3  # series of a result


def beside() -> Metrics:
    """A second target, with the metrics that the server of this demonstration never sets."""
    metrics = Metrics()
    metrics.set("bertline_ready", 1)
    metrics.set("bertline_certificate_expiry_timestamp_seconds", time.time() + 60 * alerts.DAY_S, certificate="server")
    for what in ("alias", "rollout"):
        metrics.set("bertline_registry_followed_timestamp_seconds", time.time(), model="reviews", what=what)
    return metrics


@dataclass(frozen=True, slots=True)
class Watched:
    """The parts of the demonstration."""

    server: Spawned
    prometheus: Prometheus
    files: Path


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """A server under load of every kind, and Prometheus reading it each second, until the block ends."""
    bundle = folder / "reviews"
    write_tiny_bundle(bundle, engine=True)
    # So little may wait that a load of a few clients is too much.
    flags = ["--max-wait-ms", "2", "--drain-s", "0", "--cost-per-hour", "0.1"]
    predictions = f"sqlite:///{folder / 'predictions.db'}"
    flags += ["--predictions-url", predictions]
    with open_store(predictions, create=True) as store:  # as bertline drift --predictions-url leaves one
        add_check(
            store, DriftCheck("reviews", now_ms(), 500, "none", {"answers": 0.31, "properties": 0.62}, 0.91, 0.05)
        )
        digest = read_manifest(bundle).checksum
        add_accuracy_check(store, AccuracyCheck("reviews", digest, now_ms(), 800, 0.93, 0.92, False, None))
    with spawned(str(bundle), *flags) as server, exporter(beside()) as other:
        targets = (server.url.removeprefix("http://"), other)
        files = {**prometheus.files(prometheus.Scrape(targets=targets, interval_s=1)), **grafana.files()}
        write_files(files, folder / "observe", "the files")
        place = folder / "observe" / "prometheus"
        with asking(server.url) as load, started(place) as found:
            found.until("bertline_ready == 1 and up == 1")
            _until(lambda: load.statuses >= EVERY_STATUS, f"the clients got {sorted(load.statuses)} only")
            os.kill(server.workers[0], signal.SIGKILL)  # a process that computes is lost, and replaced
            found.until("bertline_worker_restarts_total > 0")
            with judging(server.url):
                found.until("bertline_feedback_judged > 0")
                yield Watched(server, found, folder / "observe")


def _until(holds: Any, otherwise: str) -> None:
    deadline_s = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline_s:
            raise SystemExit(otherwise)
        time.sleep(0.1)


@contextmanager
def judging(url: str) -> Iterator[None]:
    """Give feedback on an answer each second, until the block ends."""
    ended = threading.Event()

    def judge() -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not ended.wait(0.5):
                answer = client.post("/v1/predict", json={"text": "a fine film"})
                if answer.status_code != 200 or ended.wait(0.5):  # until it is written
                    continue
                label = answer.json()["predictions"][0]["label"]
                given = {"request_id": answer.headers["X-Request-Id"], "correct": label}
                client.post("/v1/feedback", json={"items": [given]})

    thread = threading.Thread(target=judge)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def results(found: Prometheus) -> Iterator[tuple[str, str, str, list[Any]]]:
    """Where each expression is used, its name there, the expression, and what Prometheus answers."""
    for name, expression in prometheus.expressions():
        where = "alert" if name.startswith("Bertline") else "recorded"
        asked = measured(expression) if where == "alert" else name
        yield where, name, expression, found.query(asked)
    for board, panel, expression in grafana.expressions():
        yield board, panel, expression, found.query(plain(expression, range_="10s"))


def table(found: Prometheus) -> str:
    """The page."""
    rows = [
        f"| {where} | {name} | `{_cell(expression)}` | {_shown(result)} |"
        for where, name, expression, result in results(found)
    ]
    return "\n".join([HEAD, "| where | name | expression | result |", "| --- | --- | --- | --- |", *rows, ""])


HEAD = """# Observability: every expression, asked

`python -m tools.observe --table` wrote this page: it put a tiny model under a load that is too much for it on
purpose, with refused, wrong, late and cut requests among it, killed a process that computes, let a real Prometheus
read the metrics each second, and asked it each expression of the [rules](guide/observe/metrics.md) and dashboards. Of
an alert it asked what is compared, without the comparison; in panels `$__rate_interval` and
`$__range` were 10 s. `route=~"…"` stands
for the routes that ask a model. The numbers are of that load and say nothing about speed; what counts is that none is
missing. The certificate and the registry came from a second target, because this server has neither.
"""


def _cell(expression: str) -> str:
    return " ".join(expression.split()).replace(MODEL_ROUTES, "…").replace("|", "&#124;")


def _shown(result: Sequence[Any]) -> str:
    if not result:
        return "**nothing**"
    each = []
    for one in result[:SHOWN]:
        hidden = ("__name__", "job", "instance")
        labels = ", ".join(value for name, value in one["metric"].items() if name not in hidden)
        each.append(f"{labels + ': ' if labels else ''}{float(one['value'][1]):.4g}")
    more = f"; {len(result) - SHOWN} more" if len(result) > SHOWN else ""
    return "; ".join(each) + more


def main(arguments: Sequence[str]) -> int:
    """The demonstration, or with ``--table`` the page."""
    if find("prometheus") is None:
        print("bertline: prometheus is missing: apt-get install prometheus, as root", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, watched(Path(folder)) as one:
        if "--table" in arguments:
            time.sleep(SERIES_S)
            page = table(one.prometheus)
            PAGE.write_text(page, encoding="utf-8")
            print(PAGE.relative_to(ROOT))
            return 1 if "**nothing**" in page else 0
        print(f"the server     {one.server.url}  (bertline top {one.server.url})")
        print(f"Prometheus     {one.prometheus.url}/alerts  {one.prometheus.url}/graph")
        print(f"its files      {one.files}  (dashboards for Grafana in grafana/dashboards)")
        print("Ctrl+C ends all of it")
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
