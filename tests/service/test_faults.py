"""Real processes that are killed, hung, poisoned and flooded: whoever was accepted is answered, and rightly."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import tokenizers
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from bertline.bundle import load, writing
from bertline.testing.tiny import VOCABULARY, write_tiny_bundle
from bertline.text import Tokenizer
from tests.nightly import mostly_nightly
from tests.service.load import every, loaded
from tests.service.sockets import HEAD, connected, request_of
from tests.service.spawn import Spawned, spawned

REPEATS = int(os.environ.get("FAULT_REPEATS", "1"))
QUICK = ("--drain-s", "0")
BODIES: list[dict[str, object]] = [
    {"text": "a film"},
    {"texts": ["is it so ? it is !", "one .", "an is at on"]},
    {"text": "it is a long text , as long as it is , and it is longer still ! " * 6},
]
CONNECTIONS = 2000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("faults") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Spawned]:
    """One that several tests share, each leaving it as it was."""
    with spawned(str(bundle), *QUICK) as one:
        yield one


def until(holds: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def ready(url: str) -> bool:
    return httpx.get(f"{url}/health/ready").status_code == 200


def metric(url: str, name: str) -> float:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


# ------------------------------------------------------------------------------------------- processes that end


def test_killing_a_worker_during_batches_loses_no_answer(server: Spawned) -> None:
    with loaded(server.url, BODIES) as load:
        for _ in range(2):
            load.until(20)
            until(lambda: len(server.workers) == 1)  # the one that was killed before may still be on its way out
            (worker,) = server.workers
            os.kill(worker, signal.SIGSTOP)  # now nothing comes back, and all eight wait
            until(lambda: metric(server.url, "bertline_http_requests_in_progress") >= 8)
            with suppress(ProcessLookupError):  # on a slow machine the server was faster
                os.kill(worker, signal.SIGKILL)
            load.until(20)
            assert server.workers != [worker]
    assert (load.statuses, load.lost) == ({200}, [])
    assert ready(server.url)


def test_a_process_that_hangs_is_replaced_and_everybody_is_answered(bundle: Path) -> None:
    with spawned(str(bundle), *QUICK, "--worker-timeout-s", "1") as server, loaded(server.url, BODIES) as load:
        load.until(20)
        (worker,) = server.workers
        os.kill(worker, signal.SIGSTOP)
        until(lambda: not ready(server.url))
        assert httpx.get(f"{server.url}/livez").status_code == 200
        until(lambda: ready(server.url))
        load.until(20)
        assert server.workers != [worker]
    assert (load.statuses, load.lost) == ({200}, [])


def test_a_process_that_cannot_be_started_again_ends_the_server_with_one_sentence(tmp_path: Path) -> None:
    target = tmp_path / "tiny"
    write_tiny_bundle(target, engine=True)
    with spawned(str(target), "--drain-s", "0.5") as server, loaded(server.url, BODIES) as load:
        load.until(20)
        shutil.rmtree(target)
        os.kill(server.workers[0], signal.SIGKILL)
        code, _, errors = server.ended(timeout_s=20)
    assert code == 1
    assert errors.splitlines()[-1].startswith("error: ")
    assert str(target) in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert load.statuses <= {200, 503}
    assert load.lost == []


# ------------------------------------------------------------------------------------------- texts that harm


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    """A bundle whose tokenizer knows one word more than its network has rows for."""
    target = tmp_path_factory.mktemp("poisoned") / "tiny"
    words = {word: id_ for id_, word in enumerate([*VOCABULARY, "zzz"])}
    pieces = BertWordPieceTokenizer(vocab=words, lowercase=True)
    one = load(bundle)
    with writing(target, one.manifest) as staging:
        shutil.copytree(bundle, staging, dirs_exist_ok=True, ignore=shutil.ignore_patterns("bertline.json"))
        tokenizer = Tokenizer(tokenizers.Tokenizer.from_str(pieces.to_str()), lowercase=True)
        tokenizer.save(staging, max_tokens=one.manifest.max_tokens)
    return target


def test_a_text_that_cannot_be_computed_fails_only_its_own_request(poisoned: Path) -> None:
    with spawned(str(poisoned), *QUICK, "--lanes", "1") as server:
        (worker,) = server.workers

        def ask(place: int) -> httpx.Response:
            text = "zzz film" if place % 16 == 7 else "a film"
            return httpx.post(f"{server.url}/v1/predict", json={"text": text}, timeout=60)

        answers = every(32, ask)
        alone = httpx.post(f"{server.url}/v1/predict", json={"texts": ["a film", "zzz", "one ."]})
        expected = httpx.post(f"{server.url}/v1/predict", json={"text": "a film"}).json()
        assert server.workers == [worker]  # an error of the library, and no crash
        server.stop()
        code, _, errors = server.ended()
    for place, answer in enumerate(answers):
        if place % 16 == 7:
            assert (answer.status_code, answer.json()["error"]["code"]) == (500, "compute_failed")
            assert "zzz" not in answer.text
            assert str(poisoned) not in answer.text
        else:
            assert answer.status_code == 200
            (found,) = answer.json()["predictions"]
            probabilities = [one["probability"] for one in found["probabilities"]]
            (right,) = expected["predictions"]
            assert probabilities == pytest.approx([one["probability"] for one in right["probabilities"]], abs=1e-5)
    assert alone.json()["error"]["field"] == "texts[1]"
    assert code == 0
    assert "cannot compute a text of 7 tokens: the network fails at it" in errors
    assert "zzz" not in errors


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": "a" * 1_000_000}, 422, "text_too_long"),
        ({"text": "a " * 500_000}, 422, "text_too_long"),
        ({"text": "a" * 20_000_000}, 413, "body_too_large"),
        ({"texts": ["a"] * 100_000}, 422, "too_many_texts"),
        ({"texts": ["a " * 24_000] * 128, "truncation": "window"}, 413, "body_too_large"),
        ({"texts": ["a " * 15_000] * 128, "truncation": "window"}, 422, "too_many_tokens"),
    ],
)
def test_a_request_that_is_too_large_is_rejected_and_others_are_answered(
    server: Spawned, body: dict[str, object], status: int, code: str
) -> None:
    with loaded(server.url, BODIES, clients=2) as load:
        load.until(2)
        answer = httpx.post(f"{server.url}/v1/predict", json=body, timeout=60)
        load.until(2)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert (load.statuses, load.lost) == ({200}, [])


# ------------------------------------------------------------------------------------------- clients that harm


def test_clients_that_go_without_an_answer_leave_nothing_behind(server: Spawned) -> None:
    (worker,) = server.workers
    os.kill(worker, signal.SIGSTOP)
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(connected(server.url)).sendall(request_of({"texts": ["a film"] * 20}))
        until(lambda: metric(server.url, "bertline_http_requests_in_progress") >= 51)
    until(lambda: metric(server.url, "bertline_http_requests_in_progress") == 1)  # the one that asks this
    assert metric(server.url, "bertline_queue_texts") == 0
    with suppress(ProcessLookupError):  # one that is stopped for too long is replaced
        os.kill(worker, signal.SIGCONT)
    assert httpx.post(f"{server.url}/v1/predict", json=BODIES[0], timeout=30).status_code == 200
    assert len(server.workers) == 1


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process hold as many connections as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.drill
@pytest.mark.slow
def test_thousands_of_idle_connections_and_slow_ones_do_not_keep_others_from_their_answers(bundle: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2 * CONNECTIONS:
        pytest.skip("this system lets a process have too few connections")
    with many_files(), spawned(str(bundle), *QUICK, "--body-timeout-s", "3") as server, ExitStack() as stack:
        idle = [stack.enter_context(connected(server.url)) for _ in range(CONNECTIONS)]
        slow = [stack.enter_context(connected(server.url)) for _ in range(20)]
        for one in slow[:10]:
            one.sendall(HEAD)
        for one in slow[10:]:
            one.sendall(HEAD + b"Content-Length: 999\r\n\r\n{")
        with loaded(server.url, BODIES) as load:
            load.until(300)
            for one in slow[:10]:
                one.sendall(b"X-Drop: a\r\n")
        took_s = [one.elapsed.total_seconds() for one in load.answers]
        assert (load.statuses, load.lost) == ({200}, [])
        assert sorted(took_s)[len(took_s) // 2] < 1
        assert [told(one)[:12] for one in slow[10:]] == [b"HTTP/1.1 408"] * 10
        assert {told(one) for one in [*slow[:10], *idle]} == {b""}  # closed, and nothing said
        assert httpx.post(f"{server.url}/v1/predict", json=BODIES[0]).status_code == 200


def told(connection: socket.socket) -> bytes:
    """What the server said before it closed the connection."""
    with connection:
        return b"".join(iter(lambda: connection.recv(4096), b""))


# ------------------------------------------------------------------------------------------- changes under load


@pytest.mark.parametrize("repeat", range(REPEATS))
@pytest.mark.parametrize("stubborn", mostly_nightly([True, False], always=1))
def test_a_stop_under_load_loses_no_request_and_ends_with_exit_code_0(
    bundle: Path, stubborn: bool, repeat: int
) -> None:
    """Nor one of a client that comes back after it was asked to go elsewhere, as long as it is let in."""
    # Long enough for a client that waits for a core: after the drain, connections between two requests are closed.
    arguments = (str(bundle), "--drain-s", "1.5", "--logs-level", "warning")
    with spawned(*arguments) as server, loaded(server.url, BODIES, stubborn=stubborn) as load:
        load.until(40 + repeat)
        server.stop()
        assert server.ended() == (
            0,
            "",
            "no authentication: only this machine can reach the server\n",
        )
    assert (load.statuses, load.lost) == ({200}, [])
    told = sum(one.headers.get("Connection") == "close" for one in load.answers)
    assert told > 8 if stubborn else told == 8


def test_versions_are_switched_under_load_and_no_answer_is_lost_or_mixed(tmp_path: Path) -> None:
    labels = [("negative", "neutral", "positive"), ("sad", "so so", "glad", "angry")]
    bundles = [tmp_path / name for name in ("old", "new")]
    for number, target in enumerate(bundles):
        write_tiny_bundle(target, engine=True, seed=number, labels=labels[number])
    versions = [load(target).version for target in bundles]
    named = dict(zip(versions, map(set, labels), strict=True))
    with spawned(f"one={bundles[0]}", *QUICK) as server, loaded(server.url, BODIES) as asked:
        admin = f"{server.url}/admin/models/one"
        asked.until(20)
        answer = httpx.put(admin, json={"bundle": str(bundles[1])}, timeout=60)
        assert (answer.status_code, answer.json()["current"]["version"]) == (200, versions[1])
        for turn in range(6):
            asked.until(20)
            back = httpx.post(f"{admin}/rollback").json()
            assert back["current"]["version"] == versions[turn % 2]
        asked.until(20)
        assert httpx.put(admin, json={"bundle": str(tmp_path / "nowhere")}).status_code == 409
        third = httpx.put(admin, json={"bundle": str(bundles[0])}, timeout=60)  # its third load ends a process
        assert third.json()["current"]["version"] == versions[0]
        asked.until(20)
        until(lambda: len(server.workers) == 2)
    assert (asked.statuses, asked.lost) == ({200}, [])
    seen: set[str] = set()
    for answer in asked.answers:
        version = answer.headers["X-Model-Version"]
        assert answer.json()["model"] == {"name": "one", "version": version}
        for prediction in answer.json()["predictions"]:
            assert {one["label"] for one in prediction["probabilities"]} == named[version]
        seen.add(version)
    assert seen == set(versions)
