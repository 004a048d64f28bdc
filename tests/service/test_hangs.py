"""Real processes that hang in every way: they are noticed, replaced, and whoever waits is answered once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bertline.testing.tiny import write_tiny_bundle
from tests.service import spawn
from tests.service.load import loaded
from tests.service.spawn import spawned
from tests.service.test_faults import QUICK, ready, until

BODIES: list[dict[str, object]] = [{"text": "a film"}, {"texts": ["is it so ? it is !", "one .", "an is at on"]}]
HANGS = "is is is is is is"
# What the interpreter runs before anything else: a lane hangs at a text of six equal tokens, in whatever batch it is.
HOOK = """
import os, re, time
from bertline.inference import predictor

def hang():
    if os.environ["HANG"] == "waits":
        time.sleep(3600)  # as in a library that waits for a lock: others can go on
    re.fullmatch("(a+)+b", "a" * 64)  # holds the interpreter's lock for years

def compute(self, batch, output="logits", *, alone=False, real=predictor.TextClassifier.compute):
    texts = [row[real].tolist()[1:-1] for row, real in zip(batch.ids, batch.attend)]
    if any(len(tokens) == 6 and len(set(tokens)) == 1 for tokens in texts):
        hang()
    return real(self, batch, output, alone=alone)

predictor.TextClassifier.compute = compute
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("hangs") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


def test_a_process_that_is_stopped_under_load_is_replaced_long_before_the_upper_limit(bundle: Path) -> None:
    """R19: its batches cost milliseconds, and ``worker_timeout_s`` is a minute here."""
    with spawned(str(bundle), *QUICK, "--worker-timeout-s", "60") as server, loaded(server.url, BODIES) as load:
        load.until(40)
        (worker,) = server.workers
        began_s = time.monotonic()
        os.kill(worker, signal.SIGSTOP)
        until(lambda: not ready(server.url), 30)
        until(lambda: ready(server.url), 30)
        assert time.monotonic() - began_s < 30
        load.until(40)
        assert server.workers != [worker]
        told = server.errors()
    assert (load.statuses, load.lost) == ({200}, [])
    assert "was lost: a batch took longer than 1.5 s and usually takes about " in told


@pytest.mark.drill
def test_a_process_that_is_stopped_while_idle_is_red_and_replaced(bundle: Path) -> None:
    """R19: nobody needs to ask anything."""
    with spawned(str(bundle), *QUICK, "--worker-timeout-s", "60") as server:
        (worker,) = server.workers
        os.kill(worker, signal.SIGSTOP)
        until(lambda: not ready(server.url), 30)
        until(lambda: ready(server.url) and server.workers != [worker], 30)
        told = server.errors()
    assert f"process {worker} has been silent for 1.5 s" in told
    assert "was lost: it has been silent for 5 s" in told


def test_a_briefly_stopped_process_is_not_replaced(bundle: Path) -> None:
    """R19: a pause is no hang."""
    with spawned(str(bundle), *QUICK) as server, loaded(server.url, BODIES) as load:
        load.until(20)
        (worker,) = server.workers
        os.kill(worker, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(worker, signal.SIGCONT)
        load.until(20)
        assert server.workers == [worker]
    assert (load.statuses, load.lost) == ({200}, [])


@contextmanager
def crawling(worker: int, stopped_s: float, running_s: float) -> Iterator[None]:
    """Let a process run for a part of the time only, as one whose memory is swapped out again and again."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(running_s):
            os.kill(worker, signal.SIGSTOP)
            over.wait(stopped_s)
            os.kill(worker, signal.SIGCONT)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_crawling_server_is_slow_but_stays_listed(bundle: Path) -> None:
    """R19: batches of milliseconds take a third of a second, again and again."""
    with spawned(str(bundle), *QUICK) as server, loaded(server.url, BODIES) as load:
        load.until(20)
        (worker,) = server.workers
        with crawling(worker, stopped_s=0.35, running_s=0.05):
            load.until(60)
        load.until(20)
        assert server.workers == [worker]
    assert (load.statuses, load.lost) == ({200}, [])


@pytest.mark.drill
@pytest.mark.parametrize("kind", ["waits", "holds the lock"])
def test_a_text_that_hangs_a_lane_fails_only_its_own_request(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """R19: computed once more by itself, it hangs again, and is given up."""
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    monkeypatch.setitem(spawn.ENVIRONMENT, "PYTHONPATH", f"{tmp_path}{os.pathsep}{spawn.ENVIRONMENT['PYTHONPATH']}")
    monkeypatch.setitem(spawn.ENVIRONMENT, "HANG", kind)
    with spawned(str(bundle), *QUICK, "--lanes", "2", "--worker-timeout-s", "60") as server:
        with loaded(server.url, BODIES, clients=4) as load:
            load.until(40)
            workers = server.workers
            answer = httpx.post(f"{server.url}/v1/predict", json={"text": HANGS}, timeout=60)
            load.until(40)
            assert server.workers != workers
        told = server.errors()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "worker_lost")
    assert answer.json()["error"]["message"].startswith("The model cannot compute text: its process died twice with it")
    assert (load.statuses, load.lost) == ({200}, [])
    assert told.count("was lost: a batch took longer than") == 2


@pytest.mark.drill
def test_a_model_that_hangs_at_everything_ends_the_server_with_one_sentence(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R19: for ever is no answer: whatever started it is told, and can start it elsewhere."""
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    monkeypatch.setitem(spawn.ENVIRONMENT, "PYTHONPATH", f"{tmp_path}{os.pathsep}{spawn.ENVIRONMENT['PYTHONPATH']}")
    monkeypatch.setitem(spawn.ENVIRONMENT, "HANG", "waits")
    body: dict[str, object] = {"text": HANGS}
    with spawned(str(bundle), *QUICK) as server, loaded(server.url, [body], clients=4) as load:
        code, _, errors = server.ended(timeout_s=120)
    assert code == 1
    told = "error: the process that computes tiny was lost 6 times in 60 s: look at the log for what ends it"
    assert errors.splitlines()[-1] == told
    assert load.statuses <= {503, 504}
