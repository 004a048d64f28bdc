"""The ledger of a request: charges the client for the request and its tokens, and refunds tokens of failed requests.

The serving core calls ``await charge_tokens(n)`` without knowing the client or HTTP: the ledger of the current request
is in its exchange. Without limits there is no ledger, and the call does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple, Self

from bertline.service.exchange import current
from bertline.service.limits.buckets import MICRO, Account, Charge, Refund
from bertline.service.limits.headers import Fields, LimitState, Wait, fields, policies, states_of, waits
from bertline.service.limits.settings import ClientLimits, LimitSettings
from bertline.service.limits.store import CounterStore, Outage
from bertline.service.limits.stores import open_store
from bertline.serving.problems import Code, Problem

REFUNDED = (429, 500, 503)  # statuses that are not the client's fault; not 504, whose timeout the client sets
LONGEST_NAME = 255  # of a client in the store; longer names are hashed


async def charge_tokens(tokens: int) -> None:
    """Charge the client of the current request for the tokens of all its texts, before anything is computed.

    Raises:
        Problem: a limit is exceeded (``rate_limited`` per minute, ``quota_exceeded`` per day), or the store is down
            (``not_ready``). Nothing is charged then.
    """
    exchange = current()
    if exchange is not None and isinstance(exchange.ledger, Ledger):
        await exchange.ledger.charge(tokens=tokens)


def answer_again() -> None:
    """Another model answers the current request from the beginning: the tokens that it was charged are paid already."""
    exchange = current()
    if exchange is not None and isinstance(exchange.ledger, Ledger):
        exchange.ledger.answer_again()


class LimitReached(Problem):
    """A limit is exceeded (429): "requests" or "tokens" per minute, "concurrency", or "quota" per day."""

    def __init__(self, limit: str, message: str, wait_s: int | None) -> None:
        headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
        super().__init__(Code.QUOTA_EXCEEDED if limit == "quota" else Code.RATE_LIMITED, message, headers=headers)
        self.limit = limit


class Terms(NamedTuple):
    """The limits of a client, prepared."""

    limits: ClientLimits
    policies: bytes  # of the header; empty without limits
    counts_requests: bool  # per minute or day
    counts_tokens: bool


class Ledgers:
    """The limits of all clients. An async context: leaving it closes the store.

    Args:
        settings: the limits.
        store: replaces the store of the settings.
        clock: seconds since 1970. Servers that share a store need synchronised clocks (NTP): a clock that is a second
            ahead grants a second's worth of a minute's limit more, once.

    Raises:
        SettingsError: ``store_url`` is invalid.
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
        """A ledger for a request; None if its client has no limits. Anonymous clients are counted by ``peer``."""
        terms = self._general if client is None else self._terms.get(client, self._general)
        if not terms.policies:
            return None
        return Ledger(self, f"peer:{peer}" if client is None else f"client:{_storable(client)}", terms)


