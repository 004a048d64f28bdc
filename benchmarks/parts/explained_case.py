"""One text to explain: its words, what the model says without some of them, and how many answers that took."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bertline.explanation.faithful import Faithfulness, faithfulness
from bertline.explanation.sets import TextSets
from bertline.explanation.words import words_of
from bertline.inference import load_predictor
from bertline.tasks import task
from bertline.text import Input, Reading

Array = np.ndarray[Any, Any]


class Counting:
    """A bundle's predictor, and how many answers it has given."""

    def __init__(self, bundle: Path) -> None:
        self.bundle, self.predictor = bundle, load_predictor(bundle)
        self.spec, self.tokenizer = self.predictor.spec, self.predictor.tokenizer
        self.answers = 0

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Array]]]:
        """As ``TextClassifier.pieces``."""
        self.answers += len(texts)
        return self.predictor.pieces(texts, output)


class Case:
    """A text and the label that the model gives it."""

    def __init__(self, model: Counting, text: str) -> None:
        self.model, self.text = model, text
        self.words = words_of(text, model.tokenizer)
        self.sets = TextSets(text, self.words, self.log_odds, model.tokenizer.mask)
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

    def faithfulness(self, shares: Array) -> Faithfulness:
        """As each explanation measures its own."""
        return faithfulness(self.sets, shares, self.probability)
