"""The keys of an identity provider, fetched in the background so that requests normally do not wait.

During an outage of the provider, cached keys are used for a day by default. An unknown key triggers a fetch at once,
but at most one in 30 s, however many requests bring unknown keys.
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

SHORTEST_REFRESH_S, LONGEST_REFRESH_S = 60.0, 86_400.0  # bounds for Cache-Control
UNKNOWN_KEY_EVERY_S = 30.0
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0

log = logging.getLogger(__name__)


class Provider:
    """An identity provider's keys (the protocol ``Keys``), fetched inside ``async with``.

    Args:
        issuer: its URL, exactly as in ``iss``.
        refresh_s: between two fetches if the provider's Cache-Control does not say.
        keys_max_age_s: how long keys are used without confirmation.
        clock_s: monotonic.

    Raises:
        SettingsError: the issuer is not an https URL, or a time is not positive.
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
            raise SettingsError("The times of a provider's keys must be positive: leave them out for the defaults.")
        self.issuer = checked_issuer(issuer)
        self._refresh_s, self._max_age_s, self._clock_s = refresh_s, keys_max_age_s, clock_s
        self._keys: tuple[VerifyingKey, ...] = ()
        self._changes = 0
        self._confirmed_s: float | None = None
        self._unknown_key_s = -UNKNOWN_KEY_EVERY_S + clock_s()
        self._failing = False
        self._discovery: Discovery | None = None
        self._fetching: asyncio.Task[float | None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start fetching, without waiting for the provider."""
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
        """Seconds since the provider last confirmed its keys; None if it never did."""
        return None if self._confirmed_s is None else self._clock_s() - self._confirmed_s

    @property
    def generation(self) -> int:
        """Number of different key sets so far; 0 while there is no usable one."""
        age_s = self.age_s
        return 0 if age_s is None or age_s > self._max_age_s else self._changes

    async def find(self, kid: str | None) -> tuple[VerifyingKey, ...]:
        """The keys with this ``kid``, fetched if it is unknown.

        Raises:
            Problem: ``NOT_READY`` while the provider has not answered, or not for too long.
        """
        keys = self._named(kid)
        if keys or not self._may_fetch_unknown():
            return keys
        await self._share_fetch()
        return self._named(kid)

    def _named(self, kid: str | None) -> tuple[VerifyingKey, ...]:
        if not self.generation:
            message = "The keys of the token's issuer are unknown, because it does not answer: try again in a while."
            raise Problem(Code.NOT_READY, message, headers={"Retry-After": "5"})
        return self._keys if kid is None else tuple(key for key in self._keys if key.kid == kid)

    def _may_fetch_unknown(self) -> bool:
        """Whether an unknown key may wait for a fetch: the one in progress, or a new one every 30 s."""
        if self._is_fetching:
            return True
        now_s = self._clock_s()
        if now_s - self._unknown_key_s < UNKNOWN_KEY_EVERY_S:
            return False
        self._unknown_key_s = now_s
        return True

    async def _refresh(self) -> None:
        """Fetch periodically, with jitter so that replicas which start together spread out."""
        retry_s = FIRST_RETRY_S
        while True:
            wait_s = await self._share_fetch()
            if wait_s is None:
                wait_s, retry_s = retry_s, min(2 * retry_s, LONGEST_RETRY_S)
            else:
                retry_s = FIRST_RETRY_S
            await asyncio.sleep(wait_s * random.uniform(0.9, 1.0))

    async def _share_fetch(self) -> float | None:
        """The result of the fetch in progress, or of a new one: seconds until the next fetch, None if it failed."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch())
        # A cancelled request must not cancel the fetch for the others.
        return await asyncio.shield(self._fetching)

    @property
    def _is_fetching(self) -> bool:
        return self._fetching is not None and not self._fetching.done()

    async def _fetch(self) -> float | None:
        assert self._discovery is not None
        try:
            answer = await self._discovery.key_set()
        except BertlineError as error:
            self._fail(str(error))
        except Exception as error:  # a provider may answer anything; cached keys must stay usable
            self._fail(f"The response of the provider {self.issuer} is invalid ({type(error).__name__}).")
        else:
            return self._accept(answer)
        return None

    def _fail(self, reason: str) -> None:
        if not self._failing:
            log.warning("%s Cached keys are used until they are %g s old.", reason, self._max_age_s)
        self._failing = True

    def _accept(self, answer: KeySet) -> float:
        if self._failing:
            log.info("The provider %s answers again.", self.issuer)
        self._failing = False
        if answer.keys != self._keys or not self._changes:
            self._keys, self._changes = answer.keys, self._changes + 1
            if not answer.keys:
                log.warning("The provider %s has no usable key, so its tokens are rejected.", self.issuer)
        self._confirmed_s = self._clock_s()
        return min(refresh_after_s(answer.max_age_s, self._refresh_s), self._max_age_s / 2)


def refresh_after_s(max_age_s: float | None, default_s: float) -> float:
    """Seconds until the next fetch: ``max_age_s`` of the response, but at least a minute and at most a day.

    >>> refresh_after_s(None, 600), refresh_after_s(0, 600), refresh_after_s(3600, 600), refresh_after_s(1e9, 600)
    (600, 60.0, 3600, 86400.0)
    """
    if max_age_s is None:
        return default_s
    return min(max(max_age_s, SHORTEST_REFRESH_S), LONGEST_REFRESH_S)
