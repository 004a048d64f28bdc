"""Processes that end while the server runs, or starts, or stops: who is answered, and when it is all over."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from bertline.errors import BundleError
from bertline.service import ServeSettings
from bertline.service.problems import STATUS
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.version import MOST_RESTARTS
from bertline.serving.worker import Started
from bertline.testing.words import Gated, ThreadWorker, WordCounter, serving_of

Story = Callable[[Serving], Coroutine[Any, Any, None]]
NEW = ("no", "yes")


def told(
    story: Story, models: WordCounter | Mapping[str, WordCounter], later: Sequence[WordCounter] = (), lanes: int = 2
) -> None:
    """Live through the story with these models in service, a single one as ``reviews``."""
    named = models if isinstance(models, Mapping) else {"reviews": models}

    async def all_of_it() -> None:
        async with serving_of(named, ServeSettings(lanes=lanes), later=later) as serving:
            await serving.until_ready()
            await story(serving)

    asyncio.run(all_of_it())


async def ask(serving: Serving, text: str = "good", name: str = "reviews") -> Answered:
    return await serving.compute(serving.models.named(name), [text], "logits", deadline_s=serving.deadline_s(None))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.001)


def test_a_process_that_ends_is_replaced_and_whoever_waits_is_answered() -> None:
    model = Gated()
    model.gate.set()

    async def story(serving: Serving) -> None:
        version = serving.models.named("reviews")
        model.gate.clear()
        model.entered.clear()
        asked = [asyncio.create_task(ask(serving)) for _ in range(20)]
        await asyncio.to_thread(model.entered.wait, 30)
        model.workers[0].lose()
        assert (serving.ready, version.ready, version.worker_pid) == (False, False, None)
        model.gate.set()
        found = await asyncio.gather(*asked)
        assert all(one.rows[0].argmax() == 1 for one in found)
        assert (serving.ready, version.restarts, len(model.workers)) == (True, 1, 2)

    told(story, model)


def test_a_process_that_ends_again_and_again_ends_the_server_and_nobody_waits() -> None:
    model = WordCounter()

    async def story(serving: Serving) -> None:
        version = serving.models.named("reviews")
        for number in range(MOST_RESTARTS):
            model.workers[-1].lose()
            await until(lambda: version.ready)
            assert version.restarts == number + 1
        model.workers[-1].lose()
        waiting = asyncio.create_task(ask(serving))
        await asyncio.wait_for(serving.failed.wait(), 30)
        assert isinstance(serving.failure, BundleError)
        told = "the process that computes reviews was lost 6 times in 60 s: look at the log for what ends it"
        assert str(serving.failure) == told
        assert not serving.ready
        with pytest.raises(Problem) as caught:
            await asyncio.wait_for(waiting, 1)
        assert (caught.value.code, STATUS[caught.value.code]) == (Code.WORKER_LOST, 503)

    told(story, model)


@pytest.mark.parametrize("deleted", [True, False])
def test_a_process_that_cannot_be_started_again_ends_the_server_in_one_sentence(deleted: bool) -> None:
    model = WordCounter()

    async def story(serving: Serving) -> None:
        if deleted:
            shutil.rmtree(model.bundle)
        else:
            WordCounter(NEW).write(model.bundle, name="other", overwrite=True)
        model.workers[0].lose()
        await asyncio.wait_for(serving.failed.wait(), 30)
        assert isinstance(serving.failure, BundleError)
        assert str(model.bundle) in str(serving.failure)
        if not deleted:
            assert str(serving.failure).endswith("was replaced by another version while it was served: load that one")
            assert model.workers[1].stopped

    told(story, model)


def test_a_previous_version_that_cannot_restart_is_dropped_and_the_server_continues() -> None:
    old, new = WordCounter(), WordCounter(NEW)

    async def story(serving: Serving) -> None:
        await serving.models.load("reviews", new.bundle)
        shutil.rmtree(old.bundle)
        old.workers[0].lose()
        await until(lambda: serving.models.previous("reviews") is None)
        assert (serving.ready, serving.failure) == (True, None)
        assert (await ask(serving)).version.version == new.version

    told(story, old, later=[new])


def test_queued_texts_are_answered_before_it_stops() -> None:
    model = Gated()
    model.gate.set()

    async def all_of_it() -> None:
        async with serving_of({"reviews": model}, ServeSettings(lanes=1)) as serving:
            await serving.until_ready()
            version = serving.models.named("reviews")
            model.gate.clear()
            model.entered.clear()
            asked = [asyncio.create_task(ask(serving)) for _ in range(9)]
            await asyncio.to_thread(model.entered.wait, 30)
            stopping = asyncio.create_task(version.stop())
            model.workers[0].lose()  # the worst moment for it
            model.gate.set()
            found = await asyncio.gather(*asked)
            await stopping
            assert all(one.rows[0].argmax() == 1 for one in found)
            assert model.workers[-1].stopped
            with pytest.raises(KeyError):
                version.line("logits")

    asyncio.run(all_of_it())


def test_when_it_stops_it_waits_for_texts_that_a_lost_process_had(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Gated()
    model.gate.set()
    start, starting = ThreadWorker.start, asyncio.Event()

    async def start_slowly(self: ThreadWorker) -> Started:
        if len(model.workers) > 1:
            await starting.wait()
        return await start(self)

    monkeypatch.setattr(ThreadWorker, "start", start_slowly)

    async def story(serving: Serving) -> None:
        version = serving.models.named("reviews")
        model.gate.clear()
        model.entered.clear()
        asked = asyncio.create_task(ask(serving))
        await asyncio.to_thread(model.entered.wait, 30)
        model.workers[0].lose()
        model.gate.set()
        await until(lambda: bool(version.station.suspects))
        stopping = asyncio.create_task(version.stop())
        await asyncio.sleep(0.05)
        starting.set()
        assert (await asyncio.wait_for(asked, 5)).rows[0].argmax() == 1
        await stopping

    told(story, model)


def test_a_server_that_stops_while_it_starts_leaves_no_process() -> None:
    model = Gated()

    async def all_of_it() -> None:
        async with asyncio.timeout(10), serving_of({"reviews": model}):
            await asyncio.to_thread(model.entered.wait, 30)
        assert [one.stopped for one in model.workers] == [True]
        model.gate.set()  # or the thread would be waited for

    asyncio.run(all_of_it())


def test_two_models_are_started_in_their_order_and_both_have_to_be_ready() -> None:
    first, second = WordCounter(), Gated(labels=NEW)

    async def all_of_it() -> None:
        async with serving_of({"reviews": first, "mails": second}) as serving:
            await asyncio.to_thread(second.entered.wait, 30)
            assert not serving.ready
            assert (await ask(serving)).version.version == first.version  # it need not wait
            with pytest.raises(Problem) as caught:
                serving.models.named("mails")
            assert caught.value.code == Code.NOT_READY
            second.gate.set()
            await serving.until_ready()
            assert serving.ready

    asyncio.run(all_of_it())
