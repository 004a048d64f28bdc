"""Hands out texts for labelling, and shows how labelling goes.

The queue of a model is made from its latest predictions, which takes a moment; so it is made anew only after a while.
What is free in it is looked up in the store each time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from bertline.errors import BundleError
from bertline.service.store_thread import StoreThread

if TYPE_CHECKING:
    from bertline.lifecycle.predictions.annotators import Annotators
    from bertline.lifecycle.predictions.labelling import Person
    from bertline.lifecycle.predictions.records import Why
    from bertline.lifecycle.predictions.review import Candidate
    from bertline.lifecycle.predictions.writer import PredictionWriter
    from bertline.serving.version import Version
    from bertline.text import Input

FRESH_S = 60.0  # age of a queue that is used as it is
SOON_S = 2.0  # age of a queue that is made anew when it has too few texts


@dataclass(frozen=True, slots=True)
class _Queue:
    made_s: float
    texts: Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class Progress:
    """How the labelling of a model goes.

    Attributes:
        waiting: texts of the queue by reason.
        labels: that were given so far.
    """

    waiting: dict[Why, int]
    labels: Annotators


class ReviewDesk:
    """The queues of all models.

    Args:
        writer: has the store of predictions.
        version_of: what answers for a model, by the model's name.

    Attributes:
        keeps_texts: whether texts of new predictions are kept.
    """

    def __init__(self, writer: PredictionWriter, version_of: Callable[[str], Version]) -> None:
        self._store, self.keeps_texts, self._version_of = writer.store, writer.settings.text, version_of
        self._queues: dict[str, _Queue] = {}
        self._thread = StoreThread(
            "review",
            busy="Too many people ask for texts at the moment: try again later.",
            away="The store of predictions cannot be used now: try again later.",
        )

    async def hand_out(self, model: str, person: Person, limit: int, holding: Collection[str]) -> list[Candidate]:
        """Texts for a person, which nobody else gets meanwhile.

        Raises:
            Problem: too many calls wait, or the store is away.
        """
        from bertline.lifecycle.predictions import labelling

        def look() -> list[Candidate]:
            for age_s in (FRESH_S, SOON_S):
                queue = self._queue(model, age_s)
                found = labelling.hand_out(self._store, model, queue, person, limit, holding=holding)
                if len(found) == limit:
                    break
            return found

        return await self._thread.run(look)

    async def skip(self, model: str, text_hash: str, person: Person) -> None:
        """Give a text back without a label.

        Raises:
            Problem: too many calls wait, or the store is away.
        """
        from bertline.lifecycle.predictions import labelling

        await self._thread.run(lambda: labelling.skip(self._store, model, text_hash, person))

    async def progress(self, model: str) -> Progress:
        """What waits, and what has been labelled.

        Raises:
            Problem: too many calls wait, or the store is away.
        """
        from bertline.lifecycle.predictions.annotators import annotators

        def look() -> Progress:
            waiting = Counter(one.why for one in self._queue(model, SOON_S))
            return Progress(dict(waiting), annotators(self._store, model))

        return await self._thread.run(look)

    async def sample(self, model: str, limit: int) -> list[Input]:
        """A random sample of the texts that were kept.

        Raises:
            Problem: too many calls wait, or the store is away.
        """
        from bertline.lifecycle.predictions.kept import kept_texts

        return (await self._thread.run(lambda: kept_texts(self._store, model, most=limit)))[0]

    async def export(self, model: str, out: Path) -> int:
        """Write the labelled texts to a table for ``train``; the number of rows.

        Raises:
            Problem: too many calls wait, or the store is away.
            DataError: there is no row to write.
        """
        from bertline.lifecycle.predictions.labelled import write_labelled

        return (await self._thread.run(lambda: write_labelled(self._store, model, out))).rows

    def _queue(self, model: str, age_s: float) -> Sequence[Candidate]:
        from bertline.lifecycle.predictions.labelling import candidates

        known, now_s = self._queues.get(model), time.monotonic()
        if known is None or now_s - known.made_s > age_s:
            version = self._version_of(model)
            reference = _reference(version.path, version.checksum)
            known = self._queues[model] = _Queue(now_s, candidates(self._store, model, reference=reference))
        return known.texts


@lru_cache(4)
def _reference(bundle: Path, checksum: str) -> tuple[str, ...]:
    """The texts that a bundle was measured on; none if it carries none, or if its directory is gone meanwhile."""
    from bertline.lifecycle.predictions.foreign import reference_texts

    try:
        return reference_texts(bundle)
    except BundleError:
        return ()
