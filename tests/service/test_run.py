"""A real process: it says when it is ready, stops with exit code 0, and explains why it cannot start."""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread

import httpx
import pytest

from bertline.errors import BundleError, UsageError
from bertline.service import ServeSettings, run
from bertline.service.run import freeze_garbage_collection, listen, page_url, serve, tokenise_in_one_thread
from bertline.serving.models import Models
from bertline.testing.tiny import write_tiny_bundle
from bertline.testing.words import Broken, Gated, WordCounter, serving_of
from tests.service.sockets import connected, request_of
from tests.service.spawn import spawned

GOOD = {"text": "good"}
QUICK = ServeSettings(port=0, drain_s=0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("run") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Callable[[WordCounter], dict[str, Path]]:
    """Lets ``serve`` find this double in the place of a bundle's network."""

    def put(model: WordCounter) -> dict[str, Path]:
        monkeypatch.setattr(run, "Serving", lambda bundles, settings: serving_of({"one": model}, settings))
        return {"one": model.bundle}

    return put


OPEN_HERE = "no authentication: only this machine can reach the server\n"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_it_with_exit_code_0(bundle: Path, stop: signal.Signals) -> None:
    arguments = (str(bundle), "--drain-s", "0", "--lanes", "1", "--logs-level", "warning")
    with spawned(*arguments) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/health/ready").status_code == 200
        assert client.post("/v1/predict", json=GOOD).status_code == 200
        server.stop(stop)  # while a connection is open
        assert server.ended() == (0, "", OPEN_HERE)


def test_the_command_serves_a_real_bundle(bundle: Path) -> None:
    with spawned(f"letters={bundle}", "--drain-s", "0", "--logs-level", "warning") as server:
        answer = httpx.post(f"{server.url}/v1/predict", json={"texts": ["it is a film", "no " * 100]}).json()
        described = httpx.get(f"{server.url}/v1/models").json()["models"][0]
        server.stop()
        assert server.ended() == (0, "", OPEN_HERE)
    version = described["version"]
    assert server.line == (
        f"letters (version {version}, engine fp32) at {server.url} · API: {server.url}/docs · Ctrl+C stops"
    )
    assert answer["model"] == {"name": "letters", "version": version}
    assert described["labels"] == ["negative", "neutral", "positive"]
    first, second = answer["predictions"]
    assert sum(one["probability"] for one in first["probabilities"]) == pytest.approx(1)
    assert first["cut_tokens"] == 0
    assert second["read_tokens"] == 32
    assert second["cut_tokens"] > 0


def test_a_port_in_use_is_one_sentence_with_the_remedy() -> None:
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


def test_a_model_that_cannot_answer_stops_the_server_with_its_error(
    around: Callable[[WordCounter], dict[str, Path]],
) -> None:
    ready: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    sentence = r"^one cannot answer: The model cannot compute text 0: it has no weights\.$"
    with pytest.raises(BundleError, match=sentence):
        serve(around(Broken()), QUICK, on_ready=lambda url, _: ready.append(url), on_exposed=ready.append)
    assert ready == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_bundle_that_is_none_stops_the_server_with_its_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere"):
        serve({"a": tmp_path / "nowhere"}, QUICK, on_ready=lambda *_: None, on_exposed=print)


def test_while_draining_it_is_unready_and_finishes_requests_in_progress(
    around: Callable[[WordCounter], dict[str, Path]],
) -> None:
    model = Gated()
    model.gate.set()
    answers: list[httpx.Response] = []
    seen: list[tuple[int, str | None]] = []

    def ask(url: str) -> None:
        answers.append(httpx.post(f"{url}/v1/predict", json=GOOD))

    def ask_and_stop(url: str) -> None:
        model.gate.clear()
        model.entered.clear()
        asking = [Thread(target=ask, args=(url,))]
        asking[0].start()
        assert model.entered.wait(timeout=30)
        os.kill(os.getpid(), signal.SIGTERM)
        while (ready := httpx.get(f"{url}/health/ready")).status_code == 200:
            pass
        seen.append((ready.status_code, ready.headers.get("Connection")))
        asking.append(Thread(target=ask, args=(url,)))  # nobody has told this client yet
        asking[1].start()
        with suppress(httpx.TransportError):  # until nobody listens any more
            while True:
                httpx.get(f"{url}/health/live")
        model.gate.set()
        for one in asking:
            one.join(timeout=30)

    helpers: list[Thread] = []

    def on_ready(url: str, models: Models) -> None:
        helpers.append(Thread(target=ask_and_stop, args=(url,)))
        helpers[0].start()

    settings = ServeSettings(port=0, drain_s=1)
    serve(around(model), settings, on_ready=on_ready, on_exposed=print)
    helpers[0].join(timeout=30)
    assert [one.status_code for one in answers] == [200, 200]
    assert [one.headers.get("Connection") for one in answers] == ["close", "close"]
    assert seen == [(503, "close")]


def test_requests_admitted_before_shutdown_are_answered(
    around: Callable[[WordCounter], dict[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LAST_REQUESTS_S", 0.5)
    answers: list[bytes] = []
    helpers: list[Thread] = []

    def speak_when_the_door_has_closed(url: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        with ExitStack() as stack:
            inside = [stack.enter_context(connected(url)) for _ in range(5)]
            with suppress(OSError):  # until nobody listens any more
                while True:
                    with connected(url):
                        time.sleep(0.002)
            for one in inside:
                one.sendall(request_of(GOOD))
            answers.extend(one.recv(65536)[:12] for one in inside)

    def on_ready(url: str, models: Models) -> None:
        helpers.append(Thread(target=speak_when_the_door_has_closed, args=(url,)))
        helpers[0].start()

    settings = ServeSettings(port=0, drain_s=0.5)
    serve(around(WordCounter()), settings, on_ready=on_ready, on_exposed=print)
    helpers[0].join(timeout=30)
    assert answers == [b"HTTP/1.1 200"] * 5


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_public_address_without_authentication_is_refused(
    host: str, around: Callable[[WordCounter], dict[str, Path]]
) -> None:
    with pytest.raises(UsageError, match=r"^other machines can reach .* without authentication: set .*--insecure"):
        serve(
            around(WordCounter()),
            ServeSettings(host=host, port=0, drain_s=0),
            on_ready=lambda *_: None,
            on_exposed=print,
        )


def test_an_address_that_others_can_reach_is_reported_and_loopback_is_not(
    around: Callable[[WordCounter], dict[str, Path]],
) -> None:
    exposed: list[str] = []

    def stop(url: str, models: Models) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    bundles = around(WordCounter())
    for host in ("127.0.0.1", "0.0.0.0"):
        settings = ServeSettings(host=host, port=0, drain_s=0, insecure=True)
        serve(bundles, settings, on_ready=stop, on_exposed=exposed.append)
    assert len(exposed) == 1
    assert exposed[0].startswith("0.0.0.0:")


@pytest.mark.parametrize(("said", "then"), [(None, "false"), ("true", "true")])
def test_the_tokenizer_starts_no_threads_by_default(
    monkeypatch: pytest.MonkeyPatch, said: str | None, then: str
) -> None:
    monkeypatch.setattr(os, "environ", {} if said is None else {"TOKENIZERS_PARALLELISM": said})
    tokenise_in_one_thread()
    assert os.environ["TOKENIZERS_PARALLELISM"] == then


def test_startup_objects_are_frozen_for_the_garbage_collector() -> None:
    try:
        freeze_garbage_collection()
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
