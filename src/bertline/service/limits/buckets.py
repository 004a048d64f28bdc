"""The arithmetic of the limits, without clocks or storage.

A limit per minute is a token bucket (the idea is RFC 2697's): it holds one minute's limit, starts full, and refills
evenly, so in s seconds a client gets at most ``limit + limit · s / 60``. A limit per day is a counter that restarts at
midnight UTC.

A bucket is stored as its debt, the missing amount, in integer millionths: sums are exact, and rounding favours the
server. The SQL statement and the Redis script compute the same; tests compare both with this file.
"""

from __future__ import annotations

from typing import NamedTuple

MICRO = 1_000_000
MINUTE_US = 60 * MICRO
DAY_US = 86_400 * MICRO


class Charge(NamedTuple):
    """Requests and tokens to charge, granted as a whole or not at all, and the client's limits (None: no limit)."""

    client: str
    now_us: int  # since 1970
    requests: int
    tokens: int
    requests_per_minute: int | None
    tokens_per_minute: int | None
    requests_per_day: int | None
    tokens_per_day: int | None


class Account(NamedTuple):
    """The usage of a client."""

    at_us: int  # time of the debts
    requests_debt: int  # millionths of a request missing in the minute's bucket
    tokens_debt: int
    day: int  # of the counts, since 1970
    requests_today: int
    tokens_today: int


class Refund(NamedTuple):
    """Tokens to return to the count of the day on which they were charged; a minute's bucket refills by itself."""

    client: str
    day: int
    tokens: int


def apply_charge(account: Account | None, charge: Charge) -> tuple[Account, bool]:
    """The account after a charge, and whether the charge was granted; if not, the account at that time.

    >>> charge = Charge("ann", 0, 1, 0, 1, None, None, None)
    >>> account, is_granted = apply_charge(None, charge)
    >>> is_granted, apply_charge(account, charge)[1], apply_charge(account, charge._replace(now_us=MINUTE_US))[1]
    (True, False, True)
    """
    _, now_us, requests, tokens, requests_minute, tokens_minute, requests_day, tokens_day = charge
    now = as_of(account, charge) if account else Account(now_us, 0, 0, now_us // DAY_US, 0, 0)
    at_us, requests_debt, tokens_debt, day, requests_today, tokens_today = now
    fits = True
    if requests:
        if requests_minute is not None:
            requests_debt += requests * MICRO
            fits = requests_debt <= requests_minute * MICRO
        if requests_day is not None:
            requests_today += requests
            fits = fits and requests_today <= requests_day
    if tokens:
        if tokens_minute is not None:
            tokens_debt += tokens * MICRO
            fits = fits and tokens_debt <= tokens_minute * MICRO
        if tokens_day is not None:
            tokens_today += tokens
            fits = fits and tokens_today <= tokens_day
    if not fits:
        return now, False
    return Account(at_us, requests_debt, tokens_debt, day, requests_today, tokens_today), True


def as_of(account: Account, charge: Charge) -> Account:
    """The account at the time of a charge, before it. Time never runs backwards, even if servers' clocks differ."""
    at_us, requests_debt, tokens_debt, day, requests_today, tokens_today = account
    elapsed_us = charge.now_us - at_us
    if elapsed_us > 0:
        at_us = charge.now_us
        requests_debt -= refill(elapsed_us, charge.requests_per_minute)
        tokens_debt -= refill(elapsed_us, charge.tokens_per_minute)
        today = at_us // DAY_US
        if today > day:
            day, requests_today, tokens_today = today, 0, 0
    return Account(at_us, max(0, requests_debt), max(0, tokens_debt), day, requests_today, tokens_today)


def refill(elapsed_us: int, limit: int | None) -> int:
    """How much a bucket refills in a time, in millionths.

    >>> refill(MINUTE_US, 60), refill(1, 59)
    (60000000, 0)
    """
    return min(elapsed_us, MINUTE_US) * limit // 60 if limit is not None else 0


def apply_refund(account: Account, refund: Refund) -> Account:
    """The account after a refund; a refund of another day changes nothing."""
    if refund.day != account.day:
        return account
    return account._replace(tokens_today=max(0, account.tokens_today - refund.tokens))
