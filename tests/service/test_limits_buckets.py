"""The arithmetic of the limits: never more than the bucket and what flows into it, and not less either."""

from __future__ import annotations

import pytest
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bertline.service.limits.buckets import (
    DAY_US,
    MICRO,
    MINUTE_US,
    Account,
    Charge,
    Refund,
    apply_charge,
    apply_refund,
)
from bertline.service.limits.headers import states_of, waits
from bertline.service.limits.settings import ClientLimits

ASK = Charge("ann", 0, 0, 1, None, None, None, None)


def grants(limit: int, times_us: list[int]) -> list[bool]:
    """Which of the single tokens asked for at these times a minute's limit grants."""
    account, found = None, []
    for now_us in times_us:
        account, granted = apply_charge(account, ASK._replace(now_us=now_us, tokens_per_minute=limit))
        found.append(granted)
    return found


def test_a_full_bucket_gives_a_minutes_tokens_at_once_and_then_one_at_a_time() -> None:
    second = MICRO
    assert grants(60, [0] * 61) == [True] * 60 + [False]
    assert grants(60, [0] * 60 + [second - 1, second, second]) == [True] * 60 + [False, True, False]


@pytest.mark.parametrize("limit", [1, 7, 59, 60, 61, 10**8 - 1])
def test_rounding_never_favours_the_client(limit: int) -> None:
    account, _ = apply_charge(None, ASK._replace(tokens=limit, tokens_per_minute=limit))
    asked = ASK._replace(tokens=limit, tokens_per_minute=limit)
    assert not apply_charge(account, asked._replace(now_us=MINUTE_US - 1))[1]
    assert apply_charge(account, asked._replace(now_us=MINUTE_US))[1]


def test_a_quota_starts_anew_at_midnight_utc() -> None:
    ask = ASK._replace(tokens=5, tokens_per_day=5)
    account, granted = apply_charge(None, ask)
    assert granted
    assert not apply_charge(account, ask._replace(now_us=DAY_US - 1, tokens=1))[1]
    assert apply_charge(account, ask._replace(now_us=DAY_US))[1]


def test_a_clock_that_is_behind_does_not_bring_yesterday_back() -> None:
    ask = ASK._replace(tokens=5, tokens_per_day=5, now_us=DAY_US)
    account, _ = apply_charge(None, ask)
    account, granted = apply_charge(account, ask._replace(now_us=DAY_US - 1, tokens=1))
    assert not granted
    assert account.day == 1
    assert account.tokens_today == 5


def test_a_charge_is_granted_as_a_whole_or_not_at_all() -> None:
    ask = Charge("ann", 0, 1, 1, 9, 9, 9, 0)
    account, granted = apply_charge(None, ask)
    assert not granted
    assert account == Account(0, 0, 0, 0, 0, 0)


def test_without_limits_nothing_is_counted() -> None:
    account, granted = apply_charge(None, ASK._replace(requests=5, tokens=10**12))
    assert granted
    assert account == Account(0, 0, 0, 0, 0, 0)


def test_a_lowered_limit_affects_only_its_own_kind() -> None:
    account, _ = apply_charge(None, ASK._replace(tokens=100, tokens_per_minute=100))
    lowered = ASK._replace(tokens_per_minute=10, requests_per_minute=10)
    assert apply_charge(account, lowered._replace(tokens=0, requests=1))[1]
    assert not apply_charge(account, lowered)[1]


def test_tokens_come_back_to_the_day_they_were_taken_from() -> None:
    account, _ = apply_charge(None, ASK._replace(tokens=60, tokens_per_day=100))
    assert apply_refund(account, Refund("ann", 0, 50)).tokens_today == 10
    assert apply_refund(account, Refund("ann", 0, 70)).tokens_today == 0
    tomorrow = account._replace(day=1)
    assert apply_refund(tomorrow, Refund("ann", 0, 50)) == tomorrow


class Bucket(RuleBasedStateMachine):
    """A client that asks and waits, and servers whose clocks are not quite the same."""

    @initialize(limit=some.sampled_from([1, 2, 7, 60, 61, 1000, 99_999_999]))
    def open(self, limit: int) -> None:
        self.limit, self.now_us = limit, 0
        self.account: Account | None = None
        self.granted: list[tuple[int, int]] = []  # when, by the latest of the clocks that have charged, and how many

    def ask_of(self, tokens: int) -> Charge:
        return ASK._replace(now_us=self.now_us, tokens=tokens, tokens_per_minute=self.limit)

    @rule(share=some.floats(0, 1.1))
    def ask(self, share: float) -> None:
        charge = self.ask_of(max(1, int(share * self.limit)))
        self.account, granted = apply_charge(self.account, charge)
        if granted:
            self.granted.append((self.account.at_us, charge.tokens))
            return
        (wait,) = waits(self.account, charge)
        if wait.wait_s is None:
            assert charge.tokens > self.limit
        elif self.now_us >= self.account.at_us:
            early, late = (self.now_us + seconds * MICRO for seconds in (wait.wait_s - 1, wait.wait_s))
            assert not apply_charge(self.account, charge._replace(now_us=early))[1], "it was told to wait too long"
            assert apply_charge(self.account, charge._replace(now_us=late))[1], "it was told to come too early"

    @rule(us=some.integers(1, 2 * MINUTE_US) | some.integers(1, 1000))
    def wait(self, us: int) -> None:
        self.now_us += us

    @rule(us=some.integers(1, 5 * MICRO))
    def clock_of_another_server(self, us: int) -> None:
        self.now_us = max(0, self.now_us - us)

    @invariant()
    def never_more_in_any_time_than_the_bucket_and_what_flowed_in(self) -> None:
        for first, (from_us, _) in enumerate(self.granted):
            got = 0
            for to_us, tokens in self.granted[first:]:
                got += tokens
                assert MINUTE_US * got <= self.limit * (MINUTE_US + to_us - from_us)

    @invariant()
    def what_is_said_to_be_left_can_be_had_and_no_more(self) -> None:
        if self.account is not None:
            (found,) = states_of(self.account, ClientLimits(tokens_per_minute=self.limit), self.now_us)
            if found.left:
                assert apply_charge(self.account, self.ask_of(found.left))[1]
            assert not apply_charge(self.account, self.ask_of(found.left + 1))[1]


TestBucket = Bucket.TestCase
