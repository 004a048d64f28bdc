"""What is observed of a set of texts: answers, embeddings, and properties of the texts as the model reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.inference import TextClassifier
from bertline.inference.predictor import means
from bertline.lifecycle.drift.properties import properties_of
from bertline.statistics.activation import normalised
from bertline.tasks import task
from bertline.text import Input

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """Observations of texts, one per text in each array.

    Attributes:
        inputs: the texts.
        places: where each text is, for people: the line or the row.
        answers: numbers of the model's answers by name (``tasks.*.watched``).
        embeddings: of length 1, [text, hidden].
        properties: numbers of the texts by name.
    """

    inputs: Sequence[Input]
    places: Sequence[int]
    answers: Mapping[str, Array]
    embeddings: Array
    properties: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, chosen: Sequence[int] | Array) -> Window:
        """The window of some of the texts, by their index."""
        index = np.asarray(chosen, dtype=np.int64)
        return Window(
            [self.inputs[i] for i in index],
            [self.places[i] for i in index],
            {name: column[index] for name, column in self.answers.items()},
            self.embeddings[index],
            {name: column[index] for name, column in self.properties.items()},
        )


def observe(
    predictor: TextClassifier,
    embedder: TextClassifier,
    inputs: Sequence[Input],
    places: Sequence[int] | None = None,
    *,
    common: frozenset[int] = frozenset(),
) -> Window:
    """Answer and embed texts.

    Args:
        predictor: answers.
        embedder: embeds, the same bundle's.
        inputs: the texts or pairs.
        places: of each text; None counts them from 1.
        common: token ids that the training texts have (``bundle.reference``).

    Raises:
        BundleError: the weights give a number that is not finite.
    """
    spec = predictor.spec
    answers = [] if spec.required else predictor.predict(inputs)  # a text without [MASK] has no answer
    columns = task(spec.task).watched.columns(spec, answers)
    readings, arrays = embedder.pieces(inputs, "embedding")
    return Window(
        list(inputs),
        list(places) if places is not None else list(range(1, len(inputs) + 1)),
        {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()},
        normalised(means(arrays).astype(np.float32).reshape(len(inputs), -1)),
        properties_of(predictor.tokenizer, readings, common),
    )
