"""Takes feedback for the store of predictions: one call after another, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bertline.lifecycle.predictions.records import PredictionStoreError
from bertline.serving.problems import Code, Problem

if TYPE_CHECKING:
    from bertline.database.database import Database
    from bertline.lifecycle.predictions.given import Feedback, Outcome

MOST_WAITING = 32  # calls
RETRY = {"Retry-After": "5"}


class FeedbackDesk:
    """One thread with its queue. The store's own lock would let calls wait for each other anyway.

    Args:
        store: of predictions.
    """

    def __init__(self, store: Database) -> None:
        self._store, self._waiting = store, 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feedback")

    async def take(self, items: Sequence[Feedback], client: str | None) -> list[Outcome]:
        """Keep feedback; the outcome of each item.

        Raises:
            Problem: too many calls wait, or the store is away; nothing was kept.
        """
        from bertline.lifecycle.predictions.feedback import receive

        if self._waiting >= MOST_WAITING:
            message = "Too much feedback is waiting to be written: send the same again later."
            raise Problem(Code.OVERLOADED, message, headers=RETRY)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, lambda: receive(self._store, items, client=client))
        except PredictionStoreError:
            message = "The store of predictions cannot be used now, and nothing was kept: send the same again later."
            raise Problem(Code.NOT_READY, message, headers=RETRY) from None
        finally:
            self._waiting -= 1
