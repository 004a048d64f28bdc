"""What the model says of each word alone, of windows of neighbouring words, and of the text without each word.

For a model of sentiment a lexicon stands beside the words, with the reason where the two differ (``differing``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from bertline.explanation.anatomy.differing import Sides, Sight, TurnedBy, agrees, sides_of, why
from bertline.explanation.anatomy.lexicon import valence
from bertline.explanation.anatomy.plain import plain
from bertline.explanation.words import Word, without

MOST_PAIRS = 64  # of a word and another that are left out together

Shown = Callable[[list[str], Sequence[str]], Any]  # from texts and labels to probabilities, or numbers


@dataclass(frozen=True, slots=True)
class Alone:
    """A word or a window, given to the model by itself.

    Attributes:
        text: as it is written.
        start: of its characters in the text.
        end: after them.
        shown: the label's probability, or the number.
        against: of a model of sentiment, the probability of the label on the other side; else None.
        valence: of a word in the lexicon, −4 to 4; None for windows, and for words that it does not have.
        without: of a word and a model of sentiment: what the label has in the text without the word; else None.
        pieces: that the tokenizer makes of a word in the text, of a model of sentiment; none otherwise.
        turned_by: the word without which this one does what the lexicon says; None where there is none.
        why: how the lexicon and the model differ on the word, and why; None if they do not.
    """

    text: str
    start: int
    end: int
    shown: float
    against: float | None = None
    valence: float | None = None
    without: float | None = None
    pieces: tuple[str, ...] = ()
    turned_by: TurnedBy | None = None
    why: str | None = None

    @property
    def differs(self) -> bool:
        """Whether the lexicon and the model differ on the word."""
        return self.why is not None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        own = {field.name: plain(getattr(self, field.name)) for field in fields(self)}
        turned_by = None if self.turned_by is None else self.turned_by.to_json()
        return {**own, "pieces": list(self.pieces), "turned_by": turned_by, "differs": self.differs}


@dataclass(frozen=True, slots=True)
class Parts:
    """The words and windows of a text, each by itself.

    Attributes:
        label: whose probability is shown, or the name of the number.
        whole: what the model says of the whole text.
        words: in their order.
        windows: of ``window`` neighbouring words, each one word further.
        window: number of words.
        says: a short paragraph; its claims hold for the others.
    """

    label: str
    whole: float
    words: tuple[Alone, ...]
    windows: tuple[Alone, ...]
    window: int
    says: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "label": self.label,
            "whole": plain(self.whole),
            "words": [one.to_json() for one in self.words],
            "windows": [one.to_json() for one in self.windows],
            "window": self.window,
            "says": self.says,
        }


def parts(
    text: str,
    words: Sequence[Word],
    window: int,
    label: str,
    labels: Sequence[str],
    shown: Shown,
    pieces: Sequence[tuple[str, ...]],
) -> Parts:
    """Ask the model about each part.

    Args:
        text: the whole.
        words: of it.
        window: number of neighbouring words.
        label: of the answer.
        labels: of the model.
        shown: from texts and labels to what the model says of them, [text, label].
        pieces: that the tokenizer makes of each word.
    """
    size = min(window, len(words))
    sides = sides_of(label, labels)
    asked = _Asked(text, words, shown, (label,) if sides is None else (label, sides.other))
    slid = [(words[i].start, words[i + size - 1].end) for i in range(len(words) - size + 1)]
    spans = [(word.start, word.end) for word in words]
    asked.about([text, *(text[start:end] for start, end in [*spans, *slid])])
    alone, windows = ([asked.alone(*span) for span in some] for some in (spans, slid))
    if sides is not None:
        alone = _beside(asked, alone, windows, pieces, sides)
    whole = asked.share(text)
    return Parts(label, whole, tuple(alone), tuple(windows), size, _says(alone, windows, whole, label, sides))


class _Asked:
    """What the model says of texts; it is asked about each once."""

    def __init__(self, text: str, words: Sequence[Word], shown: Shown, names: Sequence[str]) -> None:
        self.text, self.words, self._shown, self._names = text, words, shown, names
        self._known: dict[str, list[float]] = {}

    def about(self, texts: Sequence[str]) -> None:
        """Ask about several texts together."""
        new = [one for one in dict.fromkeys(texts) if one not in self._known]
        if new:
            rows = np.asarray(self._shown(new, self._names), dtype=np.float64)
            self._known.update(zip(new, rows.tolist(), strict=True))

    def share(self, text: str) -> float:
        """Of the label."""
        return self._known[text][0]

    def alone(self, start: int, end: int) -> Alone:
        """A part by itself."""
        own = self.text[start:end]
        shares = self._known[own]
        return Alone(own, start, end, shares[0], shares[1] if len(shares) > 1 else None)

    def without(self, *gone: int) -> str:
        """The text without some words."""
        left = without(self.text, self.words, [place not in gone for place in range(len(self.words))], "delete", "")
        return str(left)


def _beside(
    asked: _Asked, alone: Sequence[Alone], windows: Sequence[Alone], pieces: Sequence[tuple[str, ...]], sides: Sides
) -> list[Alone]:
    """The words with the lexicon beside them, and why they differ from it."""
    left = [asked.without(place) for place in range(len(alone))]
    asked.about([one for one in left if one])
    whole = asked.share(asked.text)
    sights = [
        Sight(valence(one.text), one.shown, one.against or 0.0, whole, asked.share(text) if text else None, own)
        for one, text, own in zip(alone, left, pieces, strict=True)
    ]
    sights = _explained(asked, sights, alone, windows, sides)
    return [
        replace(
            one,
            valence=sight.valence,
            without=sight.without,
            pieces=sight.pieces,
            turned_by=sight.turned_by,
            why=why(sight, sides),
        )
        for one, sight in zip(alone, sights, strict=True)
    ]


def _explained(
    asked: _Asked, sights: Sequence[Sight], alone: Sequence[Alone], windows: Sequence[Alone], sides: Sides
) -> list[Sight]:
    """With what turns those words that are as in the list only by themselves."""
    found, turns = [*sights], dict[int, list[str]]()
    places = [place for place, one in enumerate(sights) if one.contradicts(sides)]
    most = MOST_PAIRS // max(1, len(places))
    for place in places:
        listed, others = sights[place].listed(sides), _nearest(place, len(alone), most)
        other = _turning(asked, listed, place, others)
        if other is not None:
            turns.setdefault(other, []).append(alone[place].text)
        found[place] = replace(
            sights[place],
            turned_by=None if other is None else _turned_by(asked, place, other),
            all_tried=len(others) == len(alone) - 1,
            window=_window(windows, alone[place], listed),
        )
    return [replace(one, turns=tuple(turns.get(place, ()))) for place, one in enumerate(found)]


def _nearest(place: int, words: int, most: int) -> list[int]:
    """The places of other words, the nearest first."""
    others = [one for one in range(words) if one != place]
    return sorted(others, key=lambda one: (abs(one - place), one))[:most]


def _turning(asked: _Asked, listed: float, place: int, others: Sequence[int]) -> int | None:
    """The word without which another has the largest effect to the side of the list; None if none gives it that."""
    left = {other: asked.without(place, other) for other in others}
    asked.about([text for text in left.values() if text])
    effects = {other: asked.share(asked.without(other)) - asked.share(text) for other, text in left.items() if text}
    best = max(effects, key=lambda one: effects[one] * listed, default=None)
    return best if best is not None and agrees(listed, effects[best]) else None


def _turned_by(asked: _Asked, place: int, other: int) -> TurnedBy:
    word = asked.words[other]
    shares = (asked.share(text) for text in (asked.without(other), asked.without(place, other)))
    return TurnedBy(word.text, word.start, word.end, *shares)


def _window(windows: Sequence[Alone], word: Alone, listed: float) -> tuple[str, float] | None:
    """The window with the word that leans most to the other side than the list; None if none does."""
    around = [one for one in windows if one.start <= word.start and word.end <= one.end]
    leaning = [(one.shown - (one.against or 0.0)) * listed for one in around]
    if not around or min(leaning) >= 0:
        return None
    most = around[leaning.index(min(leaning))]
    return most.text, most.shown


def _says(words: Sequence[Alone], windows: Sequence[Alone], whole: float, label: str, sides: Sides | None) -> str:
    most, least = (choose(windows, key=lambda one: one.shown) for choose in (max, min))
    said = (
        "Each word, and each window of neighbouring words, was given to the model alone. For "
        f"{label} the windows reach from {least.shown:.3f} (“{least.text}”) to {most.shown:.3f} (“{most.text}”); the "
        f"whole text has {whole:.3f}."
    )
    if sides is None:
        return said
    known = sum(one.valence is not None for one in words)
    differing = dict.fromkeys(f"“{one.text}”" for one in words if one.differs)
    listed = f"VADER's list of sentiment has {known} of the {len(words)} words"
    if not differing:
        return f"{said} {listed}."
    return f"{said} {listed}. The list and the model differ on {', '.join(differing)}; why is said for each word."
