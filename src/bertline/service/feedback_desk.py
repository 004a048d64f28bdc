"""Takes feedback for the store of predictions, and gives it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertline.service.shared_reads import SharedReads
from bertline.service.store_thread import StoreThread

if TYPE_CHECKING:
    from bertline.database.database import Database
    from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck
    from bertline.lifecycle.predictions.figures import Counts
    from bertline.lifecycle.predictions.given import Feedback, Outcome

SHARED_TIMES = 20  # a count is shared for so many times as long as it took: much feedback is not counted all the time


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """What feedback says of a model.

    Attributes:
        counts: right and wrong answers of each version, by the digest of its bundle.
        tested: the latest test for a drop of accuracy; None if there was none.
    """

    counts: dict[str, Counts]
    tested: AccuracyCheck | None


class FeedbackDesk:
    """Feedback of clients.

    Args:
        store: of predictions.
    """

    def __init__(self, store: Database) -> None:
        self._store = store
        self._thread = StoreThread(
            "feedback",
            busy="Too much feedback is waiting to be written: send the same again later.",
            away="The store of predictions cannot be used now, and nothing was kept: send the same again later.",
        )
        self._counted = SharedReads(self._count, times=SHARED_TIMES)

    async def take(self, items: Sequence[Feedback], client: str | None) -> list[Outcome]:
        """Keep feedback; the outcome of each item.

        Raises:
            Problem: too many calls wait, or the store is away; nothing was kept.
        """
        from bertline.lifecycle.predictions.feedback import receive

        taken = await self._thread.run(lambda: receive(self._store, items, client=client))
        self._counted.forget()
        return taken

    async def accuracy(self, model: str) -> LiveFigures:
        """Right and wrong answers of each version of a model, and the latest test for a drop.

        However many pages ask, they are counted once in some seconds, and anew after feedback to this server. So
        feedback to others is seen some seconds later.

        Raises:
            Problem: too many calls wait, or the store is away.
        """
        return await self._counted.get(model)

    async def give_back(self, request_id: str, item: int, source: str, annotator: str, client: str | None) -> bool:
        """Take back the last feedback of an annotator on a text; whether there was any.

        Raises:
            Problem: too many calls wait, or the store is away; nothing was changed.
        """
        from bertline.lifecycle.predictions.withdrawn import withdraw

        given_back = await self._thread.run(
            lambda: withdraw(self._store, request_id, item, source=source, annotator=annotator, client=client)
        )
        self._counted.forget()
        return given_back

    async def _count(self, model: str) -> LiveFigures:
        from bertline.lifecycle.predictions.accuracy_checks import latest_accuracy_checks
        from bertline.lifecycle.predictions.figures import counts

        def read() -> LiveFigures:
            tested = latest_accuracy_checks(self._store, model)
            return LiveFigures(counts(self._store, model), tested[0] if tested else None)

        return await self._thread.run(read)
