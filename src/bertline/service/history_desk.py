"""Shows how a model did over time, by the store of predictions. A span is read anew only after a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bertline.service.store_thread import StoreThread

if TYPE_CHECKING:
    from bertline.database.database import Database
    from bertline.lifecycle.predictions.history import History

SPANS_DAYS = (1, 7, 30, 90, 366)  # that are read: any other would be one more reading of the store
FRESH_S = 20.0  # for which a history is shown as it is
FRESH_TIMES = 20  # or so many times as long as it took to read: a large store is not read all the time


class HistoryDesk:
    """The histories of all models.

    Args:
        store: of predictions.
    """

    def __init__(self, store: Database) -> None:
        self._store = store
        self._known: dict[tuple[str, int], tuple[float, History]] = {}
        self._thread = StoreThread(
            "history",
            busy="Too many histories are being read: try again later.",
            away="The store of predictions cannot be used now: try again later.",
        )

    async def of(self, model: str, days: int) -> History:
        """The last days of a model, as they were a short while ago.

        Args:
            model: its name for clients.
            days: at most 366; of the shortest of ``SPANS_DAYS`` that has them.

        Raises:
            Problem: too many calls wait, or the store is away.
        """
        span = next(one for one in SPANS_DAYS if days <= one)
        return await self._thread.run(lambda: self._read(model, span))

    def _read(self, model: str, days: int) -> History:
        from bertline.lifecycle.predictions.history import history

        began_s = time.monotonic()
        self._known = {key: one for key, one in self._known.items() if began_s < one[0]}
        if (model, days) not in self._known:
            found = history(self._store, model, days, time.time())
            ended_s = time.monotonic()
            fresh_s = max(FRESH_S, FRESH_TIMES * (ended_s - began_s))
            self._known[model, days] = (ended_s + fresh_s, found)
        return self._known[model, days][1]
