"""One text to explain: its words, what the model says without some of them, and how many answers that took."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from bertline.explanation.faithful import Faithfulness, faithfulness
from bertline.explanation.settings import Removal
from bertline.explanation.words import Word, without, words_of
from bertline.inference import TextClassifier
from bertline.tasks import task
from bertline.text import Input, Reading

Array = np.ndarray[Any, Any]


class Remembering:
    """A predictor that computes no text twice while ``remember`` is set: for research, never where time is measured."""

    def __init__(self, predictor: TextClassifier, *, remember: bool = False) -> None:
        self.predictor, self.remember = predictor, remember
        self.spec, self.tokenizer = predictor.spec, predictor.tokenizer
        self.answers, self._known = 0, dict[Input, tuple[Reading, list[Array]]]()

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Array]]]:
        """As ``TextClassifier.pieces``; every text counts as an answer, also one that is remembered."""
        self.answers += len(texts)
        if not self.remember:
            return self.predictor.pieces(texts, output)
        new = [one for one in dict.fromkeys(texts) if one not in self._known]
        if new:
            self._known.update(zip(new, zip(*self.predictor.pieces(new, output), strict=True), strict=True))
        found = [self._known[one] for one in texts]
        return [reading for reading, _ in found], [arrays for _, arrays in found]


class Case:
    """A text and the label that the model gives it."""

    def __init__(self, model: Remembering, text: str) -> None:
        self.model, self.text = model, text
        self.words: list[Word] = words_of(text, model.tokenizer)
        self.mask = model.tokenizer.mask
        self._seam = task(model.spec.task).explained
        readings, arrays = model.predictor.pieces([text], model.spec.output)
        self.reading = readings[0]
        (answer,) = task(model.spec.task).answer.answers(model.spec, arrays, readings)
        self.label: str = self._seam.names(model.spec, answer)[0]

    @cached_property
    def label_place(self) -> int:
        """Of the label among the logits."""
        return int(self.model.spec.labels.index(self.label))

    def log_odds(self, texts: Sequence[Input]) -> Array:
        """Of the label, of any texts."""
        pieces = self.model.pieces(texts, self.model.spec.output)[1]
        found: Array = self._seam.scores(self.model.spec, pieces, self.label)
        return found

    def probability(self, log_odds: float) -> float:
        """As the answer has it."""
        return float(self._seam.shown(self.model.spec, log_odds))

    def of_sets(self, kept: Array, removal: Removal) -> Array:
        """Log-odds of sets of words that stay, [sets, words]."""
        return self.log_odds([without(self.text, self.words, row.tolist(), removal, self.mask) for row in kept])

    def faithfulness(self, shares: Array) -> Faithfulness:
        """As each explanation measures its own."""
        return faithfulness(self.text, self.words, self.log_odds, shares, self.probability, self.mask)
