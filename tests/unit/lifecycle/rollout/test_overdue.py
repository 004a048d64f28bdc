from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sql
from pydantic import ValidationError

from bertline.lifecycle.rollout.decision import decide
from bertline.lifecycle.rollout.overdue import LATE_S, end_overdue, ending, outlook
from bertline.lifecycle.rollout.plan import Plan
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.rollout import Rollout, Status, Tally
from bertline.registry.rollouts import Rollouts
from bertline.registry.schema import ROLLOUTS
from bertline.service.settings import ServeSettings
from tests.registered import new_registry

DAY_S = 86_400.0
SHADOW = Rollout(1, "films", 1, "a" * 64, 2, "b" * 64, ("shadow",), since_s=0.0)
CANARY = replace(SHADOW, steps=("5", "100"))
WATCH = replace(CANARY, place=1, status="watching")
SERVE = "let a server follow models:/films@champion, or end it with bertline models rollout films --abort"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(new_registry(tmp_path)) as one:
        Deployments(one, "ana").promote(Reference("reviews", version=1), reason="first")
        yield one


def age(database: Database, seconds: float) -> None:
    with database.changing() as connection:
        connection.execute(sql.update(ROLLOUTS).values(since_s=time.time() - seconds))


@pytest.mark.parametrize(("rollout", "limit_s"), [(SHADOW, DAY_S), (CANARY, DAY_S), (WATCH, 3600.0)])
def test_a_rollout_ends_when_servers_should_have_ended_it(rollout: Rollout, limit_s: float) -> None:
    assert ending(rollout, {}, limit_s + LATE_S - 1) is None
    over = ending(rollout, {}, limit_s + LATE_S)
    assert over is not None
    assert over.reason.startswith("no server has ended it; ")


@pytest.mark.parametrize(("rollout", "limit_s"), [(SHADOW, DAY_S), (WATCH, 3600.0)])
def test_evidence_is_left_to_servers_until_the_time_is_over(rollout: Rollout, limit_s: float) -> None:
    """It may have come a second ago."""
    before = Tally(champion_requests=10_000)
    failing = {0: before, 1: Tally(challenger_requests=1000, challenger_errors=1000)}
    if rollout is SHADOW:
        failing = {0: before + failing[1]}
    assert decide(rollout, Plan(), failing, 1.0).action == "roll_back"
    assert ending(rollout, failing, limit_s + LATE_S - 1) is None
    over = ending(rollout, failing, limit_s + LATE_S)
    assert over is not None
    assert (over.action, "errors 100\u202f% (1,000 of 1,000)" in over.reason) == ("roll_back", True)


def test_servers_look_more_often_than_they_are_waited_for() -> None:
    assert ServeSettings(follow_every_s=LATE_S / 2).follow_every_s == 30
    with pytest.raises(ValidationError, match="less than or equal to 30"):
        ServeSettings(follow_every_s=LATE_S)


def test_what_only_goes_on_or_is_paused_is_left_to_servers_and_to_people() -> None:
    goes_on = replace(CANARY, plan={"at_timeout": "advance"})
    assert ending(goes_on, {}, 2 * DAY_S) is None
    paused = replace(SHADOW, status="paused")
    assert ending(paused, {}, 2 * DAY_S) is None
    assert outlook(goes_on, {}, 2 * DAY_S) == (
        f"films:2 is being rolled out, 5\u202f%, and no server has taken the next step, due at "
        f"1970-01-02 00:00 UTC: {SERVE}"
    )
    assert outlook(paused, {}, 2 * DAY_S) == (
        "films:2 is being rolled out, shadow, and paused: go on with bertline models rollout films --resume, or end it "
        "with bertline models rollout films --abort"
    )


def test_who_waits_is_told_how_long_and_whether_a_server_follows_it() -> None:
    until = "films:2 is being rolled out, shadow, until 1970-01-02 00:00 UTC at the latest"
    alone = f"{until}, and no server has counted a request for it: {SERVE}"
    assert outlook(SHADOW, {}, 60.0) == outlook(SHADOW, {0: Tally()}, 60.0) == alone
    counted = {0: Tally(champion_requests=1)}
    assert outlook(WATCH, counted, 60.0) == (
        "films:2 is being rolled out, 100\u202f%, watched, until 1970-01-01 01:00 UTC at the latest"
    )


def test_the_latest_end_of_a_canary_counts_the_steps_ahead() -> None:
    steps = ("shadow", "5", "50", "100")
    counted = {0: Tally(champion_requests=1)}
    ends = [
        outlook(replace(CANARY, steps=steps, place=place, since_s=since_s), counted, 0.0).split("until ")[1]
        for place, since_s in ((0, 0.0), (1, 0.0), (2, DAY_S), (3, 0.0))
    ]
    assert ends == [f"1970-01-{day} 01:00 UTC at the latest" for day in ("04", "03", "03", "01")]


@pytest.mark.parametrize(
    ("steps", "status", "champion"),
    [(("shadow",), "rolled_back", 1), (("5", "100"), "rolled_back", 1), (None, "promoted", 2)],
)
def test_it_is_ended_as_a_server_would_and_recorded(
    database: Database, steps: tuple[str, ...] | None, status: Status, champion: int
) -> None:
    rollouts, two = Rollouts(database, "bo"), Reference("reviews", version=2)
    assert end_overdue(rollouts, "reviews") is None
    if steps is None:
        Deployments(database, "ana").promote(two, reason="by hand", watch={})
    else:
        rollouts.begin(two, steps, {}, reason="a drill")
    assert end_overdue(rollouts, "reviews") is None
    age(database, DAY_S + 90)
    told = end_overdue(rollouts, "reviews")
    last = rollouts.last("reviews")
    assert last is not None
    assert told == f"rollout 1 of reviews:2 is {status.replace('_', ' ')}: {last.reason}"
    assert last.status == status
    deployments = Deployments(database, "x")
    assert deployments.current("reviews", "champion") == champion
    entry = deployments.entries()[-1]
    assert (entry.by, entry.reason) == ("bo", last.reason)
    assert deployments.faults() == []
    assert end_overdue(rollouts, "reviews") is None
