from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bertline.errors import StoreError
from bertline.registry.catalogue import ModelVersion
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.resolve import Located
from bertline.serving import follow
from bertline.serving.follow import Followed, Follower
from bertline.serving.problems import Code, Problem
from tests.registered import digest_of, new_registry


class Exchanged:
    """Stands in for the served models: notes what is exchanged."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.before: Any = None
        self.refuses = False

        self.trials: dict[str, Any] = {}
        self.checksum = ""

    def current(self, name: str) -> Any:
        return SimpleNamespace(checksum=self.checksum)

    def previous(self, name: str) -> Any:
        return self.before

    async def load(self, name: str, bundle: Path) -> None:
        if self.refuses:
            raise Problem(Code.CANNOT_LOAD, "Nothing was changed: it cannot answer.", "bundle")
        self.calls.append(("load", name, bundle.name))

    async def roll_back(self, name: str) -> None:
        self.calls.append(("roll_back", name))


class Scene:
    """A follower of ``reviews@champion``, first at version 1, whose bundles are at made-up paths."""

    def __init__(self, url: str) -> None:
        self.models: Any = Exchanged()
        self.url = url
        first = Followed(Reference("reviews", alias="champion"), digest_of("reviews", 1))
        self.follower = Follower(self.models, {"films": first}, url, every_s=0.01)

    def promote(self, version: int) -> None:
        with Database(self.url) as database:
            Deployments(database, "ana").promote(Reference("reviews", version=version), reason="by hand")

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            asyncio.run(self.follower.look("films"))


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(follow, "locate", lambda version, *_: Located(version, Path(f"/cache/{version.version}")))
    made = Scene(new_registry(tmp_path))
    made.promote(1)
    return made


def test_a_model_is_exchanged_once_when_its_alias_moves(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bertline")
    scene.look(2)
    assert scene.models.calls == []
    scene.promote(3)
    scene.look(3)
    assert scene.models.calls == [("load", "films", "3")]
    assert caplog.messages == [f"reviews:3 is served as films now: reviews@champion ({digest_of('reviews', 3)[:12]})"]


def test_a_version_whose_process_still_runs_takes_no_time(scene: Scene) -> None:
    scene.promote(2)
    scene.models.before = SimpleNamespace(checksum=digest_of("reviews", 2))
    scene.look()
    assert scene.models.calls == [("roll_back", "films")]


def test_a_version_that_cannot_be_used_leaves_the_old_one_and_is_tried_again_later(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "bertline")
    scene.promote(2)
    scene.models.refuses = True
    scene.look(3)
    fault = "films stays as it is, reviews@champion cannot be followed: Nothing was changed: it cannot answer."
    assert caplog.messages == [fault]
    scene.models.refuses = False
    scene.look()
    assert scene.models.calls == []  # not at once
    monkeypatch.setattr(follow, "monotonic", lambda: 1e9)
    scene.look()
    assert scene.models.calls == [("load", "films", "2")]
    assert caplog.messages[-1] == "films follows reviews@champion again"


def test_a_bundle_that_cannot_be_fetched_changes_nothing(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreError("the store is away: try again")

    monkeypatch.setattr(follow, "locate", away)
    scene.promote(2)
    scene.look(2)
    assert scene.models.calls == []
    assert caplog.messages == [
        "films stays as it is, reviews@champion cannot be followed: the store is away: try again"
    ]


@pytest.mark.parametrize("where", ["locate", "load"])
def test_a_bug_is_logged_once_with_its_type_and_ends_nothing(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a text of a user")

    caplog.set_level(logging.INFO, "bertline")
    scene.promote(2)
    with monkeypatch.context() as patch:
        patch.setattr(*((follow, "locate") if where == "locate" else (scene.models, "load")), broken)
        scene.look(2)
        patch.setattr(follow, "monotonic", lambda: 1e9)
        scene.look()
    message = (
        "films stays as it is, reviews@champion cannot be followed: ZeroDivisionError at builtins.ZeroDivisionError"
    )
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(message)
    assert "a text of a user" not in caplog.messages[0]
    monkeypatch.setattr(follow, "monotonic", lambda: 2e9)
    scene.look()
    assert scene.models.calls == [("load", "films", "2")]
    assert caplog.messages[-1] == "films follows reviews@champion again"


def test_a_registry_that_is_away_is_said_once_and_found_again(
    scene: Scene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bertline")
    scene.promote(2)
    (tmp_path / "models.db").rename(tmp_path / "away.db")
    before_s = scene.follower.followed_s["films"]
    scene.look(3)
    assert scene.models.calls == []
    assert scene.follower.followed_s["films"] == before_s
    (tmp_path / "away.db").rename(tmp_path / "models.db")
    scene.look()
    assert scene.follower.followed_s["films"] > before_s
    assert scene.models.calls == [("load", "films", "2")]
    fault = (
        f"films stays as it is, reviews@champion cannot be followed: the registry {tmp_path / 'models.db'} cannot be"
    )
    assert caplog.messages[0].startswith(fault)
    assert len(caplog.messages) == 3


def test_it_ends_when_it_is_cancelled(scene: Scene) -> None:
    async def story() -> None:
        running = asyncio.create_task(scene.follower.run())
        await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(story())


def test_a_download_holds_up_no_other_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models: Any = Exchanged()
    may_fetch = threading.Event()

    def locate(version: ModelVersion, *_: object) -> Located:
        assert version.name != "reviews" or may_fetch.wait(60)
        return Located(version, Path(f"/cache/{version.name}"))

    monkeypatch.setattr(follow, "locate", locate)
    url = new_registry(tmp_path)
    with Database(url) as database:
        for name in ("reviews", "topics"):
            Deployments(database, "ana").promote(Reference(name, version=1), reason="by hand")

    async def run() -> None:
        followed = {name: Followed(Reference(name, alias="champion"), "none") for name in ("reviews", "topics")}
        running = asyncio.create_task(Follower(models, followed, url, every_s=0.01).run())
        try:
            async with asyncio.timeout(30):
                while not models.calls:
                    await asyncio.sleep(0.01)
                assert models.calls == [("load", "topics", "topics")]
                may_fetch.set()
                while len(models.calls) < 2:
                    await asyncio.sleep(0.01)
        finally:
            may_fetch.set()
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(run())
    assert models.calls[1:] == [("load", "reviews", "reviews")]
