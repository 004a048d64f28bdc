"""Versions of a model while the server runs: beside each other, and in each other's place."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bertline.service import ServeSettings
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.testing.words import Broken, Gated, WordCounter, serving_of

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


# ------------------------------------------------------------------------------------------- one for another


def test_a_new_version_loads_beside_the_current_one_and_replaces_it_once_warm() -> None:
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


def test_a_version_whose_process_dies_during_warm_up_changes_nothing_and_leaves_no_process() -> None:
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
