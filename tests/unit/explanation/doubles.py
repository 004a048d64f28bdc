"""A classifier and a masked language model whose answers can be told from the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bertline.tasks.classify.spec import Spec
from bertline.tasks.fill.spec import Spec as Fills
from bertline.testing.tiny import tiny_tokenizer
from bertline.text import Input, Reader, Reading, Tokenizer, Truncation
from bertline.text.reading import texts_of

LABELS = Spec(labels=("negative", "positive"))


class Letters:
    """Positive where there are more words ``a`` than ``e``; of several labels, a text has those that are its words."""

    def __init__(self, spec: Spec = LABELS) -> None:
        self.spec, self.tokenizer, self.asked = spec, tiny_tokenizer(), list[Input]()

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Any]]]:
        self.asked += texts
        words = [" ".join(texts_of(one)).lower().split() for one in texts]
        pairs = [(own.count("e"), own.count("a")) for own in words]
        several = self.spec.problem == "several"
        logits = [(2.0 * a - 1, 2.0 * e - 1) if several else (0.5, a - e) for e, a in pairs]
        return [Reading([], 5, input=one) for one in texts], [[np.array(own, dtype=float)] for own in logits]


class Filler:
    """Gives the words of ``scores`` for each [MASK], which it is told the text of."""

    def __init__(
        self, scores: Callable[[str], Mapping[str, float]] | Mapping[str, float], tokenizer: Tokenizer | None = None
    ) -> None:
        self.tokenizer = tokenizer or tiny_tokenizer()
        self.spec, self.asked = Fills().with_tokenizer(self.tokenizer), list[str]()
        self._scores = scores if callable(scores) else lambda text: scores
        self._reader = Reader(self.tokenizer, Truncation(32, "window"), offsets=True)

    def row(self, text: str) -> np.ndarray[Any, Any]:
        """The scores of the vocabulary."""
        row = np.full(self.tokenizer.vocab_size, -9.0, dtype=np.float32)
        for token, score in self._scores(text).items():
            row[self.tokenizer.id_of(token)] = score
        return row

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Any]]]:
        assert output == "vocabulary"
        self.asked += map(str, texts)
        readings = self._reader.read(texts)
        rows = [
            [np.tile(self.row(str(text)), (len(piece.masked), 1)) for piece in one.pieces]
            for text, one in zip(texts, readings, strict=True)
        ]
        return readings, rows
