"""A real Prometheus over a real server, and clients that get every kind of answer from it."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from bertline.monitoring.metrics.registry import CONTENT_TYPE, Metrics
from tests.programs import program

ROOT = Path(__file__).parents[2]
LONG = "it is a long text , as long as it is , and it is longer still ! " * 6
BODIES: Sequence[tuple[dict[str, Any], dict[str, str]]] = (
    ({"text": "a film"}, {}),
    ({"texts": ["is it so ? it is !", "one .", "an is at on"]}, {}),
    ({"text": LONG}, {}),  # is cut
    ({"text": ""}, {}),  # 422
    ({"text": "a film", "model": "nobody"}, {}),  # 404
    ({"texts": [LONG] * 64}, {}),  # with others beside it: 429
    ({"text": "one ."}, {"X-Request-Timeout-Ms": "0.001"}),  # 504
)
EVERY_STATUS = {200, 404, 422, 429, 504}


def promtool(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """What promtool says."""
    # Collected eight times as rarely, its rubbish takes a third less time.
    return subprocess.run(
        [program("promtool"), *arguments],
        cwd=directory,
        env={**os.environ, "GOGC": "800"},
        capture_output=True,
        text=True,
        check=False,
    )


class Prometheus:
    """Its HTTP API.

    Args:
        url: where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self.close = self._client.close

    def query(self, expression: str) -> list[Any]:
        """The result as it is now; of a scalar, one."""
        answer = self._client.post("/api/v1/query", data={"query": expression}).json()
        assert answer["status"] == "success", answer
        found = answer["data"]["result"]
        return found if answer["data"]["resultType"] == "vector" else [{"metric": {}, "value": found}]

    def rules(self) -> list[Any]:
        """Each rule, with its health."""
        groups = self._client.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def until(self, expression: str, timeout_s: float = 60) -> list[Any]:
        """The result, once there is one."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            if found := self.query(expression):
                return found
            assert time.monotonic() < deadline_s, f"nothing for {expression}"
            time.sleep(0.2)


@contextmanager
def prometheus(files: Path) -> Iterator[Prometheus]:
    """Prometheus on a free port with the configuration in this directory, until the block ends."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    command = [
        program("prometheus"),
        "--config.file=prometheus.yml",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    command += [f"--storage.tsdb.path={files / 'data'}", "--storage.tsdb.retention.time=1d"]
    with (files / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, cwd=files, stdout=log, stderr=log)
        try:
            _until_ready(f"http://{address}", files / "prometheus.log")
            found = Prometheus(f"http://{address}")
            try:
                yield found
            finally:
                found.close()
        finally:
            process.terminate()
            process.wait(timeout=30)


def _until_ready(url: str, log: Path) -> None:
    deadline_s = time.monotonic() + 60
    while True:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200:
                return
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.05)


@contextmanager
def exporter(metrics: Metrics) -> Iterator[str]:
    """``host:port`` where these metrics can be read."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.end_headers()
            self.wfile.write(metrics.text())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(timeout=30)


class Asking:
    """Clients in threads.

    Attributes:
        statuses: what they were told, so far.
    """

    def __init__(self, url: str, key: str | None) -> None:
        self.statuses: set[int] = set()
        self.answers = 0
        self._url, self._headers = url, {"Authorization": f"Bearer {key}"} if key else {}
        self.stopping = threading.Event()

    def client(self, place: int) -> None:
        """Ask one thing after the other."""
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60, trust_env=False) as client:
            turn = place
            while not self.stopping.wait(0.02):
                body, headers = BODIES[turn % len(BODIES)]
                turn += 1
                with suppress(httpx.HTTPError):  # the server may be replaced meanwhile
                    self.statuses.add(client.post("/v1/predict", json=body, headers=headers).status_code)
                    self.answers += 1


@contextmanager
def asking(url: str, clients: int = 8, key: str | None = None) -> Iterator[Asking]:
    """A load of every kind on the server during the block."""
    load = Asking(url, key)
    threads = [threading.Thread(target=load.client, args=(place,)) for place in range(clients)]
    for one in threads:
        one.start()
    try:
        yield load
    finally:
        load.stopping.set()
        for one in threads:
            one.join(timeout=60)
