"""R16: timeouts that hold beside those of proxies and of whoever stops the server."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from bertline.config import load_settings
from bertline.errors import SettingsError
from bertline.lifecycle.predictions import writer
from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.monitoring.traces import exporter
from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.service.perimeter import Perimeter
from bertline.service.settings import ENDING_S
from bertline.serving import process
from bertline.testing.tiny import write_tiny_bundle
from bertline.testing.words import ThreadWorker, WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.live import live, warm
from tests.service.proxying import nginx
from tests.service.sockets import connected, rest_of
from tests.service.spawn import Spawned, spawned

GUIDE = (Path(__file__).parents[2] / "docs/guide/timeouts.md").read_text(encoding="utf-8")
KUBERNETES_S, LONGEST_COMMON_IDLE_S = 30, 120
DRAIN_S, SHUTDOWN_S = 0.5, 1
GRACE_S = DRAIN_S + SHUTDOWN_S + ENDING_S
STOPPING = ("--drain-s", str(DRAIN_S), "--shutdown-timeout-s", str(SHUTDOWN_S), "--stop-grace-s", str(GRACE_S))
TIME_WAIT, ESTABLISHED = "06", "01"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("timeouts") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


# ------------------------------------------------------------------------------------------------- the numbers


def test_the_defaults_fit_into_kubernetes_grace_with_a_hook_of_five_seconds() -> None:
    """R16: 24 of 30 s."""
    defaults = ServeSettings()
    assert defaults.stop_grace_s == KUBERNETES_S
    assert defaults.drain_s + defaults.shutdown_timeout_s + ENDING_S + 5 <= KUBERNETES_S


def test_what_ends_after_the_requests_fits_into_its_time() -> None:
    """Predictions are written while the workers end, then spans are sent."""
    assert max(process.END_S, writer.FLUSH_S) + exporter.FLUSH_S <= ENDING_S


def test_the_time_for_predictions_runs_while_the_workers_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(writer.PredictionWriter, "hurry", lambda _: ended.append("predictions hurry"))

    async def stop(_: ThreadWorker) -> None:
        ended.append("a worker ends")

    monkeypatch.setattr(ThreadWorker, "stop", stop)
    kept = writer.PredictionWriter(PredictionSettings(url=f"sqlite:///{tmp_path / 'predictions.db'}"))
    app = create_app(serving_of({"reviews": WordCounter()}), Perimeter(predictions=kept))
    with TestClient(app) as client:
        until_ready(client)
    assert ended == ["predictions hurry", "a worker ends"]


def test_the_default_outlives_idle_connections_of_common_proxies_and_the_guide_names_both_rules() -> None:
    """R16: above 60 s (AWS, nginx), 90 s (Traefik) and 120 s (Caddy)."""
    defaults = ServeSettings()
    assert defaults.idle_timeout_s > LONGEST_COMMON_IDLE_S
    assert f"`idle_timeout_s` ({defaults.idle_timeout_s}) must be greater than the proxy's timeout" in GUIDE
    assert f"`drain_s` ({defaults.drain_s:g})" in GUIDE
    assert f"`shutdown_timeout_s` ({defaults.shutdown_timeout_s})" in GUIDE
    assert f"+ {ENDING_S:g} s must not exceed `stop_grace_s` ({defaults.stop_grace_s:g})" in GUIDE


@pytest.mark.parametrize(
    ("proxy_s", "ours_s"), re.findall(r"^\| [^|]+ \| (\d+) s[^|]* \| (\d+) \|$", GUIDE, re.MULTILINE)
)
def test_each_row_of_the_guide_keeps_the_rule(proxy_s: str, ours_s: str) -> None:
    assert int(ours_s) > int(proxy_s)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"shutdown_timeout_s": 30}, "stopping takes up to 39 s (drain_s 5, shutdown_timeout_s 30, and 4 to end)"),
        ({"drain_s": 12}, "stopping takes up to 31 s (drain_s 12, shutdown_timeout_s 15, and 4 to end)"),
        ({"stop_grace_s": 10}, "but the server is killed after stop_grace_s, 10 s: lower one of the two, or raise"),
    ],
)
def test_insufficient_space_is_reported_before_anything_starts(
    given: dict[str, float], sentence: str, tmp_path: Path
) -> None:
    """R16: too long an end, too long a drain, too short a grace."""
    with pytest.raises(SettingsError) as refused:
        load_settings(ServeSettings, "serve", given, file=tmp_path / "none", environ={})
    assert str(refused.value).startswith("the settings of serve do not fit together: stopping takes up to ")
    assert sentence in str(refused.value)


def test_an_exact_fit_is_accepted_and_so_is_the_guides_row_for_docker() -> None:
    assert ServeSettings(drain_s=11).drain_s == 11
    assert ServeSettings(drain_s=1, shutdown_timeout_s=5, stop_grace_s=10).shutdown_timeout_s == 5
    assert "10, with `drain_s = 1` and `shutdown_timeout_s = 5`" in GUIDE


# ------------------------------------------------------------------------------------------------- stopping


def stopped(server: Spawned) -> int:
    """The exit code of a server that is told to stop as Kubernetes does, and killed when its grace is over."""
    server.stop()
    return server.ended(GRACE_S)[0]


def test_a_request_that_hangs_does_not_hold_it_up(bundle: Path) -> None:
    """R16: its body never comes."""
    with spawned(str(bundle), *STOPPING) as server, connected(server.url) as hanging:
        hanging.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        time.sleep(0.2)
        assert stopped(server) == 0


def test_connections_that_say_nothing_do_not_hold_it_up(bundle: Path) -> None:
    """R16: kept alive and idle, or never used; each is closed and not reset."""
    with spawned(str(bundle), *STOPPING) as server, ExitStack() as stack:
        idle = [stack.enter_context(connected(server.url)) for _ in range(20)]
        for one in idle[:10]:
            one.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert one.recv(12) == b"HTTP/1.1 200"
        assert stopped(server) == 0
        said = [rest_of(one) for one in idle]  # to the end of each, where a reset would raise
        assert [bool(one) for one in said] == [True] * 10 + [False] * 10


def test_a_process_that_does_not_end_does_not_hold_it_up(bundle: Path) -> None:
    """R16: it is killed after two seconds."""
    with spawned(str(bundle), *STOPPING) as server:
        [worker] = server.workers
        os.kill(worker, signal.SIGSTOP)
        assert stopped(server) == 0


def test_ctrl_c_does_not_drain(bundle: Path) -> None:
    """R16: the drain is for balancers, and an hour of it would outlast this test."""
    times = ("--drain-s", "3600", "--stop-grace-s", "4000")
    with spawned(str(bundle), *times) as server:
        server.stop(signal.SIGINT)
        assert server.ended(30)[0] == 0


# ------------------------------------------------------------------------------------------------- behind nginx


def connections(port: int, state: str) -> list[str]:
    """The system's connections of the one that listens at this port, by the other's address."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return [row[2] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == state]


