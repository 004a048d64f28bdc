"""The conductor on real models with doubles for processes, and the shared state in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bertline.errors import RegistryError, StoreError
from bertline.lifecycle.rollout import conductor
from bertline.lifecycle.rollout.conductor import Conductor, Side
from bertline.lifecycle.rollout.state import InMemory
from bertline.registry.rollout import Rollout, Tally
from bertline.serving.serving import Serving
from bertline.serving.version import Version
from bertline.testing.words import WordCounter, serving_of


class Restarted:
    """A server that was started in the watch of a rollout: it serves the new champion, and knows no other version."""

    def __init__(self) -> None:
        self.old, self.new = WordCounter(), WordCounter(max_tokens=17)
        self.serving: Serving
        self.fetched: list[Side] = []
        self.fault: Exception | None = None
        self.may_fetch = threading.Event()
        self.may_fetch.set()
        self.state = InMemory()

    def fetch(self, _rollout: Rollout, side: Side) -> Path:
        self.fetched.append(side)
        assert self.may_fetch.wait(60)
        if self.fault is not None:
            raise self.fault
        return self.old.bundle

    def play(self, story: Callable[[Conductor], Awaitable[None]]) -> None:
        async def run() -> None:
            self.serving = serving_of({"reviews": self.new}, later=[self.old])
            async with self.serving:
                await self.serving.until_ready()
                new = self.serving.models.current("reviews").checksum
                before = Rollout(0, "films", 1, digest_of(self.old), 2, new, ("50", "100"), plan={"watch_s": 600})
                begun = self.state.begin(before)
                assert self.state.move(begun, "watching", 1, "begun before the restart")
                names = {"reviews": "films"}
                await story(Conductor(self.serving.models, names, self.state, self.fetch, every_s=0.01))

        asyncio.run(run())


async def loaded() -> None:
    """The former champion is loaded, or could not be."""
    for task in asyncio.all_tasks():
        if task.get_name() == "former champion":
            await task


def digest_of(model: WordCounter) -> str:
    from bertline.bundle.verify import read_manifest

    return read_manifest(model.bundle).checksum


def test_a_server_that_is_started_in_a_watch_loads_the_former_champion_and_goes_back_at_once() -> None:
    scene = Restarted()

    async def story(conductor: Conductor) -> None:
        models = scene.serving.models
        assert await conductor.look("reviews") is not None
        await loaded()
        before, trial = models.previous("reviews"), models.trials["reviews"]
        assert before is not None
        assert (before.checksum, before.ready) == (digest_of(scene.old), True)
        assert trial.champion is before  # answers are compared again, and it answers what the challenger cannot
        assert trial.stand_in(trial.challenger) is before
        await conductor.look("reviews")
        assert scene.fetched == ["champion"]
        going = scene.state.current("films")
        assert going is not None
        assert scene.state.move(going, "rolled_back", going.place, "wrong answers")
        await conductor.look("reviews")
        assert models.current("reviews") is before
        assert not models.trials

    scene.play(story)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (StoreError("the store is away: try again"), "the store is away: try again"),
        (MemoryError(), "MemoryError at "),
    ],
)
def test_a_former_champion_that_cannot_be_fetched_is_told_once_and_tried_again_later(
    fault: Exception, said: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Restarted()
    scene.fault = fault

    async def story(one: Conductor) -> None:
        models = scene.serving.models
        for _ in range(3):
            assert await one.look("reviews") is not None
            await loaded()
        assert scene.fetched == ["champion"]  # not at each look
        assert models.previous("reviews") is None
        assert models.current("reviews").checksum == digest_of(scene.new)
        scene.fault = None
        monkeypatch.setattr(conductor, "monotonic", lambda: 1e9)
        await one.look("reviews")
        await loaded()
        assert models.previous("reviews") is models.trials["reviews"].champion is not None

    scene.play(story)
    (told,) = [one for one in caplog.messages if "former champion" in one]
    assert told.startswith(f"reviews could not go back at once: its former champion is not loaded: {said}")


def test_looks_go_on_while_the_former_champion_is_fetched() -> None:
    scene = Restarted()
    scene.may_fetch.clear()

    async def story(conductor: Conductor) -> None:
        models = scene.serving.models
        try:
            for _ in range(3):
                assert await asyncio.wait_for(conductor.look("reviews"), 30) is not None
            assert models.trials["reviews"].champion is None
            going = scene.state.current("films")
            assert going is not None
            assert scene.state.move(going, "rolled_back", going.place, "wrong answers")
            assert await asyncio.wait_for(conductor.look("reviews"), 30) is None
        finally:
            scene.may_fetch.set()
        await loaded()
        assert scene.fetched == ["champion"]
        assert not models.trials

    scene.play(story)


def test_a_champion_that_is_fetched_when_the_server_ends_is_not_loaded() -> None:
    scene = Restarted()
    scene.may_fetch.clear()

    async def story(conductor: Conductor) -> None:
        running = asyncio.create_task(conductor.run())
        while not scene.fetched:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])
        scene.may_fetch.set()
        await asyncio.gather(
            *(one for one in asyncio.all_tasks() if one.get_name() == "former champion"), return_exceptions=True
        )
        assert scene.serving.models.previous("reviews") is None

    scene.play(story)


def test_a_former_champion_is_stopped_if_another_version_answers_once_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Restarted()
    scene.fault = StoreError("away")

    async def story(one: Conductor) -> None:
        models, may_load = scene.serving.models, asyncio.Event()
        make = models._make

        async def slow(name: str, bundle: Path) -> Version:
            await may_load.wait()
            return await make(name, bundle)

        assert await one.look("reviews") is not None
        monkeypatch.setattr(models, "_make", slow)
        restoring = asyncio.create_task(models.restore_champion("reviews", scene.old.bundle))
        await asyncio.sleep(0.01)
        monkeypatch.setattr(models, "_make", make)
        other = await asyncio.wait_for(models.load("reviews", scene.new.bundle), 30)  # waits for nothing
        before = models.previous("reviews")
        may_load.set()
        await restoring
        assert (models.current("reviews"), models.previous("reviews")) == (other, before)

    scene.play(story)


def test_a_watch_without_a_former_champion_loads_nothing() -> None:
    """The first version that was ever promoted has nothing to go back to."""
    scene = Restarted()

    async def story(conductor: Conductor) -> None:
        digest = scene.serving.models.current("reviews").checksum
        first = scene.state.begin(Rollout(0, "films", None, None, 1, digest, ("100",)))
        assert scene.state.move(first, "watching", 0, "by hand")
        assert await conductor.look("reviews") is not None
        assert (scene.fetched, scene.serving.models.previous("reviews")) == ([], None)

    scene.play(story)


class Two:
    """A server of two models that are both rolled out; the store of the first one's challenger is slow."""

    def __init__(self) -> None:
        self.new = WordCounter(max_tokens=17)
        self.serving: Serving
        self.state = InMemory()
        self.may_fetch = threading.Event()
        self.fetched: list[str] = []

    def fetch(self, rollout: Rollout, _side: Side) -> Path:
        self.fetched.append(rollout.model)
        assert rollout.model != "films" or self.may_fetch.wait(60)
        return self.new.bundle

    def play(self, story: Callable[[Conductor], Awaitable[None]]) -> None:
        async def run() -> None:
            names = {"films": "films", "topics": "topics"}
            self.serving = serving_of({name: WordCounter() for name in names}, later=[self.new])
            async with self.serving:
                await self.serving.until_ready()
                for name in names:
                    old = self.serving.models.current(name).checksum
                    self.state.begin(Rollout(0, name, 1, old, 2, digest_of(self.new), ("shadow",)))
                try:
                    await story(Conductor(self.serving.models, names, self.state, self.fetch, every_s=0.01))
                finally:
                    self.may_fetch.set()

        asyncio.run(run())


