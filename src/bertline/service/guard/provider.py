"""The keys of an identity provider, fetched beforehand, so that no request waits for it while all is well.

Known keys go on being used while the provider is out, for a day by default. A key that is not known is asked for at
once, but however many requests bring unknown ones, the provider is asked every 30 s at most.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from bertline.errors import BertlineError, SettingsError
from bertline.service.guard.discovery import Discovery, KeySet, checked_issuer
from bertline.service.guard.keys import VerifyingKey
from bertline.serving.problems import Code, Problem

SHORTEST_REFRESH_S, LONGEST_REFRESH_S = 60.0, 86_400.0  # whatever Cache-Control asks for
UNKNOWN_KEY_EVERY_S = 30.0
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0

log = logging.getLogger(__name__)


class Provider:
    """An identity provider's keys (the protocol ``Keys``); fetches them inside ``async with``.

    Args:
        issuer: its address, exactly as in ``iss``.
        refresh_s: between two fetches when the provider's Cache-Control says nothing.
        keys_max_age_s: for how long keys are used without having been confirmed.
        clock_s: monotonic.

    Raises:
        SettingsError: the issuer is no https address, or a time is not positive.
    """

    def __init__(
        self,
        issuer: str,
        *,
        refresh_s: float = 600.0,
        keys_max_age_s: float = 86_400.0,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        if refresh_s <= 0 or keys_max_age_s <= 0:
            raise SettingsError(
                "Times of an identity provider's keys must be positive: leave them out for the defaults."
            )
        self.issuer = checked_issuer(issuer)
        self._refresh_s, self._max_age_s, self._clock_s = refresh_s, keys_max_age_s, clock_s
        self._keys: tuple[VerifyingKey, ...] = ()
        self._changes = 0
        self._confirmed_s: float | None = None
        self._asked_for_unknown_s = -UNKNOWN_KEY_EVERY_S + clock_s()
        self._failing = False
        self._discovery: Discovery | None = None
        self._fetching: asyncio.Task[float | None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start fetching; does not wait for the provider, which may be out."""
        self._discovery = Discovery(self.issuer)
        self._refreshing = asyncio.create_task(self._refresh())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (self._refreshing, self._fetching):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._discovery is not None:
            await self._discovery.__aexit__()

    @property
    def age_s(self) -> float | None:
        """Since the provider last confirmed its keys; None if it never did."""
        return None if self._confirmed_s is None else self._clock_s() - self._confirmed_s

    @property
    def generation(self) -> int:
        """Counts the key sets that differed; 0 while there is none that may be used."""
        age_s = self.age_s
        return 0 if age_s is None or age_s > self._max_age_s else self._changes

    async def find(self, kid: str | None) -> tuple[VerifyingKey, ...]:
        """The keys of that name; asks the provider for one that is not known.

        Raises:
            Problem: ``NOT_READY`` while the provider has not answered, or not for too long.
        """
        found = self._named(kid)
        if found or not self._may_ask():
            return found
        await self._fetched()
        return self._named(kid)

    def _named(self, kid: str | None) -> tuple[VerifyingKey, ...]:
        if not self.generation:
            raise Problem(
                Code.NOT_READY,
                "The keys of the token's issuer are not known, because it does not answer: try again in a while.",
                headers={"Retry-After": "5"},
            )
        return self._keys if kid is None else tuple(key for key in self._keys if key.kid == kid)

    def _may_ask(self) -> bool:
        """Whether to wait for a fetch on account of an unknown key: one under way, or a new one every 30 s."""
        if self._under_way() is not None:
            return True
        now_s = self._clock_s()
        if now_s - self._asked_for_unknown_s < UNKNOWN_KEY_EVERY_S:
            return False
        self._asked_for_unknown_s = now_s
        return True

    async def _refresh(self) -> None:
        """Fetch again and again; replicas that start together do not go on asking together."""
        retry_s = FIRST_RETRY_S
        while True:
            wait_s = await self._fetched()
            if wait_s is None:
                wait_s, retry_s = retry_s, min(2 * retry_s, LONGEST_RETRY_S)
            else:
                retry_s = FIRST_RETRY_S
            await asyncio.sleep(wait_s * random.uniform(0.9, 1.0))

    async def _fetched(self) -> float | None:
        """The outcome of the one fetch that is under way: until when to fetch again (s), None if it failed."""
        fetching = self._under_way()
        if fetching is None:
            fetching = self._fetching = asyncio.create_task(self._fetch())
        # A request whose client leaves must not take the fetch away from the others.
        return await asyncio.shield(fetching)

    def _under_way(self) -> asyncio.Task[float | None] | None:
        return None if self._fetching is None or self._fetching.done() else self._fetching

    async def _fetch(self) -> float | None:
        assert self._discovery is not None
        try:
            answer = await self._discovery.key_set()
        except BertlineError as error:
            self._failed(str(error))
            return None
        except Exception as error:  # whatever a foreign server does, the keys at hand go on being used
            self._failed(f"The provider {self.issuer} was not understood ({type(error).__name__}).")
            return None
        return self._take(answer)

    def _failed(self, why: str) -> None:
        if not self._failing:
            log.warning("%s Keys that are known are used until they are %g s old.", why, self._max_age_s)
        self._failing = True

    def _take(self, answer: KeySet) -> float:
        if self._failing:
            log.info("The provider %s answers again.", self.issuer)
        self._failing = False
        if answer.keys != self._keys or not self._changes:
            self._keys, self._changes = answer.keys, self._changes + 1
            if not answer.keys:
                log.warning("The provider %s has no usable key, so its tokens are refused.", self.issuer)
        self._confirmed_s = self._clock_s()
        return min(refresh_after_s(answer.max_age_s, self._refresh_s), self._max_age_s / 2)


def refresh_after_s(max_age_s: float | None, default_s: float) -> float:
    """When to fetch keys again that may be kept for ``max_age_s``: within a minute and a day, whatever it says.

    >>> refresh_after_s(None, 600), refresh_after_s(0, 600), refresh_after_s(3600, 600), refresh_after_s(1e9, 600)
    (600, 60.0, 3600, 86400.0)
    """
    if max_age_s is None:
        return default_s
    return min(max(max_age_s, SHORTEST_REFRESH_S), LONGEST_REFRESH_S)
