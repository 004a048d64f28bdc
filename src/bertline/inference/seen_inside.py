"""A bundle's engine and the graph that shows its network's inside, as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bertline.bundle.engine import WORDS
from bertline.encoder.outputs import OUTPUTS
from bertline.errors import UsageError
from bertline.inference.predictor import TextClassifier
from bertline.text import Input, Reading

# Why the steps of the network do not lead to an answer of the linear model.
NO_LAYERS = f"engine {WORDS}, which has no layers to look into: load it without that engine"


class SeenInside:
    """Answers with an engine, and shows the inside with the graph of attentions.

    Args:
        predictor: answers.
        inside: loaded for the output ``attentions``, of the same bundle.

    Raises:
        UsageError: the engine is the linear model of words.
    """

    def __init__(self, predictor: TextClassifier, inside: TextClassifier) -> None:
        if predictor.engine == WORDS:
            raise UsageError(f"{predictor.name} answers with the {NO_LAYERS}")
        self._predictor, self._inside = predictor, inside
        self.spec, self.tokenizer = predictor.spec, predictor.tokenizer
        self.pooling: str = predictor.pooling

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Any]]]:
        """What was read of each input, and an output of its pieces."""
        one = self._inside if OUTPUTS[output].inside else self._predictor
        return one.pieces(texts, output)