async def until(true: Callable[[], object]) -> None:
    async def wait() -> None:
        while not true():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 30)


def test_a_challenger_in_a_slow_store_holds_up_no_other_model() -> None:
    scene = Two()

    async def story(conductor: Conductor) -> None:
        running = asyncio.create_task(conductor.run())
        try:
            await until(lambda: "films" in scene.fetched)
            await until(lambda: "topics" in scene.serving.models.trials)
            assert "films" not in scene.serving.models.trials
            going = scene.state.current("topics")
            assert going is not None
            assert scene.state.move(going, "aborted", going.place, "wrong answers")
            await until(lambda: "topics" not in scene.serving.models.trials)
            scene.may_fetch.set()
            await until(lambda: "films" in scene.serving.models.trials)
            assert scene.fetched.count("films") == 1  # one look at a time
        finally:
            running.cancel()
            await asyncio.wait([running])

    scene.play(story)


def test_a_look_that_fails_keeps_the_time_of_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Two()

    async def story(conductor: Conductor) -> None:
        before_s = conductor.followed_s["topics"]
        with monkeypatch.context() as patch:
            patch.setattr(scene.state, "current", broken)
            await conductor.look("topics")
        assert conductor.followed_s["topics"] == before_s
        await conductor.look("topics")
        assert conductor.followed_s["topics"] > before_s

    def broken(_: str) -> None:
        raise RegistryError("the registry is away: try again")

    scene.play(story)


