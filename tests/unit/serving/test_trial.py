from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bertline.serving.history import History
from bertline.serving.trial import Trial, place_of
from bertline.tasks.compared import Compared


def version(*, ready: bool = True) -> Any:
    return SimpleNamespace(ready=ready)


def trial(role: Any, share: float = 0.0, **more: Any) -> Trial:
    given = {"champion": version(), "challenger": version(), **more}
    return Trial(rollout=3, place=0, role=role, share=share, **given)


def test_places_of_clients_are_spread_evenly_and_differ_by_rollout() -> None:
    places = [place_of(3, f"user-{number}".encode()) for number in range(4000)]
    for share in (0.01, 0.05, 0.25, 0.5):
        assert abs(sum(one < share for one in places) / 4000 - share) < 4 * (share * (1 - share) / 4000) ** 0.5
    both = sum(one < 0.5 and place_of(4, f"user-{number}".encode()) < 0.5 for number, one in enumerate(places))
    assert abs(both / 4000 - 0.25) < 0.03


def test_a_shadow_is_never_chosen_and_a_canary_by_its_share() -> None:
    shadow, canary = trial("shadow"), trial("canary", 0.3)
    keys = [f"user-{number}".encode() for number in range(500)]
    assert {shadow.choose(key) is shadow.champion for key in keys} == {True}
    assert {canary.choose(key) is canary.challenger for key in keys if place_of(3, key) < 0.3} == {True}
    assert {canary.choose(key) is canary.champion for key in keys if place_of(3, key) >= 0.3} == {True}


def test_a_watch_without_the_old_version_has_no_choice() -> None:
    alone = trial("watch", 1.0, champion=None, challenger=version(ready=False))
    assert alone.choose(b"x") is alone.challenger
    assert alone.stand_in(alone.challenger) is None
    assert alone.tally.challenger_errors == 0


def test_a_challenger_that_is_not_ready_counts_as_failed() -> None:
    one = trial("watch", 1.0, challenger=version(ready=False))
    assert one.choose(b"x") is one.champion
    assert (one.tally.challenger_requests, one.tally.challenger_errors) == (1, 1)


@pytest.mark.parametrize(("slow_s", "counts"), [(None, (1, 1, 0, 0)), (0.5, (1, 0, 1, 1))])
def test_one_that_is_late_is_slow_or_failed(slow_s: float | None, counts: tuple[int, ...]) -> None:
    one = trial("canary", 1.0, slow_s=slow_s)
    one.late(one.challenger)
    tally = one.tally
    found = tally.challenger_requests, tally.challenger_errors, tally.challenger_timed, tally.challenger_slow
    assert found == counts


def test_who_computes_again_depends_on_the_role() -> None:
    shadow, canary = trial("shadow"), trial("canary", 0.5)
    assert shadow.champion is not None
    assert canary.champion is not None
    assert (shadow.other(shadow.champion), shadow.other(shadow.challenger)) == (shadow.challenger, None)
    assert (canary.other(canary.champion), canary.other(canary.challenger)) == (None, canary.champion)


def test_comparisons_are_summed() -> None:
    one = trial("shadow")
    one.compared(Compared((True,), 0.1), True, 1.0, 2.0)
    one.compared(Compared((False, True), 0.5), False, 1.0, 2.0)
    one.compared(Compared((), 0.0), None, 1.0, 1.0)
    tally = one.tally
    assert (tally.compared, tally.disagreed, round(tally.shift, 3), tally.champion_s, tally.challenger_s) == (
        2, 1, 0.6, 3.0, 5.0,
    )  # fmt: skip


def test_old_requests_of_a_history_count_less() -> None:
    history = History()
    for number in range(6000):
        (history.failed if number < 600 else lambda: history.answered(0.01))()
    assert history.requests < 5000
    assert history.errors <= 300
    assert history.bound_s() == pytest.approx(0.015)
    assert history.slower_than(0.005) == (1000, 1000)
    assert History().bound_s() is None
