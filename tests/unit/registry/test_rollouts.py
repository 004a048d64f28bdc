from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.errors import RegistryError, UsageError
from bertline.registry.catalogue import Catalogue
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.rollout import Rollout, Tally
from bertline.registry.rollouts import Rollouts
from tests.registered import new_registry

STEPS = ("shadow", "5", "100")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(new_registry(tmp_path)) as one:
        Deployments(one, "ana").promote(Reference("reviews", version=1), reason="first")
        yield one


def begun(database: Database, version: int = 2, steps: tuple[str, ...] = STEPS) -> Rollout:
    return Rollouts(database, "ana").begin(Reference("reviews", version=version), steps, {}, reason="by hand")


def now(database: Database, alias: str) -> int:
    return Deployments(database, "x").current("reviews", alias)


def step(rollouts: Rollouts, status: str, place: int, reason: str = "1 of 2") -> Rollout:
    rollout = rollouts.current("reviews")
    assert rollout is not None
    assert rollouts.move(rollout, status, place, reason)  # type: ignore[arg-type]
    last = rollouts.last("reviews")
    assert last is not None
    return last


def test_a_rollout_goes_through_its_steps_and_each_is_in_the_log(database: Database) -> None:
    rollouts = Rollouts(database)
    assert rollouts.current("reviews") is None
    assert begun(database).role == "shadow"
    assert (now(database, "shadow"), now(database, "canary"), now(database, "champion")) == (2, 0, 1)
    assert step(rollouts, "running", 1).share == 0.05
    assert (now(database, "shadow"), now(database, "canary"), now(database, "champion")) == (0, 2, 1)
    assert step(rollouts, "watching", 2).role == "watch"
    assert (now(database, "canary"), now(database, "champion")) == (0, 2)
    assert not step(rollouts, "promoted", 2, "kept").open
    deployments = Deployments(database, "x")
    entries = [(one.by, one.action, one.alias, one.to_version) for one in deployments.entries()][1:]
    assert entries == [
        ("ana", "step", "shadow", 2),
        ("rollout", "step", "shadow", None),
        ("rollout", "step", "canary", 2),
        ("rollout", "step", "canary", None),
        ("rollout", "promote", "champion", 2),
        ("rollout", "step", "champion", 2),
    ]
    assert deployments.faults() == []
    assert deployments.rollback("reviews").to_version == 1


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_rollback_from_any_step_leaves_the_old_champion(database: Database, place: int) -> None:
    rollouts = Rollouts(database)
    begun(database)
    for target in range(1, place + 1):
        step(rollouts, "watching" if target == 2 else "running", target)
    last = step(rollouts, "rolled_back", place, "12 % of errors against 0 %")
    assert (last.status, last.reason) == ("rolled_back", "12 % of errors against 0 %")
    assert (now(database, "shadow"), now(database, "canary"), now(database, "champion")) == (0, 0, 1)
    assert Deployments(database, "x").entries()[-1].reason == last.reason
    assert Deployments(database, "x").faults() == []