def test_a_challenger_is_not_loaded_beside_another_champion_than_its_own() -> None:
    scene = Two()

    async def story(conductor: Conductor) -> None:
        models = scene.serving.models
        looking = asyncio.create_task(conductor.look("films"))
        await until(lambda: "films" in scene.fetched)
        other = await models.load("films", scene.new.bundle)
        scene.may_fetch.set()
        assert await looking is not None
        assert models.current("films") is other
        assert not models.trials

    scene.play(story)


def test_no_change_waits_for_a_challenger_that_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Two()

    async def story(_: Conductor) -> None:
        models, may_load, made = scene.serving.models, asyncio.Event(), list[Version]()
        make = models._make

        async def slow(name: str, bundle: Path) -> Version:
            await may_load.wait()
            made.append(await make(name, bundle))
            return made[0]

        monkeypatch.setattr(models, "_make", slow)
        challenging = asyncio.create_task(models.challenge("films", scene.new.bundle))
        await asyncio.sleep(0.01)
        monkeypatch.setattr(models, "_make", make)
        await asyncio.wait_for(models.load("topics", scene.new.bundle), 30)
        await asyncio.wait_for(models.roll_back("topics"), 30)
        await asyncio.wait_for(models.load("films", scene.new.bundle), 30)
        may_load.set()
        assert await challenging is None  # another champion answers
        await until(lambda: not made[0].ready)  # it is stopped

    scene.play(story)


def test_another_server_decides_by_what_one_has_counted_before_its_end() -> None:
    """It needs no request of its own."""
    scene = Two()

    async def story(_: Conductor) -> None:
        old = scene.serving.models.current("topics").checksum
        begun = scene.state.begin(
            Rollout(0, "topics", 1, old, 2, digest_of(scene.new), ("shadow",), plan={"min_step_s": 0})
        )

        def server() -> Conductor:
            return Conductor(scene.serving.models, {"topics": "topics"}, scene.state, scene.fetch, every_s=0.01)

        dead = server()
        assert await dead.look("topics") == begun
        counted = Tally(champion_requests=5000, challenger_requests=5000, compared=5000)
        scene.state.count(begun, dead._replica, counted)
        scene.serving.models.end_trial("topics")  # a new process has none
        assert await server().look("topics") is None
        last = scene.state.last("topics")
        assert last is not None
        assert (last.status, last.reason.split(" against")[0]) == (
            "passed",
            "errors 0\u202f% (0 of 5,000)",
        )

    scene.play(story)
