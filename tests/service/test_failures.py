"""Wrong secrets are counted by sender, and the memory of them is bounded."""

from __future__ import annotations

import pytest

from bertline.service.guard import failures as module
from bertline.service.guard.failures import LIMIT, Failures
from bertline.serving.problems import Code, Problem
from bertline.testing.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failures(clock: Clock) -> Failures:
    return Failures(clock)


def test_ten_failures_a_minute_are_allowed_and_the_next_waits_until_the_first_is_a_minute_old(
    failures: Failures, clock: Clock
) -> None:
    for _ in range(LIMIT):
        failures.check("ann")
        failures.count("ann")
        clock.now_s += 1
    with pytest.raises(Problem, match=r"10 wrong secrets were sent within a minute: try again in 50 s") as caught:
        failures.check("ann")
    assert (caught.value.code, caught.value.headers) == (Code.RATE_LIMITED, {"Retry-After": "50"})
    clock.now_s += 49.5
    with pytest.raises(Problem, match="try again in 1 s"):
        failures.check("ann")
    clock.now_s += 0.5
    failures.check("ann")
    failures.count("ann")
    with pytest.raises(Problem):
        failures.check("ann")


def test_one_of_several_senders_is_enough_and_others_are_not_held_up(failures: Failures) -> None:
    for _ in range(LIMIT):
        failures.count("ann", "her address")
    for senders in (("ann", "elsewhere"), ("bob", "her address")):
        with pytest.raises(Problem):
            failures.check(*senders)
    failures.check("bob", "elsewhere")


def test_memory_is_bounded_and_an_active_sender_stays_tracked(
    failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SENDERS", 50)
    for place in range(500):
        failures.count(f"name {place}", "one address")
    assert len(failures._times) == 50
    with pytest.raises(Problem):
        failures.check("one address")
