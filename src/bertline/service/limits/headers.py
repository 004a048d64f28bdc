"""The state of a client's limits as response headers and waiting times.

``RateLimit-Policy`` and ``RateLimit`` follow draft-ietf-httpapi-ratelimit-headers-11 (May 2026); the unit ``tokens`` is
ours, because its registry has only requests and bytes. ``X-RateLimit-*`` follow GitHub: the limit, the rest of it,
and the Unix time when all of it is available again; for several limits, of the one with the smallest rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bertline.service.limits.buckets import DAY_US, MICRO, Account, Charge, refill
from bertline.service.limits.settings import ClientLimits

Fields = list[tuple[bytes, bytes]]


class LimitState(NamedTuple):
    """The state of one limit, in requests or tokens."""

    policy: str  # the limit's name in the headers
    limit: int
    left: int
    next_s: int  # seconds until more is available
    full_s: int  # seconds until all is available


class Wait(NamedTuple):
    """A limit that a charge exceeds, in requests or tokens."""

    policy: str
    limit: int
    requested: int
    wait_s: int | None  # seconds until the charge fits, without other charges; None: never

    @property
    def is_daily(self) -> bool:
        """Whether it is a limit per day."""
        return self.policy.endswith("-per-day")

    @property
    def unit(self) -> str:
        """Requests or tokens."""
        return self.policy.partition("-")[0]


def policies(limits: ClientLimits) -> bytes:
    """The value of ``RateLimit-Policy``, the same for all responses to a client.

    >>> policies(ClientLimits(requests_per_minute=60, tokens_per_day=5000))
    b'"requests-per-minute";q=60;w=60, "tokens-per-day";q=5000;qu="tokens";w=86400'
    """
    rows = (
        ("requests-per-minute", limits.requests_per_minute, ";w=60"),
        ("tokens-per-minute", limits.tokens_per_minute, ';qu="tokens";w=60'),
        ("requests-per-day", limits.requests_per_day, ";w=86400"),
        ("tokens-per-day", limits.tokens_per_day, ';qu="tokens";w=86400'),
        ("concurrent-requests", limits.concurrent_requests, ';qu="concurrent-requests"'),
    )
    return ", ".join(f'"{name}";q={limit}{more}' for name, limit, more in rows if limit is not None).encode()


def states_of(account: Account, limits: ClientLimits, now_us: int) -> list[LimitState]:
    """The state of each limit of an account."""
    elapsed_us, states = max(0, now_us - account.at_us), []
    for policy, limit, debt in (
        ("requests-per-minute", limits.requests_per_minute, account.requests_debt),
        ("tokens-per-minute", limits.tokens_per_minute, account.tokens_debt),
    ):
        if limit is not None:
            owed = max(0, debt - refill(elapsed_us, limit))
            left = max(0, limit * MICRO - owed) // MICRO
            following = owed - max(0, limit - left - 1) * MICRO if owed else MICRO
            states.append(LimitState(policy, limit, left, _seconds(following, limit), _seconds(owed, limit)))
    today, midnight_s = max(account.day, now_us // DAY_US), _until_midnight_s(now_us)
    for policy, limit, used in (
        ("requests-per-day", limits.requests_per_day, account.requests_today),
        ("tokens-per-day", limits.tokens_per_day, account.tokens_today),
    ):
        if limit is not None:
            left = limit - (used if account.day == today else 0)
            states.append(LimitState(policy, limit, max(0, left), midnight_s, midnight_s))
    return states


def waits(account: Account, charge: Charge) -> list[Wait]:
    """The limits that a refused charge exceeds."""
    exceeded = []
    for policy, requested, limit, debt in (
        ("requests-per-minute", charge.requests, charge.requests_per_minute, account.requests_debt),
        ("tokens-per-minute", charge.tokens, charge.tokens_per_minute, account.tokens_debt),
    ):
        if limit is not None and requested:
            excess = debt - refill(max(0, charge.now_us - account.at_us), limit) + (requested - limit) * MICRO
            if excess > 0:
                wait_s = _seconds(excess, limit) if requested <= limit else None
                exceeded.append(Wait(policy, limit, requested, wait_s))
    midnight_s = _until_midnight_s(charge.now_us)
    for policy, requested, limit, used in (
        ("requests-per-day", charge.requests, charge.requests_per_day, account.requests_today),
        ("tokens-per-day", charge.tokens, charge.tokens_per_day, account.tokens_today),
    ):
        if limit is not None and requested and used + requested > limit:
            exceeded.append(Wait(policy, limit, requested, midnight_s if requested <= limit else None))
    return exceeded


def fields(policy: bytes, states: Sequence[LimitState], now_us: int) -> Fields:
    """The headers of a response; ``policy`` is from ``policies``."""
    if not states:
        return [(b"ratelimit-policy", policy)]
    each = ", ".join([f'"{one.policy}";r={one.left}{f";t={one.next_s}" if one.next_s else ""}' for one in states])
    tightest = min(states, key=lambda one: one.left / one.limit)
    return [
        (b"ratelimit-policy", policy),
        (b"ratelimit", each.encode()),
        (b"x-ratelimit-limit", b"%d" % tightest.limit),
        (b"x-ratelimit-remaining", b"%d" % tightest.left),
        (b"x-ratelimit-reset", b"%d" % (-(-now_us // MICRO) + tightest.full_s)),
    ]


def _seconds(debt: int, limit: int) -> int:
    """Seconds in which a bucket refills by that many millionths, rounded up."""
    wait_us = -(-debt * 60 // limit)
    return -(-wait_us // MICRO)


def _until_midnight_s(now_us: int) -> int:
    return -(-(DAY_US - now_us % DAY_US) // MICRO)
