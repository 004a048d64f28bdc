"""Counter-evidence as a value, with its JSON: what was changed in an input, and what the model says then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bertline.explanation.words import Word
from bertline.text import Input
from bertline.text.reading import texts_of

How = Literal["replace", "delete", "mask"]


@dataclass(frozen=True, slots=True)
class ChangedWord:
    """A word that is changed.

    Attributes:
        text: as it is written.
        side: index of its text in the input: 1 in the second text of a pair.
        start: of its characters in that text.
        end: after them.
        replacement: the word in its place; None if it is left out.
        probability: that the masked language model gives the replacement there, in the changed text; None if it is left
            out.
    """

    text: str
    side: int
    start: int
    end: int
    replacement: str | None = None
    probability: float | None = None

    @classmethod
    def of(cls, word: Word, replacement: str | None = None, probability: float | None = None) -> ChangedWord:
        """A word with what stands in its place."""
        return cls(word.text, word.side, word.start, word.end, replacement, probability)


@dataclass(frozen=True, slots=True)
class Turn:
    """A change that turns the answer.

    Attributes:
        words: that are changed, in the order of the text.
        texts: after the change.
        turned: the label then.
        shown: its probability.
    """

    words: tuple[ChangedWord, ...]
    texts: tuple[str, ...]
    turned: str
    shown: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        words = [asdict(one) for one in self.words]
        return {"words": words, "texts": list(self.texts), "turned": self.turned, "shown": self.shown}


@dataclass(frozen=True, slots=True)
class Counter:
    """The smallest change found that turns the answer.

    Attributes:
        label: of the input; of a model that gives several labels, the one asked about, or ``not`` and that one.
        how: what is done to words: ``replace``, ``delete``, or ``mask`` for [MASK] in their place.
        before: the texts as they came.
        first: the change; its words are none if no change was found.
        others: further ones of as few words, the next best first; only of replacements.
        ruled_out: changes of up to so many words leave the label: they were all tried.
        why: words are left out and not replaced, in a sentence; None if they are replaced.
        answers: of the model that it took.
        proposals: of the masked language model that it took.
    """

    label: str
    how: How
    before: tuple[str, ...]
    first: Turn
    others: tuple[Turn, ...]
    ruled_out: int
    why: str | None
    answers: int
    proposals: int

    @property
    def words(self) -> tuple[ChangedWord, ...]:
        """Those that are changed."""
        return self.first.words

    @property
    def texts(self) -> tuple[str, ...]:
        """After the change."""
        return self.first.texts

    @property
    def turned(self) -> str:
        """The label then; ``label`` if no change was found."""
        return self.first.turned

    @property
    def shown(self) -> float:
        """Its probability."""
        return self.first.shown

    @property
    def least(self) -> bool:
        """Whether no change of fewer words turns the label; of replacements, none with the words that were proposed."""
        return bool(self.words) and len(self.words) == self.ruled_out + 1

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "label": self.label,
            "how": self.how,
            "before": list(self.before),
            **self.first.to_json(),
            "others": [one.to_json() for one in self.others],
            "ruled_out": self.ruled_out,
            "least": self.least,
            "why": self.why,
            "answers": self.answers,
            "proposals": self.proposals,
        }


def changed(one: Input, words: Sequence[Word], new: Mapping[int, str]) -> tuple[Input, dict[int, tuple[int, int]]]:
    """An input with other words in the place of some.

    Args:
        one: the input.
        words: all its words, in their order.
        new: what stands in a word's place, by the word's index.

    Returns:
        The input, and for each new word the characters of it in its text.

    >>> words = [Word("not", 0, 0, 3), Word("good", 0, 4, 8), Word(".", 0, 8, 9)]
    >>> changed("not good.", words, {0: "really", 1: "bad"})
    ('really bad.', {0: (0, 6), 1: (7, 10)})
    """
    texts, places = [], {}
    for side, text in enumerate(texts_of(one)):
        written, end = "", 0
        for place, word in enumerate(words):
            if word.side == side and place in new:
                written += text[end : word.start]
                places[place] = len(written), len(written) + len(new[place])
                written, end = written + new[place], word.end
        texts.append(written + text[end:])
    return texts[0] if isinstance(one, str) else tuple(texts), places
