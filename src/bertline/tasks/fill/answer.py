"""From the scores of the vocabulary to the words for each [MASK]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bertline.statistics.activation import softmax
from bertline.tasks.fill.spec import Spec
from bertline.text.reading import Reading

if TYPE_CHECKING:
    from bertline.text import Tokenizer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A word for a [MASK].

    Attributes:
        id: in the vocabulary.
        token: as the tokenizer writes it.
        probability: among the whole vocabulary, whatever the targets are.
        targets: the requested words that it stands for, if these are not the token itself: it is the first piece of a
            word that is not in the vocabulary, or another spelling.
    """

    id: int
    token: str
    probability: float
    targets: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """All fields by name; ``targets`` where there are any."""
        targets = {"targets": [*self.targets]} if self.targets else {}
        return {"token": self.token, "id": self.id, "probability": self.probability, **targets}


@dataclass(frozen=True, slots=True)
class Mask:
    """One [MASK], its characters in the text, and the words for it, most probable first."""

    start: int
    end: int
    candidates: tuple[Candidate, ...]

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {"start": self.start, "end": self.end, "tokens": [one.to_json() for one in self.candidates]}


@dataclass(frozen=True, slots=True)
class Answer:
    """The words for one text.

    Attributes:
        filled: the text with the most probable word for each [MASK], chosen for each by itself.
        masks: those that were read, in the order of the text.
        read_tokens: [CLS] and [SEP] count.
        cut_tokens: tokens that truncation left out.
        cut_masks: how many [MASK] are among these.
    """

    filled: str
    masks: tuple[Mask, ...]
    read_tokens: int
    cut_tokens: int
    cut_masks: int

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {
            "filled": self.filled,
            "masks": [one.to_json() for one in self.masks],
            "read_tokens": self.read_tokens,
            "cut_tokens": self.cut_tokens,
            "cut_masks": self.cut_masks,
        }

    def columns(self) -> dict[str, object]:
        """Columns of a table of predictions."""
        masks = [one.to_json() for one in self.masks]
        return {"filled": self.filled, "predicted_masks": masks, "cut_masks": self.cut_masks}


@dataclass(frozen=True, slots=True)
class Slot:
    """A [MASK] where it is read with most context: in a piece of the reading, at an index of its ids."""

    piece: int
    index: int
    start: int
    end: int


def slots(reading: Reading, rows: Sequence[Array]) -> tuple[list[Slot], Array]:
    """Every [MASK] of a text once, in order, and its scores, [slot, vocabulary].

    Args:
        reading: with offsets; windows overlap, and a [MASK] in two of them counts where it is farther from the edge.
        rows: of each piece, [masked, vocabulary].
    """
    best: dict[int, tuple[int, Slot, Array]] = {}
    for number, (piece, own) in enumerate(zip(reading.pieces, rows, strict=True)):
        places, offsets = piece.places or [], piece.offsets or []
        for index, row in zip(piece.masked, own, strict=True):
            context = min(index, len(piece.ids) - 1 - index)
            if places[index] not in best or context > best[places[index]][0]:
                best[places[index]] = context, Slot(number, index, *offsets[index]), row
    ordered = [best[place] for place in sorted(best)]
    return [slot for _, slot, _ in ordered], np.array([row for *_, row in ordered], dtype=np.float32)


def candidates(spec: Spec, scores: Array) -> list[tuple[Candidate, ...]]:
    """The words for each [MASK], most probable first; the smaller id decides between equals.

    Args:
        spec: with its tokenizer; ``top_k`` and ``targets`` choose.
        scores: [slot, vocabulary].
    """
    if not len(scores):
        return []
    shares = softmax(scores, spec.temperature)
    ids = np.arange(shares.shape[1]) if spec.targets is None else np.array(sorted(spec.targets))
    chosen = shares[:, ids]
    most = min(spec.top_k, len(ids))
    within = np.argpartition(-chosen, most - 1, axis=1)[:, :most]
    within.sort(axis=1)
    picked = np.take_along_axis(chosen, within, axis=1)
    order = np.argsort(-picked, axis=1, kind="stable")
    each = zip(ids[np.take_along_axis(within, order, axis=1)], np.take_along_axis(picked, order, axis=1), strict=True)
    return [
        tuple(_candidate(spec, int(id_), float(share)) for id_, share in zip(own, row, strict=True))
        for own, row in each
    ]


def _candidate(spec: Spec, id_: int, share: float) -> Candidate:
    token = spec.tokenizer.decode([id_], skip_special_tokens=False)
    targets = (token,) if spec.targets is None else spec.targets[id_]
    return Candidate(id_, token, share, () if targets == (token,) else targets)


def answers(spec: Spec, rows: Sequence[Sequence[Array]], readings: Sequence[Reading]) -> list[Answer]:
    """The words for each text; none for one without [MASK].

    Args:
        spec: of the model, with its tokenizer.
        rows: of each text's pieces, the scores of the vocabulary, each [masked, vocabulary].
        readings: of the texts, with offsets.
    """
    return [_answer(spec, reading, own) for reading, own in zip(readings, rows, strict=True)]


def _answer(spec: Spec, reading: Reading, rows: Sequence[Array]) -> Answer:
    own, scores = slots(reading, rows)
    each = zip(own, candidates(spec, scores), strict=True)
    masks = tuple(Mask(slot.start, slot.end, words) for slot, words in each)
    text = str(reading.input)
    cut = text.count(spec.tokenizer.mask) - len(masks) if reading.cut else 0
    return Answer(_filled(text, masks, spec.tokenizer), masks, reading.read, reading.cut, cut)


def _filled(text: str, masks: Sequence[Mask], tokenizer: Tokenizer) -> str:
    """The text with the first word for each [MASK]; a further piece of a word continues the word before it."""
    parts, end, prefix = [], 0, tokenizer.prefix
    for mask in masks:
        before, token = text[end : mask.start], mask.candidates[0].token
        piece = token.removeprefix(prefix)
        parts += [before.rstrip() if prefix and piece != token else before, piece]
        end = mask.end
    return "".join([*parts, text[end:]])
