"""Labelled rows that production collected: the feedback in a store of predictions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bertline.lifecycle.predictions.figures import labelled_since
from bertline.lifecycle.predictions.labelled import write_labelled
from bertline.lifecycle.predictions.store import open_store


class Labelled(Protocol):
    """Labelled rows of one model."""

    def export(self, target: Path) -> int:
        """Write all of them as JSON lines that ``train`` reads, the oldest first; returns their number.

        Without any row there is no file.

        Raises:
            BertlineError: they cannot be read or written.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredFeedback:
    """The feedback on a model's predictions.

    Attributes:
        url: of the store.
        model: its name for clients of the server.
    """

    url: str
    model: str

    def export(self, target: Path) -> int:
        """Write the rows whose text is in the store.

        Raises:
            DataError: there is feedback, but no text was kept with the predictions.
            PredictionStoreError: the store cannot be read.
        """
        with open_store(self.url) as store:
            if not labelled_since(store, self.model, with_text=False):
                return 0
            return write_labelled(store, self.model, target).rows