class Ledger:
    """The ledger of one request."""

    __slots__ = ("_account", "_charged", "_is_counted", "_key", "_limits", "_paid", "_paid_before", "_terms")

    def __init__(self, limits: Ledgers, key: str, terms: Terms) -> None:
        self._limits, self._key, self._terms = limits, key, terms
        self._account: Account | None = None
        self._is_counted = False  # among the requests in progress
        self._paid: list[tuple[int, int]] = []  # day and tokens of each charge that can be refunded
        self._charged = self._paid_before = 0  # tokens; those that an answer which failed has paid for

    async def enter(self) -> None:
        """Charge for the request.

        Raises:
            Problem: the client has too many requests in progress, or as ``charge``.
        """
        most, in_progress = self._terms.limits.concurrent_requests, self._limits.in_progress.get(self._key, 0)
        if most is not None:
            if in_progress >= most:
                message = f"The limit of {most:,} concurrent requests is reached: try again when one is answered."
                raise LimitReached("concurrency", message, 1)
            self._limits.in_progress[self._key] = in_progress + 1
            self._is_counted = True
        await self.charge(requests=1)

    async def charge(self, *, requests: int = 0, tokens: int = 0) -> None:
        """Charge the client.

        Raises:
            Problem: a limit is exceeded, or the store is down.
        """
        paid = min(tokens, self._paid_before)
        self._paid_before -= paid
        tokens -= paid
        if not ((requests and self._terms.counts_requests) or (tokens and self._terms.counts_tokens)):
            return
        limits = self._terms.limits
        charge = Charge(
            self._key,
            self._now_us(),
            requests,
            tokens,
            limits.requests_per_minute,
            limits.tokens_per_minute,
            limits.requests_per_day,
            limits.tokens_per_day,
        )
        try:
            account, is_granted = await self._limits.store.charge(charge)
        except Outage:
            if self._limits.allow_on_outage:
                return
            message = "The server limits requests and cannot count them at the moment: try again in a second."
            raise Problem(Code.NOT_READY, message, headers={"Retry-After": "1"}) from None
        self._account = account
        if not is_granted:
            raise _refusal(waits(account, charge))
        self._charged += tokens
        if tokens and charge.tokens_per_day is not None:
            self._paid.append((account.day, tokens))

    def answer_again(self) -> None:
        """The request is answered again: what it has paid counts for that."""
        self._paid_before = self._charged

    async def leave(self, status: int) -> None:
        """End the request; refund its tokens if the response has one of the statuses ``REFUNDED``."""
        if self._is_counted:
            self._is_counted = False
            left = self._limits.in_progress[self._key] - 1
            if left:
                self._limits.in_progress[self._key] = left
            else:
                del self._limits.in_progress[self._key]
        if status in REFUNDED:
            with suppress(Outage):  # which the store has logged
                for day, tokens in self._paid:
                    await self._limits.store.refund(Refund(self._key, day, tokens))

    def fields(self) -> Fields:
        """The rate limit headers of the response."""
        now_us, limits = self._now_us(), self._terms.limits
        states = [] if self._account is None else states_of(self._account, limits, now_us)
        if limits.concurrent_requests is not None:
            others = self._limits.in_progress.get(self._key, 0) - self._is_counted  # this request is about to end
            left = max(0, limits.concurrent_requests - others)
            states.append(LimitState("concurrent-requests", limits.concurrent_requests, left, 0, 0))
        return fields(self._terms.policies, states, now_us)

    def _now_us(self) -> int:
        return int(self._limits.clock() * MICRO)


def _refusal(exceeded: list[Wait]) -> Problem:
    """The response for the limit with the longest wait; ``exceeded`` is empty if there is room again meanwhile."""
    if not exceeded:
        return LimitReached("requests", "A limit is reached: try again in 1 s.", 1)
    one = max(exceeded, key=lambda one: (one.wait_s is None, one.wait_s or 0))
    limit = "quota" if one.is_daily else one.unit
    whole = f"{one.limit:,} {one.unit} a {'day' if one.is_daily else 'minute'}"
    if one.wait_s is None:
        message = f"The request takes {one.requested:,} {one.unit}, which the limit of {whole} never allows: split it."
        return LimitReached(limit, message, None)
    when = f"in {one.wait_s:,} s, at midnight UTC" if one.is_daily else f"in {one.wait_s:,} s"
    message = f"The limit of {whole} leaves no room for {one.requested:,} more: try again {when}."
    return LimitReached(limit, message, one.wait_s)


def _terms(limits: ClientLimits) -> Terms:
    requests = limits.requests_per_minute is not None or limits.requests_per_day is not None
    tokens = limits.tokens_per_minute is not None or limits.tokens_per_day is not None
    return Terms(limits, policies(limits), requests, tokens)


def _storable(client: str) -> str:
    """A key that every store accepts."""
    if len(client) <= LONGEST_NAME and client.isprintable():
        return client
    return f"sha256:{sha256(client.encode('utf-8', 'surrogatepass')).hexdigest()}"