def closed_by_the_server(port: int) -> bool:
    """Waits until no connection is left. The side that closes first is the one that waits afterwards (TIME-WAIT)."""
    deadline_s = time.monotonic() + 30
    while connections(port, ESTABLISHED):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return bool(connections(port, TIME_WAIT))


@pytest.mark.parametrize(("ours_s", "nginxs_s"), [(4, 1), (1, 60)])
def test_the_shorter_timeout_closes_an_idle_connection(ours_s: int, nginxs_s: int, tmp_path: Path) -> None:
    """R16: with ours above nginx's it is nginx, so that it sends no request on what is being closed."""
    with live({"reviews": WordCounter()}, ServeSettings(drain_s=0, idle_timeout_s=ours_s)) as url:
        behind = int(warm(url).rpartition(":")[2])
        with nginx(tmp_path, behind, nginxs_s) as port:
            answer = httpx.post(f"http://127.0.0.1:{port}/v1/predict", json={"text": "good"})
            assert answer.status_code == 200
            assert closed_by_the_server(behind) is (ours_s < nginxs_s)


def test_requests_in_the_moment_in_which_nginx_closes_are_all_answered(tmp_path: Path) -> None:
    """R16: pauses about as long as nginx's timeout, with ours above it."""
    with live({"reviews": WordCounter()}, ServeSettings(drain_s=0, idle_timeout_s=4)) as url:
        behind = int(warm(url).rpartition(":")[2])
        with nginx(tmp_path, behind, 1) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            statuses = []
            for pause_s in (0.0, 0.98, 0.99, 1.0, 1.001, 1.01, 1.02):
                time.sleep(pause_s)
                statuses.append(client.post("/v1/predict", json={"text": "good"}).status_code)
    assert statuses == [200] * 7


def test_an_idle_connection_of_the_system_is_found_where_it_is() -> None:
    """What the tests above look at: the one that closes first has the connection in TIME-WAIT."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted = listener.accept()[0]
        assert len(connections(port, ESTABLISHED)) == 1
        accepted.close()
        assert client.recv(1) == b""
        client.close()
        assert closed_by_the_server(port)
