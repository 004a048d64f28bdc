"""What a client has used, and whether it may have more: the arithmetic of the limits, without clocks or storage.

A minute's limit is a token bucket (RFC 2697 has the idea): it holds the limit of one minute, is full at first, and
refills evenly; so in any time of s seconds a client gets at most ``limit + limit · s / 60``. A day's limit is a counter
that starts anew at midnight UTC.

A bucket is kept as its debt, what is missing in it, in millionths, as whole numbers: sums are exact, and what a
division leaves over is to the server's favour. The SQL statement and the script of Redis do the same sums; the tests
hold all of them to this file.
"""

from __future__ import annotations

from typing import NamedTuple

MICRO = 1_000_000
MINUTE_US = 60 * MICRO
DAY_US = 86_400 * MICRO


class Charge(NamedTuple):
    """What a client asks for: granted as a whole, or not at all.

    Attributes:
        client: whose account it is.
        now_us: the time, microseconds since 1970.
        requests: how many.
        tokens: how many.
        requests_per_minute: its limits; None is none.
        tokens_per_minute: see above.
        requests_per_day: see above.
        tokens_per_day: see above.
    """

    client: str
    now_us: int
    requests: int
    tokens: int
    requests_per_minute: int | None
    tokens_per_minute: int | None
    requests_per_day: int | None
    tokens_per_day: int | None


class Account(NamedTuple):
    """What a client has used.

    Attributes:
        at_us: when the debts were written.
        requests_debt: millionths of a request that the minute's bucket lacked then.
        tokens_debt: the same of tokens.
        day: days from 1970 to the one that the counts are of.
        requests_today: granted on that day.
        tokens_today: granted on that day.
    """

    at_us: int
    requests_debt: int
    tokens_debt: int
    day: int
    requests_today: int
    tokens_today: int


class Return(NamedTuple):
    """Tokens that were charged for nothing. The day's count gets them back; a minute's bucket refills by itself.

    Attributes:
        client: whose account it is.
        day: on which they were charged.
        tokens: how many.
    """

    client: str
    day: int
    tokens: int


def charged(account: Account | None, charge: Charge) -> tuple[Account, bool]:
    """The account after a charge, and whether it was granted; if not, as it is at that time.

    >>> ask = Charge("ann", 0, 1, 0, 1, None, None, None)
    >>> account, granted = charged(None, ask)
    >>> granted, charged(account, ask)[1], charged(account, ask._replace(now_us=MINUTE_US))[1]
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
    """The account at the time of the charge, before it. Time never runs backwards, whichever server's clock it is."""
    at_us, requests_debt, tokens_debt, day, requests_today, tokens_today = account
    elapsed_us = charge.now_us - at_us
    if elapsed_us > 0:
        at_us = charge.now_us
        requests_debt -= drained(elapsed_us, charge.requests_per_minute)
        tokens_debt -= drained(elapsed_us, charge.tokens_per_minute)
        today = at_us // DAY_US
        if today > day:
            day, requests_today, tokens_today = today, 0, 0
    return Account(at_us, max(0, requests_debt), max(0, tokens_debt), day, requests_today, tokens_today)


def drained(elapsed_us: int, limit: int | None) -> int:
    """How much of a bucket's debt a time takes away, in millionths.

    >>> drained(MINUTE_US, 60), drained(1, 59)
    (60000000, 0)
    """
    return min(elapsed_us, MINUTE_US) * limit // 60 if limit is not None else 0


def returned(account: Account, giving: Return) -> Account:
    """The account after something was given back; nothing is given back to another day."""
    if giving.day != account.day:
        return account
    return account._replace(tokens_today=max(0, account.tokens_today - giving.tokens))
