"""Words that a masked language model proposes for a place in a text, and how probable it finds given ones there.

A proposal is a whole word: one entry of the vocabulary that the tokenizer gives again when it reads the changed text.
And it fits: its probability is at least a thousandth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bertline.errors import UsageError
from bertline.explanation.changes import changed
from bertline.explanation.question import Answering, Array
from bertline.explanation.words import Word
from bertline.statistics.activation import softmax
from bertline.tasks.fill.answer import Candidate, candidates, slots
from bertline.tasks.fill.spec import Spec
from bertline.text import Input
from bertline.text.reading import texts_of

LOOKED_AT = 100  # entries of the vocabulary for a place, the most probable first
LEAST = 1e-3  # probability of a proposal
ASKED_TOGETHER = 8  # texts: each has a score for every entry of the vocabulary
AROUND = 16  # characters on either side with which a word is read again


@dataclass(frozen=True, slots=True)
class Proposal:
    """A word for a place.

    Attributes:
        place: index of the word that it replaces.
        text: written like that word, with its capitals.
        id: in the vocabulary of the masked language model.
        probability: among the whole vocabulary, with every other word as it was.
    """

    place: int
    text: str
    id: int
    probability: float


class Proposals:
    """Asks a masked language model about words of an input. Of a pair, it reads only the text with the word.

    Args:
        filler: the masked language model.
        one: the input.
        words: all its words, in their order.

    Attributes:
        asked: texts that the model was asked about.

    Raises:
        UsageError: as ``filling``.
    """

    def __init__(self, filler: Answering, one: Input, words: Sequence[Word]) -> None:
        self._filler, self._spec, self._one, self._words = filler, filling(filler, one), one, words
        self.asked = 0

    def words_for(self, places: Sequence[int], most: int) -> list[list[Proposal]]:
        """Up to so many proposals for each place, most probable first; one text for each place is asked about.

        None is the word itself, whatever its capitals; all consist of letters and digits.
        """
        spec = self._spec.choosing(top_k=min(LOOKED_AT, self._filler.tokenizer.vocab_size))
        found = []
        for place, row in zip(places, self._rows([({}, place) for place in places]), strict=True):
            each = [] if row is None else candidates(spec, row[None])[0]
            fitting = [one for one in each if one.probability >= LEAST and one.token.strip().isalnum()]
            found.append(self._whole(place, fitting)[:most])
        return found

    def probabilities(self, changes: Sequence[Sequence[Proposal]]) -> list[tuple[float, ...]]:
        """Of each change, how probable each of its words is in its place, given the other ones and the rest."""
        hidden = [({one.place: one.text for one in change}, own.place) for change in changes for own in change]
        rows = self._rows(hidden)
        return [tuple(self._share(next(rows), own.id) for own in change) for change in changes]

    def _share(self, row: Array | None, id_: int) -> float:
        return 0.0 if row is None else float(softmax(row[None], self._spec.temperature)[0, id_])

    def _rows(self, hidden: Sequence[tuple[Mapping[int, str], int]]) -> Iterator[Array | None]:
        """The scores of the vocabulary for a hidden word of changed texts; None where truncation cut it.

        They are asked for a few texts at a time, so that all of them are never in memory.
        """
        for first in range(0, len(hidden), ASKED_TOGETHER):
            texts, starts = [], []
            for new, place in hidden[first : first + ASKED_TOGETHER]:
                after, places = changed(self._one, self._words, {**new, place: self._filler.tokenizer.mask})
                texts.append(texts_of(after)[self._words[place].side])
                starts.append(places[place][0])
            self.asked += len(texts)
            for reading, own, start in zip(*self._filler.pieces(texts, self._spec.output), starts, strict=True):
                found, scores = slots(reading, own)
                at = (row for slot, row in zip(found, scores, strict=True) if slot.start <= start < slot.end)
                yield next(at, None)

    def _whole(self, place: int, each: Sequence[Candidate]) -> list[Proposal]:
        """Those that are whole words, and others than the one that is there."""
        word, tokenizer = self._words[place], self._filler.tokenizer
        whole = texts_of(self._one)[word.side]
        before, after = whole[max(0, word.start - AROUND) : word.start], whole[word.end : word.end + AROUND]
        hidden = tokenizer.spans(f"{before}{tokenizer.mask}{after}")
        at = next(place for place, one in enumerate(hidden) if one.end > len(before))
        ids = [one.id for one in hidden]
        texts = [one.token.strip() for one in each]
        read = tokenizer.encode_whole([f"{before}{text}{after}" for text in texts])
        alike = [like(word.text, text) for text in texts]
        return [
            Proposal(place, text, one.id, one.probability)
            for one, text, again in zip(each, alike, read, strict=True)
            if again.ids == [*ids[:at], one.id, *ids[at + 1 :]] and text.casefold() != word.text.casefold()
        ]


def filling(filler: Answering, one: Input) -> Spec:
    """The spec of a model that can propose words for an input.

    Raises:
        UsageError: it fills in no words, or the input has a [MASK] of its own.
    """
    if not isinstance(filler.spec, Spec):
        raise UsageError(
            f"replacements come from a model that fills in words, and this one's task is {filler.spec.task}: "
            "give a masked language model"
        )
    tokenizer = filler.tokenizer
    if any(tokenizer.mask_id in read.ids for read in tokenizer.encode_whole(texts_of(one))):
        raise UsageError(
            f"the text has {tokenizer.mask}, which the model for replacements would fill in: take it out of the text, "
            "or leave replacements out"
        )
    return filler.spec


def like(word: str, other: str) -> str:
    """A word with the capitals of another.

    >>> like("Good", "bad"), like("GOOD", "bad"), like("good", "Paris"), like("I", "nobody")
    ('Bad', 'BAD', 'Paris', 'Nobody')
    """
    if word[:2].isupper() and len(word) > 1:
        return other.upper()
    return other[:1].upper() + other[1:] if word[:1].isupper() else other
