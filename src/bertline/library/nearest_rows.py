"""The nearest rows of an opened bundle, which are embedded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bertline.errors import UsageError
from bertline.inference import TextClassifier
from bertline.library.texts import checked_texts
from bertline.text import Input

if TYPE_CHECKING:
    from bertline.explanation.nearest import Kept, Near


class NearestRows:
    """Finds rows that a bundle carries.

    Args:
        predictor: has the bundle and its spec.
        embed: from inputs to embeddings, [input, hidden].
    """

    def __init__(
        self, predictor: TextClassifier, embed: Callable[[Sequence[Input]], np.ndarray[Any, np.dtype[np.float32]]]
    ) -> None:
        self._predictor, self._embed = predictor, embed
        self._kept: Kept | None = None

    def of(self, text: object, most: int) -> list[Near]:
        """The rows that are nearest to a text or pair, the most similar first.

        Raises:
            UsageError: the text is of another kind than the model reads, the model is an embedder, or its bundle
                carries no rows.
            BundleError: a row is damaged, or nothing that is installed here can embed with this bundle.
        """
        from bertline.explanation.nearest import kept_rows

        pairs = self._predictor.spec.pairs
        (one,) = checked_texts([text], "nearest", pairs=pairs)
        if pairs and isinstance(one, str):
            raise UsageError(f"{self._predictor.name} reads pairs of texts: give nearest both texts as a tuple")
        if self._kept is None:
            self._kept = kept_rows(self._predictor.directory, self._predictor.spec, self._embed)
        return self._kept.near(self._embed([one])[0], most)
