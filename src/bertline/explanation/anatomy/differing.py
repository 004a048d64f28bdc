"""Where a lexicon of sentiment and the model differ on a word, and why: in sentences about numbers that are shown.

The list has one value for a word. Of the model there are three: what it says of the word alone, what the text loses
without the word, and what it would lose without it if another word were not there either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bertline.explanation.anatomy.plain import plain

GOOD, BAD = ("positive", "pos"), ("negative", "neg")
LITTLE = 0.02  # of the probability: a word that changes less leans to neither side
MUCH = 0.1  # from which a word that the list does not have matters to the model


@dataclass(frozen=True, slots=True)
class TurnedBy:
    """The word that turns another, and what the label has without it.

    Attributes:
        text: as it is written.
        start: of its characters in the text.
        end: after them.
        without: the label's probability without it.
        without_both: without it and the word that it turns.
    """

    text: str
    start: int
    end: int
    without: float
    without_both: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Sides:
    """The labels of a model of sentiment.

    Attributes:
        positive: its positive label.
        negative: its negative label.
        label: the one of these whose probability is shown.
    """

    positive: str
    negative: str
    label: str

    @property
    def sign(self) -> int:
        """1 if what is shown is of the positive label, else −1."""
        return 1 if self.label == self.positive else -1

    @property
    def other(self) -> str:
        """The one that is not shown."""
        return self.negative if self.sign == 1 else self.positive

    def named(self, leaning: float) -> str:
        """The label that a number leans to: above zero, the one that is shown."""
        return self.label if leaning > 0 else self.other


def sides_of(label: str, labels: Sequence[str]) -> Sides | None:
    """The labels of a model of sentiment; None for other models, and where the label is neither side's."""
    positive, negative = (next((one for one in labels if one.casefold() in names), None) for names in (GOOD, BAD))
    if positive is None or negative is None or label not in (positive, negative):
        return None
    return Sides(positive, negative, label)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of a word.

    Attributes:
        valence: in the list, −4 to 4; None if it is not there.
        alone: the label's probability of the word by itself.
        against: the other label's, likewise.
        whole: the label's probability of the text.
        without: of the text without the word; None if nothing is left.
        pieces: that the tokenizer makes of the word.
        turned_by: the word without which this one does what the list says; None if there is none, or none was sought.
        all_tried: all other words were, so that none is known to turn it if ``turned_by`` is None.
        window: the text and the probability of a window with the word that leans to the other side than the list.
        turns: words on which the list is right as soon as this one is gone.
    """

    valence: float | None
    alone: float
    against: float
    whole: float
    without: float | None
    pieces: tuple[str, ...]
    turned_by: TurnedBy | None = None
    all_tried: bool = False
    window: tuple[str, float] | None = None
    turns: tuple[str, ...] = ()

    def listed(self, sides: Sides) -> float:
        """The list's value, above zero if it is for the label that is shown; 0 if the list does not have the word."""
        return (self.valence or 0.0) * sides.sign

    @property
    def leaning(self) -> float:
        """What the word by itself leans to: above zero, the label that is shown; 0 if it leans to neither."""
        return self.alone - self.against if abs(self.alone - self.against) >= 2 * LITTLE else 0.0

    @property
    def effect(self) -> float:
        """What the label gains by the word in this text."""
        return 0.0 if self.without is None else self.whole - self.without

    def contradicts(self, sides: Sides) -> bool:
        """Whether the word alone is as in the list and its effect in the text is not."""
        listed = self.listed(sides)
        return listed * self.leaning > 0 and self.without is not None and not agrees(listed, self.effect)


def agrees(listed: float, effect: float) -> bool:
    """Whether an effect is large enough and to the side of the list."""
    return abs(effect) >= LITTLE and listed * effect > 0


def why(sight: Sight, sides: Sides) -> str | None:
    """How the list and the model differ on a word, and why; None if they do not."""
    listed = sight.listed(sides)
    if sight.valence is None:
        return _unlisted(sight, sides)
    if listed * sight.leaning < 0 or (not sight.leaning and not agrees(listed, sight.effect)):
        return _other_alone(sight, sides)
    return _other_here(sight, sides) if sight.contradicts(sides) else None


def _with_and_without(sight: Sight, sides: Sides) -> str:
    return f"{sides.label} has {sight.whole:.3f} with it and {sight.without:.3f} without it"


def _unlisted(sight: Sight, sides: Sides) -> str | None:
    if abs(sight.effect) < MUCH:
        return None
    said = f"The list does not have it. To the model it matters: {_with_and_without(sight, sides)}."
    return f"{said} It turns {_quoted(sight.turns)}." if sight.turns else said


def _other_alone(sight: Sight, sides: Sides) -> str:
    listed = sight.listed(sides)
    other = sides.named(-listed) if sight.leaning else "neither"
    said = (
        f"The list has it for {sides.named(listed)}, and the model, by itself, for {other} "
        f"({sides.label} {sight.alone:.3f})."
    )
    if len(sight.pieces) > 1:
        said += f" The model reads it in pieces: {' '.join(sight.pieces)}."
    if sight.without is None:
        return said
    if abs(sight.effect) < LITTLE:
        here = "In the text it changes little"
    elif listed * sight.effect > 0:
        here = "In the text it does what the list says"
    else:
        here = "In the text too" if sight.leaning else f"In the text it is for {sides.named(-listed)}"
    return f"{said} {here}: {_with_and_without(sight, sides)}."


def _other_here(sight: Sight, sides: Sides) -> str:
    listed, near = sight.listed(sides), sight.turned_by
    here = "it changes little" if abs(sight.effect) < LITTLE else "it is the other way round"
    said = (
        f"By itself it is for {sides.named(listed)} ({sides.label} {sight.alone:.3f}), as in the list. In the text "
        f"{here}: {_with_and_without(sight, sides)}."
    )
    if near is not None:
        return (
            f"{said} That is the doing of “{near.text}”: without that, {sides.label} has {near.without:.3f} with the "
            f"word and {near.without_both:.3f} without it."
        )
    if sight.window is not None:
        text, share = sight.window
        return (
            f"{said} The words beside it are enough for that: “{text}” by itself is for {sides.named(-listed)} "
            f"({sides.label} {share:.3f})."
        )
    if abs(sight.effect) < LITTLE:
        return f"{said} The other words are enough."
    return f"{said} No other word does that alone." if sight.all_tried else said


def _quoted(words: Sequence[str]) -> str:
    return " and ".join(f"“{one}”" for one in words)
