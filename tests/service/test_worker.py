"""The server's side of a process that computes: its start, its rows, and every way in which it can end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline.bundle import load
from bertline.data.batching import Ragged
from bertline.errors import BundleError
from bertline.inference.load import load_predictor
from bertline.serving import process as service_worker
from bertline.serving.process import ComputeFailed, WorkerLost, WorkerProcess
from bertline.testing.tiny import VOCABULARY, tiny_tokenizer, write_tiny_bundle
from bertline.text import Reader, Truncation

Story = Callable[[WorkerProcess, list[str]], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("worker") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture(scope="module")
def batch() -> Ragged:
    texts = ["a film", "is it so ? it is !", "one ."]
    return Ragged.of([one.piece for one in Reader(tiny_tokenizer(), Truncation(32)).read(texts)], 0)


def told(bundle: Path, story: Story, timeout_s: float = 30.0) -> None:
    """Live through the story with a process that has started; the list is of what was said of its end."""

    async def all_of_it() -> None:
        lost: list[str] = []
        one = WorkerProcess(bundle, engine=None, lanes=1, timeout_s=timeout_s, on_lost=lost.append)
        started = await one.start()
        assert (started.version, started.engine, started.lanes) == (load(bundle).version, "fp32", 1)
        try:
            await story(one, lost)
        finally:
            await one.stop()

    asyncio.run(all_of_it())


def test_many_rows_at_a_time_with_one_failing_batch(bundle: Path, batch: Ragged) -> None:
    beyond = Ragged.of_ids([[2, len(VOCABULARY) + 3, 3]], 0)

    async def story(one: WorkerProcess, lost: list[str]) -> None:
        found = await asyncio.gather(
            *(one.compute("logits", some, alone=False) for some in [batch] * 20 + [beyond] + [batch] * 20),
            return_exceptions=True,
        )
        failed = found.pop(20)
        assert type(failed) is ComputeFailed
        assert str(failed).startswith("the network fails at it (")
        expected = load_predictor(bundle, lanes=1).compute(batch.lay_out())
        rows = [reply.values for reply in found if not isinstance(reply, BaseException)]
        assert len(rows) == 40
        assert all(np.allclose(values, expected, atol=1e-6) for values in rows if values is not None)
        assert lost == []

    told(bundle, story)


def test_a_killed_process_loses_its_batch_and_is_reported_once(bundle: Path, batch: Ragged) -> None:
    async def story(one: WorkerProcess, lost: list[str]) -> None:
        os.kill(one.pid, signal.SIGSTOP)  # so that the batches are still with it
        asked = [asyncio.create_task(one.compute("logits", batch, alone=False)) for _ in range(3)]
        await asyncio.sleep(0)
        os.kill(one.pid, signal.SIGKILL)
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(error) for error in found] == [WorkerLost] * 3
        assert lost == ["it ended"]
        with pytest.raises(WorkerLost):
            await one.compute("logits", batch, alone=True)

    told(bundle, story)


def test_a_process_that_hangs_at_a_batch_is_ended(bundle: Path, batch: Ragged) -> None:
    async def story(one: WorkerProcess, lost: list[str]) -> None:
        os.kill(one.pid, signal.SIGSTOP)
        with pytest.raises(WorkerLost):
            await one.compute("logits", batch, alone=True)
        assert lost == ["a batch took longer than 0.5 s"]

    told(bundle, story, timeout_s=0.5)


def test_a_process_that_hangs_while_nobody_asks_is_noticed_too(bundle: Path) -> None:
    async def story(one: WorkerProcess, lost: list[str]) -> None:
        os.kill(one.pid, signal.SIGSTOP)
        async with asyncio.timeout(30):
            while not lost:
                await asyncio.sleep(0.01)
        assert lost == ["it has been silent for 1.5 s"]

    told(bundle, story, timeout_s=0.5)


def test_a_process_told_to_stop_exits_and_is_not_counted_as_lost(bundle: Path) -> None:
    async def story(one: WorkerProcess, lost: list[str]) -> None:
        pid = one.pid
        await one.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert lost == []

    told(bundle, story)


def test_an_unloadable_bundle_is_reported_with_the_workers_message(tmp_path: Path) -> None:
    async def story() -> None:
        nowhere = tmp_path / "nowhere"
        one = WorkerProcess(nowhere, engine=None, lanes=1, timeout_s=30.0, on_lost=lost.append)
        with pytest.raises(BundleError, match="nowhere"):
            await one.start()
        await one.stop()

    lost: list[str] = []
    asyncio.run(story())
    assert lost == []


def test_an_engine_that_the_bundle_lacks_is_named(bundle: Path) -> None:
    async def story() -> None:
        one = WorkerProcess(bundle, engine="int4", lanes=1, timeout_s=30.0, on_lost=print)
        with pytest.raises(BundleError, match="int4"):
            await one.start()
        await one.stop()

    asyncio.run(story())


def test_a_process_that_says_nothing_in_time_is_ended(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_worker, "START_TIMEOUT_S", 0.01)

    async def story() -> None:
        one = WorkerProcess(bundle, engine=None, lanes=1, timeout_s=30.0, on_lost=lost.append)
        told = f"^the process that computes {bundle} did not start: see its output above$"
        with pytest.raises(BundleError, match=told):
            await one.start()
        await one.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(one.pid, 0)

    lost: list[str] = []
    asyncio.run(story())
    assert lost == []


def test_a_start_that_is_cancelled_leaves_no_process(bundle: Path) -> None:
    kept: list[socket.socket] = []  # an open end, so that the process does not end by itself

    async def hang(_: object, sock: socket.socket) -> None:
        kept.append(sock)
        await asyncio.sleep(60)

    async def story() -> None:
        asyncio.get_running_loop().create_connection = hang  # type: ignore[method-assign,assignment]
        one = WorkerProcess(bundle, engine=None, lanes=1, timeout_s=30.0, on_lost=print)
        starting = asyncio.create_task(one.start())
        while not kept:
            await asyncio.sleep(0.01)
        starting.cancel()
        await asyncio.wait([starting])
        try:
            await asyncio.wait_for(one.stop(), 30)
            with pytest.raises(ProcessLookupError):
                os.kill(one.pid, 0)
        finally:
            kept[0].close()

    asyncio.run(story())


def test_one_that_was_never_started_can_be_stopped(bundle: Path) -> None:
    asyncio.run(WorkerProcess(bundle, engine=None, lanes=1, timeout_s=30.0, on_lost=print).stop())
