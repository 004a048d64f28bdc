"""From the logits of tokens to entities with their characters and a confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.data.entities import Entity
from bertline.statistics.activation import softmax
from bertline.tasks.tag.alignment import Pieces
from bertline.tasks.tag.spec import Spec
from bertline.tasks.tag.viterbi import decode
from bertline.text.reading import Reading

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class ScoredEntity:
    """A predicted entity.

    Attributes:
        entity: its characters and type.
        text: these characters.
        score: the mean over its words of the probability that the word belongs to an entity of this type. Where the
            model labels every piece, the mean is over pieces.
    """

    entity: Entity
    text: str
    score: float

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {**self.entity.to_json(), "text": self.text, "score": self.score}


@dataclass(frozen=True, slots=True)
class Answer:
    """The entities of one text, in the order of the text.

    Attributes:
        entities: none overlaps another.
        read_tokens: [CLS] and [SEP] count.
        cut_tokens: tokens that truncation left out.
    """

    entities: tuple[ScoredEntity, ...]
    read_tokens: int
    cut_tokens: int

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {
            "entities": [entity.to_json() for entity in self.entities],
            "read_tokens": self.read_tokens,
            "cut_tokens": self.cut_tokens,
        }

    def columns(self) -> dict[str, object]:
        """Columns of a table of predictions."""
        return {"predicted_entities": [entity.to_json() for entity in self.entities]}


def answers(spec: Spec, rows: Sequence[Sequence[Array]], readings: Sequence[Reading]) -> list[Answer]:
    """The entities of each text.

    Args:
        spec: of the model.
        rows: logits of each text's pieces, each [token, label] with special tokens.
        readings: of the texts, with offsets.
    """
    pieces = [spec.pieces(reading) for reading in readings]
    logits = [text_pieces.tokens.rows(own)[text_pieces.units] for text_pieces, own in zip(pieces, rows, strict=True)]
    labels = _labels(spec, pieces, logits)
    return [
        Answer(_entities(spec, text_pieces, own, some), reading.read, reading.cut)
        for text_pieces, own, some, reading in zip(pieces, logits, labels, readings, strict=True)
    ]


def _labels(spec: Spec, pieces: Sequence[Pieces], logits: Sequence[Array]) -> list[Array]:
    """The label of each unit of each text. No entity crosses a gap between the tokens that were read."""
    sizes = [len(piece.units) for piece in pieces]
    if not sum(sizes):
        return [np.zeros(0, dtype=np.int64) for _ in pieces]
    begins = [np.flatnonzero(~piece.follows[piece.units])[1:] for piece in pieces]
    lengths = np.array([len(part) for row, cuts in zip(logits, begins, strict=True) for part in np.split(row, cuts)])
    words = np.arange(lengths.max())[None, :] < lengths[:, None]
    padded = np.zeros((*words.shape, len(spec.labels)), dtype=np.float32)
    continues = np.zeros(words.shape, dtype=bool)
    padded[words] = np.concatenate(logits)
    continues[words] = np.concatenate([piece.continues[piece.units] for piece in pieces])
    labels = decode(spec.spelling, padded, words, continues)
    return np.split(labels[words], np.cumsum(sizes)[:-1])


def _entities(spec: Spec, pieces: Pieces, logits: Array, labels: Array) -> tuple[ScoredEntity, ...]:
    spelling = spec.spelling
    spans = spelling.read(labels)
    if not spans:
        return ()
    by_type = spelling.by_type(softmax(logits, spec.temperature)).sum(axis=2)  # [unit, type]
    entities = []
    for first, after, kind in spans:
        start, end = pieces.characters(first, after)
        score = float(by_type[first:after, kind].mean())
        entities.append(ScoredEntity(Entity(start, end, spec.types[kind]), pieces.text[start:end], min(1.0, score)))
    return tuple(entities)
