"""A real process: it says when it is ready, stops with exit code 0, and explains why it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import httpx
import pytest

from bertline.errors import UsageError
from bertline.service import ServeSettings
from bertline.service.run import listen, page_url, serve
from tests.service.doubles import Broken, Gated, WordCounter
from tests.unit.inference.tiny import write_tiny_bundle

ROOT = Path(__file__).parents[2]
DOUBLE = """
from bertline.service import ServeSettings
from bertline.service.run import serve
from tests.service.doubles import WordCounter
serve({"reviews": WordCounter()}, ServeSettings(port=0),
      on_ready=lambda url: print(url, flush=True), on_exposed=print)
print("stopped", flush=True)
"""
GOOD = {"text": "good"}
COMMAND = "from bertline.cli.main import main; main()"


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        [sys.executable, "-c", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_it_with_exit_code_0(stop: signal.Signals) -> None:
    with process(DOUBLE) as server:
        assert server.stdout
        url = server.stdout.readline().strip()
        with httpx.Client(base_url=url) as client:
            assert client.get("/health/ready").status_code == 200
            assert client.post("/v1/predict", json=GOOD).status_code == 200
            server.send_signal(stop)  # while a connection is open
            out, err = server.communicate(timeout=60)
    assert (server.returncode, out, err) == (0, "stopped\n", "")


def test_the_command_serves_a_real_bundle(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    with process(COMMAND, "serve", f"letters={tmp_path / 'tiny'}", "--port", "0") as server:
        assert server.stdout
        line = server.stdout.readline().strip()
        url = line.split(" at ")[1].split(" ")[0]
        answer = httpx.post(f"{url}/v1/predict", json={"texts": ["it is a film", "no " * 100]}).json()
        described = httpx.get(f"{url}/v1/models").json()["models"][0]
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=60)
    assert (server.returncode, err) == (0, "")
    assert line == f"letters (version {described['version']}, engine torch) at {url} · API: {url}/docs · Ctrl+C stops"
    assert answer["model"] == {"name": "letters", "version": described["version"]}
    assert described["labels"] == ["negative", "neutral", "positive"]
    first, second = answer["predictions"]
    assert sum(one["probability"] for one in first["probabilities"]) == pytest.approx(1)
    assert first["cut_tokens"] == 0
    assert second["read_tokens"] == 32
    assert second["cut_tokens"] > 0


def test_a_port_in_use_is_said_in_one_sentence_with_the_remedy() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            listen("127.0.0.1", port)
    remedy = "choose another with --port, or let --port 0 find a free one"
    assert str(caught.value) == f"port {port} of 127.0.0.1 is in use: {remedy}"


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if host.endswith(".invalid"):  # without asking a name server

        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UsageError, match=f"^{host} is not an address of this machine: try --host 127.0.0.1$"):
        listen(host, 8000)


def test_the_url_of_every_network_is_the_one_of_this_machine() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert page_url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_model_that_cannot_answer_stops_the_server_with_its_error() -> None:
    ready: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match=r"^no weights$"):
        serve({"a": Broken()}, ServeSettings(port=0), on_ready=ready.append, on_exposed=ready.append)
    assert ready == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_request_in_progress_is_answered_before_the_end() -> None:
    model = Gated()
    model.gate.set()
    answers: list[int] = []

    def ask_and_stop(url: str) -> None:
        model.gate.clear()
        model.entered.clear()
        asking = Thread(target=lambda: answers.append(httpx.post(f"{url}/v1/predict", json=GOOD).status_code))
        asking.start()
        assert model.entered.wait(timeout=30)
        os.kill(os.getpid(), signal.SIGTERM)
        with suppress(httpx.TransportError):  # until nobody listens any more
            while True:
                httpx.get(f"{url}/health/live")
        model.gate.set()
        asking.join(timeout=30)

    helpers: list[Thread] = []

    def on_ready(url: str) -> None:
        helpers.append(Thread(target=ask_and_stop, args=(url,)))
        helpers[0].start()

    serve({"slow": model}, ServeSettings(port=0), on_ready=on_ready, on_exposed=print)
    helpers[0].join(timeout=30)
    assert answers == [200]


def test_an_address_that_others_can_reach_is_reported_and_loopback_is_not() -> None:
    exposed: list[str] = []

    def stop(url: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    for host in ("127.0.0.1", "0.0.0.0"):
        settings = ServeSettings(host=host, port=0)
        serve({"a": WordCounter()}, settings, on_ready=stop, on_exposed=exposed.append)
    assert len(exposed) == 1
    assert exposed[0].startswith("0.0.0.0:")
