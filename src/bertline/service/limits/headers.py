"""How a client stands with each of its limits, in the words of HTTP: the fields of answers, and when to come again.

``RateLimit-Policy`` and ``RateLimit`` are those of draft-ietf-httpapi-ratelimit-headers-11 (May 2026); the unit
``tokens`` is ours, its registry has requests and bytes. ``X-RateLimit-*`` are what clients know from GitHub: one limit,
what is left of it, and the second since 1970 when all of it is there again; of several limits, the one that is nearest
to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bertline.service.limits.buckets import DAY_US, MICRO, Account, Charge, drained
from bertline.service.limits.settings import ClientLimits

Fields = list[tuple[bytes, bytes]]


class Standing(NamedTuple):
    """With one limit.

    Attributes:
        policy: the limit's name in the fields.
        limit: in requests or tokens.
        left: of it.
        next_s: seconds in which nothing is added to what is left.
        full_s: seconds after which all of it is there again.
    """

    policy: str
    limit: int
    left: int
    next_s: int
    full_s: int


class Wait(NamedTuple):
    """Why a charge did not fit.

    Attributes:
        policy: the limit's name.
        limit: in requests or tokens.
        asked: of them.
        wait_s: whole seconds after which it fits if nothing else is asked; None if it never does.
    """

    policy: str
    limit: int
    asked: int
    wait_s: int | None

    @property
    def of_day(self) -> bool:
        """Whether the limit is one of a day."""
        return self.policy in ("requests-per-day", "tokens-per-day")

    @property
    def unit(self) -> str:
        """Of the limit."""
        return "tokens" if self.policy.startswith("tokens") else "requests"


def policies(limits: ClientLimits) -> bytes:
    """The value of ``RateLimit-Policy``, the same for all answers to a client.

    >>> policies(ClientLimits(requests_per_minute=60, tokens_per_day=5000))
    b'"requests-per-minute";q=60;w=60, "tokens-per-day";q=5000;qu="tokens";w=86400'
    """
    known = (
        ("requests-per-minute", limits.requests_per_minute, ";w=60"),
        ("tokens-per-minute", limits.tokens_per_minute, ';qu="tokens";w=60'),
        ("requests-per-day", limits.requests_per_day, ";w=86400"),
        ("tokens-per-day", limits.tokens_per_day, ';qu="tokens";w=86400'),
        ("concurrent-requests", limits.concurrent_requests, ';qu="concurrent-requests"'),
    )
    return ", ".join(f'"{name}";q={limit}{more}' for name, limit, more in known if limit is not None).encode()


def standings(account: Account, limits: ClientLimits, now_us: int) -> list[Standing]:
    """How the owner of the account stands with each limit that it has."""
    elapsed_us, found = max(0, now_us - account.at_us), []
    for policy, limit, debt in (
        ("requests-per-minute", limits.requests_per_minute, account.requests_debt),
        ("tokens-per-minute", limits.tokens_per_minute, account.tokens_debt),
    ):
        if limit is not None:
            owed = max(0, debt - drained(elapsed_us, limit))
            left = max(0, limit * MICRO - owed) // MICRO
            following = owed - max(0, limit - left - 1) * MICRO if owed else MICRO
            found.append(Standing(policy, limit, left, _seconds(following, limit), _seconds(owed, limit)))
    today, midnight_s = max(account.day, now_us // DAY_US), _until_midnight_s(now_us)
    for policy, limit, used in (
        ("requests-per-day", limits.requests_per_day, account.requests_today),
        ("tokens-per-day", limits.tokens_per_day, account.tokens_today),
    ):
        if limit is not None:
            left = limit - (used if account.day == today else 0)
            found.append(Standing(policy, limit, max(0, left), midnight_s, midnight_s))
    return found


def waits(account: Account, charge: Charge) -> list[Wait]:
    """The limits that a charge, which was not granted, does not fit into."""
    found = []
    for policy, asked, limit, debt in (
        ("requests-per-minute", charge.requests, charge.requests_per_minute, account.requests_debt),
        ("tokens-per-minute", charge.tokens, charge.tokens_per_minute, account.tokens_debt),
    ):
        if limit is not None and asked:
            excess = debt - drained(max(0, charge.now_us - account.at_us), limit) + (asked - limit) * MICRO
            if excess > 0:
                found.append(Wait(policy, limit, asked, _seconds(excess, limit) if asked <= limit else None))
    midnight_s = _until_midnight_s(charge.now_us)
    for policy, asked, limit, used in (
        ("requests-per-day", charge.requests, charge.requests_per_day, account.requests_today),
        ("tokens-per-day", charge.tokens, charge.tokens_per_day, account.tokens_today),
    ):
        if limit is not None and asked and used + asked > limit:
            found.append(Wait(policy, limit, asked, midnight_s if asked <= limit else None))
    return found


def fields(policy: bytes, known: Sequence[Standing], now_us: int) -> Fields:
    """The fields of an answer.

    Args:
        policy: from ``policies``.
        known: the limits whose state is known.
        now_us: the time of the answer.
    """
    if not known:
        return [(b"ratelimit-policy", policy)]
    each = ", ".join([f'"{one.policy}";r={one.left}{f";t={one.next_s}" if one.next_s else ""}' for one in known])
    nearest = min(known, key=lambda one: one.left / one.limit)
    return [
        (b"ratelimit-policy", policy),
        (b"ratelimit", each.encode()),
        (b"x-ratelimit-limit", b"%d" % nearest.limit),
        (b"x-ratelimit-remaining", b"%d" % nearest.left),
        (b"x-ratelimit-reset", b"%d" % (-(-now_us // MICRO) + nearest.full_s)),
    ]


def _seconds(debt: int, limit: int) -> int:
    """Whole seconds in which a bucket gets that many millionths, rounded up."""
    wait_us = -(-debt * 60 // limit)
    return -(-wait_us // MICRO)


def _until_midnight_s(now_us: int) -> int:
    return -(-(DAY_US - now_us % DAY_US) // MICRO)
