"""An explanation as a value, with its JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from bertline.explanation.faithful import Faithfulness
from bertline.explanation.phrases import Phrase
from bertline.explanation.words import Word


@dataclass(frozen=True, slots=True)
class Part:
    """A word and its share.

    Attributes:
        word: where it is.
        share: what it adds to the score; negative if it speaks against it.
        error: standard error of the share, by the sampled orders or sets of words; None where nothing was sampled.
    """

    word: Word
    share: float
    error: float | None

    @classmethod
    def of(cls, word: Word, share: float, error: float) -> Part:
        """NaN is no error."""
        return cls(word, float(share), None if math.isnan(error) else float(error))


@dataclass(frozen=True, slots=True)
class Explanation:
    """The share of each word in one answer.

    Attributes:
        name: the label, or what the number is called.
        span: the characters whose label it is, of a tagger; None of a whole text.
        unit: of values and shares: ``log-odds`` or ``number``.
        value: of the input.
        shown: the same as the answer has it: a probability, or a number.
        base: of the input without any of its words.
        words: in the order of the text; with ``base`` their shares add up to ``value``, unless each was left out alone.
        method: by which shares were found.
        removal: how words were removed.
        orders: of the words that were sampled; 0 for methods without chance.
        answers: of the model that it took.
        cut_tokens: that truncation left out, which no word can have a share of.
        faithfulness: measured for this input; None if it was not asked for.
        completeness_error: of integrated gradients: how far base and shares are from the value, as a part of value less
            base; None where they add up exactly.
        phrases: words that together do more or less than alone, the largest difference first; None if they were not
            asked for.
    """

    name: str
    span: tuple[int, int] | None
    unit: str
    value: float
    shown: float
    base: float
    words: tuple[Part, ...]
    method: str
    removal: str
    orders: int
    answers: int
    cut_tokens: int
    faithfulness: Faithfulness | None
    completeness_error: float | None = None
    phrases: tuple[Phrase, ...] | None = None

    def top(self, number: int) -> list[Part]:
        """The words with the largest shares, for or against."""
        return sorted(self.words, key=lambda one: -abs(one.share))[:number]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "label": self.name,
            "span": None if self.span is None else {"start": self.span[0], "end": self.span[1]},
            "unit": self.unit,
            "value": self.value,
            "shown": self.shown,
            "base": self.base,
            "words": [{**_placed(one.word), "share": one.share, "error": one.error} for one in self.words],
            "method": self.method,
            "removal": self.removal,
            "orders": self.orders,
            "answers": self.answers,
            "cut_tokens": self.cut_tokens,
            "faithfulness": None if self.faithfulness is None else asdict(self.faithfulness),
            "completeness_error": self.completeness_error,
            "phrases": None if self.phrases is None else [self._phrase(one) for one in self.phrases],
        }

    def _phrase(self, phrase: Phrase) -> dict[str, Any]:
        words = [
            {**_placed(self.words[place].word), "alone": alone}
            for place, alone in zip(phrase.words, phrase.alone, strict=True)
        ]
        return {"text": self.text_of(phrase), "words": words, "share": phrase.share, "beyond": phrase.beyond}

    def text_of(self, phrase: Phrase) -> str:
        """Its words, with … between those that are not neighbours."""
        first, *others = phrase.words
        text = self.words[first].word.text
        for before, place in zip(phrase.words, others, strict=False):
            text += f"{' ' if place == before + 1 else ' … '}{self.words[place].word.text}"
        return text


def _placed(word: Word) -> dict[str, Any]:
    return {"text": word.text, "side": word.side, "start": word.start, "end": word.end}
