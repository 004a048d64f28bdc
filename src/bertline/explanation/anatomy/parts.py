"""What the model says of each word alone and of windows of neighbouring words, and what a lexicon says.

A lexicon has one value for a word, whatever stands beside it. A model that was trained on whole texts has learned what
words do to each other, and a word alone is not what it was trained on; so the two may differ, and neither is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.explanation.anatomy.lexicon import valence
from bertline.explanation.words import Word

EVEN = 0.5  # probability at which a word leans to neither side
GOOD, BAD = ("positive", "pos"), ("negative", "neg")


@dataclass(frozen=True, slots=True)
class Alone:
    """A word or a window, given to the model by itself.

    Attributes:
        text: as it is written.
        start: of its characters in the text.
        end: after them.
        shown: the label's probability, or the number.
        valence: of a word in the lexicon, −4 to 4; None for windows, and for words that it does not have.
        differs: the lexicon and the model lean to different sides.
    """

    text: str
    start: int
    end: int
    shown: float
    valence: float | None = None
    differs: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        fields = {"text": self.text, "start": self.start, "end": self.end, "shown": round(self.shown, 6)}
        return {**fields, "valence": self.valence, "differs": self.differs}


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
            "whole": round(self.whole, 6),
            "words": [one.to_json() for one in self.words],
            "windows": [one.to_json() for one in self.windows],
            "window": self.window,
            "says": self.says,
        }


def parts(
    text: str, words: Sequence[Word], window: int, label: str, labels: Sequence[str], shown: Callable[[list[str]], Any]
) -> Parts:
    """Ask the model about each part.

    Args:
        text: the whole.
        words: of it.
        window: number of neighbouring words.
        label: of the answer.
        labels: of the model.
        shown: from texts to probabilities of the label, or numbers.
    """
    size = min(window, len(words))
    spans = [(word.start, word.end) for word in words]
    slid = [(words[i].start, words[i + size - 1].end) for i in range(len(words) - size + 1)]
    texts = list(dict.fromkeys([text, *(text[start:end] for start, end in [*spans, *slid])]))
    values = dict(zip(texts, map(float, np.asarray(shown(texts))), strict=True))
    sign = _sign(label, labels)
    alone = tuple(_word(text[start:end], start, end, values[text[start:end]], sign) for start, end in spans)
    windows = tuple(Alone(text[start:end], start, end, values[text[start:end]]) for start, end in slid)
    return Parts(label, values[text], alone, windows, size, _says(alone, windows, values[text], label, sign))


def _sign(label: str, labels: Sequence[str]) -> int:
    """1 if the label is the positive one of a model of sentiment, −1 if the negative one, 0 for any other model."""
    plain = [one.casefold() for one in labels]
    if not any(one in GOOD for one in plain) or not any(one in BAD for one in plain):
        return 0
    return (label.casefold() in GOOD) - (label.casefold() in BAD)


def _word(text: str, start: int, end: int, shown: float, sign: int) -> Alone:
    known = valence(text) if sign else None
    return Alone(text, start, end, shown, known, known is not None and known * sign * (shown - EVEN) < 0)


def _says(words: Sequence[Alone], windows: Sequence[Alone], whole: float, label: str, sign: int) -> str:
    most, least = (choose(windows, key=lambda one: one.shown) for choose in (max, min))
    said = (
        "Each word, and each window of neighbouring words, was given to the model alone. For "
        f"{label} the windows reach from {least.shown:.3f} (“{least.text}”) to {most.shown:.3f} (“{most.text}”); the "
        f"whole text has {whole:.3f}."
    )
    if not sign:
        return said
    known = [one for one in words if one.valence is not None]
    differing = [f"“{one.text}”" for one in known if one.differs]
    listed = f"VADER's list of sentiment has {len(known)} of the {len(words)} words"
    if not differing:
        return f"{said} {listed}."
    return (
        f"{said} {listed}, and leans to the other side for {', '.join(dict.fromkeys(differing))}: a list has one value "
        "for a word, and the model was trained on whole texts."
    )
