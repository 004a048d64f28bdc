"""Versions of a model while the server runs: beside each other, in each other's place, lost and replaced."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bertline.errors import BundleError
from bertline.inference.wire import Op
from bertline.service import ServeSettings
from bertline.service.problems import Code, Problem
from bertline.service.serving import Answered, Serving
from bertline.service.version import MOST_RESTARTS
from tests.service.doubles import Broken, Gated, WordCounter, serving_of

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
    return await serving.classify(serving.models.named(name), [text], deadline_s=serving.deadline_s(None))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.001)


# ------------------------------------------------------------------------------------------- one for another


def test_a_version_is_loaded_beside_the_one_that_answers_and_takes_its_place_once_it_is_warm() -> None:
    old, new = WordCounter(), Gated(labels=NEW)

    async def story(serving: Serving) -> None:
        loading = asyncio.create_task(serving.models.load("reviews", new.bundle))
        await asyncio.to_thread(new.entered.wait, 30)  # its warm-up
        assert (await ask(serving)).version.version == old.version
        assert serving.ready
        new.gate.set()
        loaded = await loading
        answered = await ask(serving)
        assert answered.version is loaded is serving.models.named("reviews")
        assert (loaded.version, loaded.labels) == (new.version, NEW)
        before = serving.models.previous("reviews")
        assert before is not None
        assert (before.version, before.ready, old.workers[0].stopped) == (old.version, True, False)

    told(story, old, later=[new])


def test_a_request_that_came_before_the_switch_is_answered_by_the_version_it_came_to() -> None:
    old, new = Gated(), WordCounter(NEW)
    old.gate.set()

    async def story(serving: Serving) -> None:
        old.gate.clear()
        old.entered.clear()
        asked = [asyncio.create_task(ask(serving)) for _ in range(2)]
        await asyncio.to_thread(old.entered.wait, 30)
        await serving.models.load("reviews", new.bundle)
        assert (await ask(serving)).version.version == new.version
        old.gate.set()
        assert {one.version.version for one in await asyncio.gather(*asked)} == {old.version}

    told(story, old, later=[new], lanes=3)  # two are held by the old one


def test_going_back_and_forth_needs_no_loading() -> None:
    old, new = WordCounter(), WordCounter(NEW)

    async def story(serving: Serving) -> None:
        with pytest.raises(Problem, match=r"^reviews has no version to go back to: none was loaded since the start"):
            await serving.models.roll_back("reviews")
        await serving.models.load("reviews", new.bundle)
        for expected in (old, new, old):
            await serving.models.roll_back("reviews")
            assert (await ask(serving)).version.version == expected.version
        assert (len(old.workers), len(new.workers)) == (1, 1)

    told(story, old, later=[new])


def test_of_three_versions_the_first_has_its_process_ended_once_it_has_answered() -> None:
    first, second, third = Gated(), WordCounter(NEW), WordCounter(("a", "b"))
    first.gate.set()

    async def story(serving: Serving) -> None:
        first.gate.clear()
        first.entered.clear()
        asked = asyncio.create_task(ask(serving))
        await asyncio.to_thread(first.entered.wait, 30)
        await serving.models.load("reviews", second.bundle)
        await serving.models.load("reviews", third.bundle)
        await asyncio.sleep(0.05)
        assert not first.workers[0].stopped
        first.gate.set()
        assert (await asked).version.version == first.version
        await until(lambda: first.workers[0].stopped)
        assert (second.workers[0].stopped, third.workers[0].stopped) == (False, False)
        before = serving.models.previous("reviews")
        assert before is not None
        assert before.version == second.version

    told(story, first, later=[second, third])


def test_no_answer_mixes_two_versions_however_often_they_are_switched() -> None:
    old, new = WordCounter(), WordCounter(NEW)

    async def story(serving: Serving) -> None:
        await serving.models.load("reviews", new.bundle)
        labels = {old.version: old.labels, new.version: new.labels}
        seen: set[str] = set()

        async def client() -> None:
            for _ in range(30):
                answered = await ask(serving, "good bad")
                assert answered.version.labels == labels[answered.version.version]
                seen.add(answered.version.version)

        async def switching() -> None:
            while True:
                await serving.models.roll_back("reviews")
                await asyncio.sleep(0.002)

        switches = asyncio.create_task(switching())
        await asyncio.gather(*(client() for _ in range(8)))
        switches.cancel()
        assert seen == set(labels)

    told(story, old, later=[new])


def test_another_model_may_be_added() -> None:
    old, new = WordCounter(), WordCounter(NEW)

    async def story(serving: Serving) -> None:
        await serving.models.load("mails", new.bundle)
        assert serving.models.names == ["reviews", "mails"]
        assert (await ask(serving, name="mails")).version.labels == NEW
        with pytest.raises(Problem, match=r"^Name one of the models in model: reviews, mails\.$"):
            serving.models.named(None)

    told(story, old, later=[new])


# ------------------------------------------------------------------------------------------- what cannot be loaded


def missing(target: Path) -> None:
    shutil.rmtree(target)


def tampered(target: Path) -> None:
    (target / "config.json").write_text(json.dumps({"model_type": "bert", "problem_type": None, "hidden_size": 4}))


def cut_short(target: Path) -> None:
    content = (target / "tokenizer.json").read_bytes()
    (target / "tokenizer.json").write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("damage", [missing, tampered, cut_short])
def test_a_bundle_that_is_damaged_changes_nothing(damage: Callable[[Path], None]) -> None:
    old, new = WordCounter(), WordCounter(NEW)
    damage(new.bundle)

    async def story(serving: Serving) -> None:
        with pytest.raises(Problem, match=r"^Nothing was changed: ") as caught:
            await serving.models.load("reviews", new.bundle)
        assert (caught.value.code, caught.value.field) == (Code.CANNOT_LOAD, "bundle")
        assert (await ask(serving)).version.version == old.version
        assert serving.models.previous("reviews") is None
        assert new.workers == []
        with pytest.raises(Problem, match=r"^Nothing was changed: "):
            await serving.models.load("another", new.bundle)
        assert serving.models.names == ["reviews"]
        assert serving.ready

    told(story, old, later=[new])


def test_a_version_that_cannot_answer_its_warm_up_changes_nothing_and_leaves_no_process() -> None:
    old, new = WordCounter(), Broken(NEW)

    async def story(serving: Serving) -> None:
        told = r"^Nothing was changed: reviews cannot answer: The model cannot compute text 0: it has no weights\.$"
        with pytest.raises(Problem, match=told):
            await serving.models.load("reviews", new.bundle)
        assert [one.stopped for one in new.workers] == [True]
        assert (await ask(serving)).version.version == old.version
        assert serving.ready

    told(story, old, later=[new])


def test_a_version_whose_process_ends_at_its_warm_up_changes_nothing_and_leaves_no_process() -> None:
    class Dying(WordCounter):
        def check(self, batch: Any) -> None:
            self.workers[-1].lose()

    old, new = WordCounter(), Dying(NEW)

    async def story(serving: Serving) -> None:
        with pytest.raises(Problem, match=r"^Nothing was changed: reviews cannot answer: .* died twice with it"):
            await serving.models.load("reviews", new.bundle)
        await asyncio.sleep(0.05)
        assert all(one.stopped or one.lost for one in new.workers)
        started = len(new.workers)
        assert started <= 3
        assert (await ask(serving)).version.version == old.version
        assert (serving.ready, serving.failure) == (True, None)
        await asyncio.sleep(0.05)
        assert len(new.workers) == started  # and none is started any more

    told(story, old, later=[new])


# ------------------------------------------------------------------------------------------- processes that end


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
        assert (caught.value.code, caught.value.status) == (Code.WORKER_LOST, 503)

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


def test_the_version_before_is_forgotten_when_it_cannot_be_started_again_and_the_server_goes_on() -> None:
    old, new = WordCounter(), WordCounter(NEW)

    async def story(serving: Serving) -> None:
        await serving.models.load("reviews", new.bundle)
        shutil.rmtree(old.bundle)
        old.workers[0].lose()
        await until(lambda: serving.models.previous("reviews") is None)
        assert (serving.ready, serving.failure) == (True, None)
        assert (await ask(serving)).version.version == new.version

    told(story, old, later=[new])


def test_when_it_stops_what_waits_is_answered_first() -> None:
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
                version.line(Op.CLASSIFY)

    asyncio.run(all_of_it())


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
