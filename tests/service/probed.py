"""A double that changed texts break, for the tests that scan it."""

from __future__ import annotations

from typing import Any

import numpy as np

from bertline.data.batching import Batch
from bertline.testing.words import WordCounter


class Brittle(WordCounter):
    """Says ``positive`` of a text with an odd number of tokens, whatever its words are."""

    def compute(self, output: str, batch: Batch) -> np.ndarray[Any, Any]:
        """A row per text."""
        if output != "logits":
            return super().compute(output, batch)
        odd = batch.attend.sum(1) % 2 == 1
        logits = np.zeros((len(odd), len(self.labels)), dtype=np.float32)
        logits[np.arange(len(odd)), odd.astype(int)] = 2.0
        return logits
