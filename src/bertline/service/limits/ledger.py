"""A request's account with the limits: it is let in, pays for its tokens, and gets them back if nothing comes of it.

What serves texts says ``await charge_tokens(n)`` and need not know who asks, or that there is HTTP: the ledger of the
request in progress is in its exchange. Where no limits are set there is none, and the call does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple, Self

from bertline.service.exchange import current
from bertline.service.limits.buckets import MICRO, Account, Charge, Return
from bertline.service.limits.headers import Fields, Standing, Wait, fields, policies, standings, waits
from bertline.service.limits.settings import ClientLimits, LimitSettings
from bertline.service.limits.store import CounterStore, Outage
from bertline.service.limits.stores import open_store
from bertline.serving.problems import Code, Problem

FOR_NOTHING = (429, 500, 503)  # answers to requests that brought their client nothing; not 504, whose time it sets
LONGEST_NAME = 255  # of a client in the store; a longer one becomes its hash


async def charge_tokens(tokens: int) -> None:
    """Let the client of the request in progress pay for tokens, before anything is computed.

    Args:
        tokens: that are read, of all texts together.

    Raises:
        Problem: they do not fit into a limit (``rate_limited`` of a minute, ``quota_exceeded`` of a day), or cannot be
            counted (``not_ready``). Nothing was charged then.
    """
    exchange = current()
    if exchange is not None and isinstance(exchange.ledger, Ledger):
        await exchange.ledger.charge(tokens=tokens)


class LimitReached(Problem):
    """A client has had what it may have (429).

    Attributes:
        limit: "requests" or "tokens" of a minute, "concurrency", or "quota" of a day.
    """

    def __init__(self, limit: str, message: str, wait_s: int | None) -> None:
        headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
        super().__init__(Code.QUOTA_EXCEEDED if limit == "quota" else Code.RATE_LIMITED, message, headers=headers)
        self.limit = limit


class Terms(NamedTuple):
    """What holds for a client.

    Attributes:
        limits: its own.
        policies: as they are told; empty if there are none.
        counts_requests: whether there is a limit of requests, besides those at a time.
        counts_tokens: whether there is a limit of tokens.
    """

    limits: ClientLimits
    policies: bytes
    counts_requests: bool
    counts_tokens: bool


class Ledgers:
    """The limits of all clients. An async context: leaving it closes the store.

    Args:
        settings: what they are.
        store: where accounts are kept, instead of the one that the settings name.
        clock: seconds since 1970. Servers that share a store need clocks that agree (NTP): one that is ahead by a
            second lets clients have a second's worth of a minute's limit more, once.

    Raises:
        SettingsError: the settings name no store.
    """

    def __init__(
        self, settings: LimitSettings, store: CounterStore | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        url = settings.store_url
        self.store: CounterStore = store or open_store(url.get_secret_value() if url else None)
        self.clock, self.allow_on_outage = clock, settings.on_outage == "allow"
        self.in_progress: dict[str, int] = {}
        self._general = _terms(settings.of(""))
        self._terms = {name: _terms(settings.of(name)) for name in settings.clients}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.store.close()

    def ledger(self, client: str | None, peer: str) -> Ledger | None:
        """A ledger for a request, or None if nothing limits its client.

        Args:
            client: its name; None if it has none.
            peer: where it comes from, which is who it is if it has no name.
        """
        terms = self._general if client is None else self._terms.get(client, self._general)
        if not terms.policies:
            return None
        return Ledger(self, f"peer:{peer}" if client is None else f"client:{_storable(client)}", terms)


class Ledger:
    """Of one request."""

    __slots__ = ("_account", "_inside", "_key", "_limits", "_paid", "_terms")

    def __init__(self, limits: Ledgers, key: str, terms: Terms) -> None:
        self._limits, self._key, self._terms = limits, key, terms
        self._account: Account | None = None
        self._inside = False
        self._paid: list[tuple[int, int]] = []  # day and tokens of each charge that could be given back

    async def enter(self) -> None:
        """Let the request in.

        Raises:
            Problem: the client has too many in progress, has sent too many, or they cannot be counted.
        """
        most, inside = self._terms.limits.concurrent_requests, self._limits.in_progress.get(self._key, 0)
        if most is not None:
            if inside >= most:
                told = f"The limit of {most:,} requests at a time is reached: ask again when one of them is answered."
                raise LimitReached("concurrency", told, 1)
            self._limits.in_progress[self._key] = inside + 1
            self._inside = True
        await self.charge(requests=1)

    async def charge(self, *, requests: int = 0, tokens: int = 0) -> None:
        """Charge the client.

        Raises:
            Problem: it does not fit, or cannot be counted.
        """
        if not ((requests and self._terms.counts_requests) or (tokens and self._terms.counts_tokens)):
            return
        charge = self._charge(requests, tokens)
        try:
            account, granted = await self._limits.store.charge(charge)
        except Outage:
            if self._limits.allow_on_outage:
                return
            told = "The server cannot count requests at the moment, and limits them: ask again in a second."
            raise Problem(Code.NOT_READY, told, headers={"Retry-After": "1"}) from None
        self._account = account
        if not granted:
            raise refusal(waits(account, charge))
        if tokens and charge.tokens_per_day is not None:
            self._paid.append((account.day, tokens))

    async def leave(self, status: int) -> None:
        """The request is answered; give back what it paid for nothing.

        Args:
            status: of the answer.
        """
        if self._inside:
            self._inside = False
            left = self._limits.in_progress[self._key] - 1
            if left:
                self._limits.in_progress[self._key] = left
            else:
                del self._limits.in_progress[self._key]
        if status in FOR_NOTHING and self._paid:
            await self._give_back()

    def fields(self) -> Fields:
        """What the answer tells of the limits."""
        now_us, known = self._now_us(), []
        limits = self._terms.limits
        if self._account is not None:
            known = standings(self._account, limits, now_us)
        if limits.concurrent_requests is not None:
            # This request is as good as gone, if it was let in at all.
            others = self._limits.in_progress.get(self._key, 0) - self._inside
            left = max(0, limits.concurrent_requests - others)
            known.append(Standing("concurrent-requests", limits.concurrent_requests, left, 0, 0))
        return fields(self._terms.policies, known, now_us)

    async def _give_back(self) -> None:
        for day, tokens in self._paid:
            try:
                await self._limits.store.give_back(Return(self._key, day, tokens))
            except Outage:
                return  # whoever set the limits learns of it from the log

    def _charge(self, requests: int, tokens: int) -> Charge:
        limits = self._terms.limits
        return Charge(
            self._key,
            self._now_us(),
            requests,
            tokens,
            limits.requests_per_minute,
            limits.tokens_per_minute,
            limits.requests_per_day,
            limits.tokens_per_day,
        )

    def _now_us(self) -> int:
        return int(self._limits.clock() * MICRO)


def refusal(found: list[Wait]) -> Problem:
    """What the client is told of the limit that keeps it waiting longest.

    Args:
        found: from ``waits``; empty if there is room again since the charge was refused.
    """
    if not found:
        return LimitReached("requests", "A limit is reached: ask again in 1 s.", 1)
    one = max(found, key=lambda one: (one.wait_s is None, one.wait_s or 0))
    limit = "quota" if one.of_day else one.unit
    whole = f"{one.limit:,} {one.unit} a {'day' if one.of_day else 'minute'}"
    if one.wait_s is None:
        told = (
            f"The request takes {one.asked:,} {one.unit} and the limit is {whole}: waiting will not help, send parts."
        )
        return LimitReached(limit, told, None)
    when = f"in {one.wait_s:,} s, at midnight UTC" if one.of_day else f"in {one.wait_s:,} s"
    told = f"The limit of {whole} leaves no room for {one.asked:,} more: ask again {when}."
    return LimitReached(limit, told, one.wait_s)


def _terms(limits: ClientLimits) -> Terms:
    requests = limits.requests_per_minute is not None or limits.requests_per_day is not None
    tokens = limits.tokens_per_minute is not None or limits.tokens_per_day is not None
    return Terms(limits, policies(limits), requests, tokens)


def _storable(client: str) -> str:
    """A name that every store takes as a key."""
    if len(client) <= LONGEST_NAME and client.isprintable():
        return client
    return f"sha256:{sha256(client.encode('utf-8', 'surrogatepass')).hexdigest()}"
