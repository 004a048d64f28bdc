from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bertline.errors import DataError, RegistryError
from bertline.lifecycle.retraining import registering_steps
from bertline.lifecycle.retraining import run as steps
from bertline.lifecycle.retraining.context import Run
from bertline.lifecycle.retraining.home import Home
from bertline.lifecycle.retraining.journal import Journal, write
from bertline.lifecycle.retraining.run import carry_out, give_up
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.optimization.settings import OptimizeSettings
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.rollouts import Rollouts
from bertline.registry.settings import RegistrySettings
from bertline.training.progress import Silent
from tests.registered import new_registry
from tests.unit.lifecycle.retraining.conftest import NOW

DONE: dict[str, Any] = {name: {} for name in steps.STEPS if name != "shadow"}
JOURNAL = Journal("20501130T120000Z-abc", "reviews", "2050-11-30T12:00:00Z", ("asked for",), 1, "0", {}, DONE)
WITHDRAWN = "the alias challenger, which named reviews:2, "


class Scene:
    """A run of ``reviews``, whose champion is reviews:1, that has made reviews:2 the challenger."""

    def __init__(self, folder: Path, before: int | None) -> None:
        self.registry = RegistrySettings(url=new_registry(folder))
        with Database(self.registry.place) as database:
            deployments = Deployments(database, "ana")
            deployments.promote(Reference("reviews", version=1), reason="first")
            if before is not None:
                deployments.promote(Reference("reviews", version=before), "challenger")
            reason = f"retrained by run {JOURNAL.id}: asked for"
            deployments.promote(Reference("reviews", version=2), "challenger", reason=reason)
        settings = RetrainSettings(no_shadow=True)
        self.run = Run(
            home=Home(folder / "runs", "reviews"),
            journal=JOURNAL,
            settings=settings,
            registry=self.registry,
            champion=folder,
            progress=Silent(),
            spend=lambda _: None,
            labelled=None,
            optimizing=OptimizeSettings(),
            plan={},
            by="ana",
        )
        write(self.run.folder, JOURNAL)

    def give_up(self) -> Journal:
        return give_up(self.run.folder, JOURNAL, self.registry, "bo", NOW)

    def named(self, alias: str) -> int:
        with Database(self.registry.place) as database:
            return Deployments(database, "test").current("reviews", alias)

    def last_reason(self) -> str | None:
        with Database(self.registry.place) as database:
            return Deployments(database, "test").entries("reviews")[-1].reason


@pytest.mark.parametrize(("before", "now"), [(None, "is removed"), (3, "names reviews:3 again")])
def test_a_run_that_is_given_up_leaves_no_challenger(tmp_path: Path, before: int | None, now: str) -> None:
    scene = Scene(tmp_path, before)
    over = scene.give_up()
    assert (over.outcome, over.sentence) == ("given up", f"by --restart; {WITHDRAWN}{now}")
    assert scene.named("challenger") == (before or 0)
    assert scene.last_reason() == f"given up in run {JOURNAL.id}"
    assert scene.give_up() == over  # again, after it was killed before the record


def test_a_challenger_that_somebody_has_named_since_stays(tmp_path: Path) -> None:
    scene = Scene(tmp_path, None)
    with Database(scene.registry.place) as database:
        Deployments(database, "bo").promote(Reference("reviews", version=4), "challenger")
    assert scene.give_up().sentence == "by --restart"
    assert scene.named("challenger") == 4


def test_a_shadow_of_a_run_that_is_given_up_ends(tmp_path: Path) -> None:
    scene = Scene(tmp_path, None)
    with Database(scene.registry.place) as database:
        rollouts = Rollouts(database, f"ana, run {JOURNAL.id}")
        rollouts.begin(Reference("reviews", version=2), ("shadow",), {}, reason="killed before its record")
        assert scene.named("shadow") == 2
        scene.give_up()  # by somebody else
        last = rollouts.last("reviews")
    assert last is not None
    assert last.status == "aborted"
    assert (scene.named("shadow"), scene.named("challenger")) == (0, 0)


def test_a_shadow_of_somebody_else_goes_on(tmp_path: Path) -> None:
    scene = Scene(tmp_path, None)
    with Database(scene.registry.place) as database:
        Rollouts(database, "bo").begin(Reference("reviews", version=4), ("shadow",), {}, reason="by hand")
    scene.give_up()
    assert (scene.named("shadow"), scene.named("challenger")) == (4, 0)


def test_a_run_that_fails_after_it_named_a_challenger_takes_the_name_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Run) -> steps.Facts:
        raise DataError("it cannot be")

    scene = Scene(tmp_path, None)
    monkeypatch.setitem(steps.STEPS, "shadow", fails)
    with pytest.raises(DataError, match="it cannot be"):
        carry_out(scene.run, lambda: NOW)
    (journal,) = scene.run.home.journals()
    assert (journal.outcome, journal.sentence) == ("failed", f"it cannot be; {WITHDRAWN}is removed")
    assert scene.named("challenger") == 0


def test_a_run_is_not_given_up_while_its_challenger_cannot_be_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path, None)
    monkeypatch.setattr(registering_steps.Deployments, "undo", _away)
    with pytest.raises(RegistryError, match="away"):
        scene.give_up()
    (journal,) = scene.run.home.journals()
    assert journal.outcome is None


def _away(*_: object) -> None:
    raise RegistryError("the registry is away")