def test_of_servers_that_decide_at_once_one_does(database: Database) -> None:
    begun(database)
    rollout = Rollouts(database).current("reviews")
    assert rollout is not None
    done: list[bool] = []

    def decide() -> None:
        with Database(str(database.url)) as own:
            done.append(Rollouts(own).move(rollout, "running", 1, "enough"))

    threads = [threading.Thread(target=decide) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(done) == [False, False, False, True]
    assert len(Deployments(database, "x").entries()) == 4


def test_counts_of_servers_add_up_and_the_same_counts_again_change_nothing(database: Database) -> None:
    rollout, rollouts = begun(database), Rollouts(database)
    first, second = Tally(champion_requests=5, shift=0.5), Tally(champion_requests=2, challenger_errors=1, shift=0.25)
    rollouts.count(rollout, "a", first)
    rollouts.count(rollout, "b", second)
    assert rollouts.count(rollout, "a", first) == {0: first + second} == rollouts.totals(rollout)


def test_counts_of_ended_rollouts_go_when_the_next_one_of_the_model_begins(database: Database) -> None:
    rollouts = Rollouts(database)
    first = begun(database)
    rollouts.count(first, "a", Tally(champion_requests=5))
    assert rollouts.move(first, "rolled_back", 0, "errors")
    assert rollouts.totals(first) != {}
    second = begun(database)
    rollouts.count(second, "a", Tally(champion_requests=2))
    assert (rollouts.totals(first), rollouts.totals(second)) == ({}, {0: Tally(champion_requests=2)})


def test_a_promotion_by_hand_is_watched_and_one_more_ends_the_watch(database: Database) -> None:
    rollouts, deployments = Rollouts(database), Deployments(database, "ana")
    deployments.promote(Reference("reviews", version=3), reason="by hand")
    watched = rollouts.current("reviews")
    assert watched is not None
    assert (watched.role, watched.champion, watched.challenger, watched.place) == ("watch", 1, 3, 0)
    deployments.promote(Reference("reviews", version=4), reason="again", watch=None)
    assert rollouts.current("reviews") is None
    last = rollouts.last("reviews")
    assert last is not None
    assert (last.status, last.reason) == ("aborted", "reviews:4 was promoted by ana")


def test_a_promotion_by_hand_ends_a_canary_and_its_alias(database: Database) -> None:
    begun(database, steps=("5", "100"))
    Deployments(database, "ana").promote(Reference("reviews", version=3), reason="by hand", watch=None)
    assert (Rollouts(database).current("reviews"), now(database, "canary")) == (None, 0)


def test_it_pauses_and_goes_on(database: Database) -> None:
    rollouts = Rollouts(database, "ana")
    assert rollouts.pause(begun(database), paused=True)
    paused = rollouts.current("reviews")
    assert paused is not None
    assert (paused.status, paused.reason) == ("paused", "paused by ana")
    assert rollouts.pause(paused, paused=False)
    assert not rollouts.pause(paused, paused=False)  # somebody else did


def test_the_bound_of_slow_requests_is_set_once(database: Database) -> None:
    rollouts, rollout = Rollouts(database), begun(database)
    assert rollouts.bound(rollout, 20.0)
    assert not rollouts.bound(rollout, 30.0)
    after = rollouts.current("reviews")
    assert after is not None
    assert after.slow_ms == 20.0


def test_what_cannot_begin(database: Database) -> None:
    rollouts = Rollouts(database, "ana")
    with pytest.raises(UsageError, match="rolling reviews:2 out needs a gate's verdict: give --verdict FILE"):
        rollouts.begin(Reference("reviews", version=2), STEPS, {})
    with pytest.raises(RegistryError, match="reviews:1 is the champion already: roll another version out"):
        begun(database, 1)
    with pytest.raises(RegistryError, match="topics has no champion to compare topics:1 with: promote the first"):
        rollouts.begin(Reference("topics", version=1), ("shadow",), {})
    with pytest.raises(UsageError, match=r"^100.% alone is a promotion"):
        begun(database, steps=("100",))
    begun(database)
    with pytest.raises(RegistryError, match=r"a rollout of reviews:2 goes on \(shadow\): wait, or end it"):
        begun(database, 3)


def test_a_champion_that_another_program_moved_stops_the_promotion(database: Database) -> None:
    import sqlalchemy as sql

    from bertline.registry.schema import ALIASES

    begun(database, steps=("5", "100"))
    with database.changing() as connection:
        connection.execute(sql.update(ALIASES).where(ALIASES.c.alias == "champion").values(version=4))
    rollouts = Rollouts(database)
    rollout = rollouts.current("reviews")
    assert rollout is not None
    with pytest.raises(RegistryError, match="somebody else moved the champion of reviews, it is reviews:4 now"):
        rollouts.move(rollout, "watching", 1, "enough")
    assert rollouts.current("reviews") == rollout  # nothing of it was kept
    assert {one.version for one in Catalogue(database).versions("reviews") if "champion" in one.aliases} == {4}
