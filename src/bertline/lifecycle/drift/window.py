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
from bertline.tasks.contract import TaskSpec
from bertline.tasks.feedback import Json
from bertline.text import Input

LEAST_ROWS = 20  # of a window: fewer than that can show nothing but the crudest change

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """Observations of texts, one per text in each array but ``embeddings``.

    Attributes:
        inputs: the texts; none if only answers to them were kept.
        places: where each text is, for people: the line or the row.
        answers: numbers of the model's answers by name (``tasks.*.watched``).
        embeddings: of length 1, [embedded text, hidden].
        properties: numbers of the texts by name.
        embedded: the indices of the texts that have embeddings; None is all of them.
    """

    inputs: Sequence[Input]
    places: Sequence[int]
    answers: Mapping[str, Array]
    embeddings: Array
    properties: Mapping[str, Array]
    embedded: Array | None = None

    def __len__(self) -> int:
        return len(self.places)

    def of_embedded(self, column: Array) -> Array:
        """The rows of a column whose texts have embeddings."""
        return column if self.embedded is None else column[self.embedded]

    def take(self, chosen: Sequence[int] | Array) -> Window:
        """The window of some of the texts, by their index; all texts have embeddings."""
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
    one_piece: bool = False,
) -> Window:
    """Answer and embed texts.

    Args:
        predictor: answers.
        embedder: embeds, the same bundle's.
        inputs: the texts or pairs.
        places: of each text; None counts them from 1.
        common: token ids that the training texts have (``bundle.reference``).
        one_piece: leave out embeddings of texts that are read in several pieces, as a server does.

    Raises:
        BundleError: the weights give a number that is not finite.
    """
    spec = predictor.spec
    answers = [] if spec.required else predictor.predict(inputs)  # a text without [MASK] has no answer
    readings, arrays = embedder.pieces(inputs, "embedding")
    embeddings, embedded = unit(means(arrays)), None
    if one_piece:
        embedded = np.flatnonzero([len(one.pieces) == 1 for one in readings])
        embeddings = embeddings[embedded]
    return Window(
        list(inputs),
        list(places) if places is not None else list(range(1, len(inputs) + 1)),
        answer_columns(
            spec, [task(spec.task).feedback.recorded(spec, one) for one in answers], [one.read for one in readings]
        ),
        embeddings,
        properties_of(predictor.tokenizer, readings, common),
        embedded,
    )


def answer_columns(spec: TaskSpec, recorded: Sequence[Json], read_tokens: Sequence[int]) -> dict[str, Array]:
    """The watched numbers of recorded answers; new answers are looked at as they would be recorded."""
    columns = task(spec.task).watched.columns(spec, recorded, read_tokens)
    return {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}


def unit(embeddings: Array) -> Array:
    """Of length 1, [text, hidden]."""
    return normalised(embeddings.astype(np.float32).reshape(len(embeddings), -1))
