"""No worker outlives its version, whenever that is stopped."""

from __future__ import annotations

import asyncio

import pytest

from bertline.serving.worker import Started
from bertline.testing.words import ThreadWorker, WordCounter, serving_of

START = ThreadWorker.start


def test_a_load_that_is_cancelled_stops_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: ThreadWorker) -> Started:
        await asyncio.sleep(60)
        raise AssertionError("nobody cancelled it")

    async def story() -> None:
        new = WordCounter(max_tokens=17)
        async with serving_of({"reviews": WordCounter()}, later=[new]) as serving:
            await serving.until_ready()
            monkeypatch.setattr(ThreadWorker, "start", hang)
            loading = asyncio.create_task(serving.models.load("reviews", new.bundle))
            while not new.workers:
                await asyncio.sleep(0.01)
            loading.cancel()
            await asyncio.wait([loading])
            assert [one.stopped for one in new.workers] == [True]

    asyncio.run(story())


def test_a_worker_that_is_ready_just_as_its_version_is_stopped_is_stopped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Python 3.11, whose wait_for drops a cancellation at that moment."""

    async def late(worker: ThreadWorker) -> Started:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return await START(worker)
        raise AssertionError("nobody cancelled it")

    async def story() -> None:
        model = WordCounter()
        async with serving_of({"reviews": model}) as serving:
            await serving.until_ready()
            monkeypatch.setattr(ThreadWorker, "start", late)
            model.workers[0].lose()
            while len(model.workers) < 2:
                await asyncio.sleep(0.01)
        assert model.workers[1].stopped

    asyncio.run(story())


def test_a_lost_worker_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = ThreadWorker.stop

    async def slowly(worker: ThreadWorker) -> None:
        await asyncio.sleep(0.05)
        await ends(worker)

    async def story() -> None:
        model = WordCounter()
        monkeypatch.setattr(ThreadWorker, "stop", slowly)
        async with serving_of({"reviews": model}) as serving:
            await serving.until_ready()
            model.workers[0].lose()
        assert model.workers[0].stopped

    asyncio.run(story())
