"""Batches the calls to a shared store: charges that arrive during a call are sent together in the next one.

A round trip costs the event loop more than all other work of the limits. Under low load each request has its own; under
high load many share one. The store still decides every charge, so nothing is granted twice or reserved in advance.
"""

from __future__ import annotations

import asyncio
import logging

from bertline.service.limits.buckets import Charge, Refund
from bertline.service.limits.store import TIMEOUT_S, Outage, Outcome, SharedStore

log = logging.getLogger(__name__)

MOST_CHARGES = 64  # per call
DOWN_S = 1.0  # after a failure, during which the store is not called: every request would run into the timeout


class GroupedStore:
    """A ``CounterStore`` around a shared one, with a timeout; for a second after a failure it raises without a call."""

    def __init__(self, store: SharedStore, timeout_s: float | None = None) -> None:
        self._store, self._timeout_s = store, TIMEOUT_S if timeout_s is None else timeout_s
        self._waiting: list[tuple[Charge, asyncio.Future[Outcome]]] = []
        self._calling: asyncio.Task[None] | None = None
        self._down_until_s = 0.0

    async def charge(self, charge: Charge) -> Outcome:
        """See ``CounterStore``."""
        loop = asyncio.get_running_loop()
        self._check_up(loop)
        future: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append((charge, future))
        if self._calling is None:
            self._calling = loop.create_task(self._call(), name="limits")
        return await future

    async def refund(self, refund: Refund) -> None:
        """See ``CounterStore``."""
        self._check_up(asyncio.get_running_loop())
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._store.refund(refund)
        except (Outage, TimeoutError) as error:
            raise self._mark_down(error) from None

    async def close(self) -> None:
        """Close the store; pending charges fail with ``Outage``."""
        if self._calling is not None:
            self._calling.cancel()
        self._fail(self._waiting, Outage("closed"))
        await self._store.close()

    def _check_up(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop.time() < self._down_until_s:
            raise Outage("it did not answer a moment ago")

    async def _call(self) -> None:
        group: list[tuple[Charge, asyncio.Future[Outcome]]] = []
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MOST_CHARGES], self._waiting[MOST_CHARGES:]
                async with asyncio.timeout(self._timeout_s):
                    outcomes = await self._store.charge([charge for charge, _ in group])
                for (_, future), outcome in zip(group, outcomes, strict=True):
                    if not future.done():  # its request may be cancelled
                        future.set_result(outcome)
        except (Outage, TimeoutError) as error:
            self._fail([*group, *self._waiting], self._mark_down(error))
        except BaseException as error:
            self._fail([*group, *self._waiting], error if isinstance(error, Exception) else Outage("closed"))
            if not isinstance(error, Exception):
                raise
        finally:
            self._calling = None

    def _mark_down(self, error: Exception) -> Outage:
        self._down_until_s = asyncio.get_running_loop().time() + DOWN_S
        reason = str(error) if isinstance(error, Outage) else f"no answer in {self._timeout_s:g} s"
        log.error("the store of the limits does not answer (%s): check that it runs and store_url", reason)
        return Outage(reason)

    def _fail(self, charges: list[tuple[Charge, asyncio.Future[Outcome]]], error: Exception) -> None:
        self._waiting = []
        for _, future in charges:
            if not future.done():
                future.set_exception(error)
