"""What a probe is: a change to a text, and what must become of the answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from bertline.tasks.contract import TaskSpec

Texts = tuple[str, ...]
Group = Literal["typos", "writing", "names and numbers", "dialects", "additions", "opinion"]
Kind = Literal["invariance", "direction"]
Opinion = Literal["positive", "negative"]

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_NEGATIONS = """
no not never none nobody nothing nowhere neither nor cannot without hardly barely scarcely seldom rarely few little lack
lacks lacking
"""
NEGATIONS = frozenset(_NEGATIONS.split())


@dataclass(frozen=True, slots=True)
class Draw:
    """What a change is drawn with.

    Attributes:
        random: seeded by the probe and the text, so that a text is changed alike among others.
        known: whether the model's vocabulary has a word whole.
    """

    random: Random
    known: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Moved:
    """A changed text whose opinion is another.

    Attributes:
        texts: after the change.
        opinion: whose probability must not go the other way.
        moves: where it may go.
    """

    texts: Texts
    opinion: Opinion
    moves: Literal["up", "down"]


Change = Callable[[Texts, Draw], Texts | Moved | None]  # None: there is nothing to change


@dataclass(frozen=True, slots=True)
class Probe:
    """One way to change texts.

    Attributes:
        name: of its cases in a file for the gate.
        group: probes that belong together.
        about: what is changed, for people.
        change: the change.
        kind: what must become of the answer.
        likely: the truth surely stays the same, or (True) only likely.
        whole: the texts of a pair, or a query and its text, are changed together; otherwise a query stays as it is.
        pairs: also for models that read pairs, whose truth is how the two texts relate.
        numbers: also for models that predict a number.
    """

    name: str
    group: Group
    about: str
    change: Change
    kind: Kind = "invariance"
    likely: bool = False
    whole: bool = False
    pairs: bool = True
    numbers: bool = True

    def fits(self, spec: TaskSpec) -> bool:
        """Whether the probe says anything about a model."""
        if self.kind == "direction":
            return bool(opinions(spec)) and spec.reads == "text"
        if spec.task == "classify" and getattr(spec, "problem", "") == "number" and not self.numbers:
            return False
        return self.pairs or spec.reads != "pair"

    def changed(self, texts: Texts, spec: TaskSpec, draw: Draw) -> Texts | Moved | None:
        """The texts of an input after the change; None if there is nothing in them to change."""
        if spec.reads != "query" or self.whole:
            return self.change(texts, draw)
        found = self.change(texts[1:], draw)
        return found if found is None or isinstance(found, Moved) else (texts[0], *found)


def each(change: Callable[[str, Draw], str | None]) -> Change:
    """A change of one text, as one of every text that it can change."""

    def apply(texts: Texts, draw: Draw) -> Texts | None:
        found = [change(text, draw) for text in texts]
        if all(one is None for one in found):
            return None
        after = tuple(text if one is None else one for text, one in zip(texts, found, strict=True))
        return None if after == texts else after

    return apply


NAMES: dict[Opinion, tuple[str, ...]] = {"positive": ("positive", "pos"), "negative": ("negative", "neg")}


def opinions(spec: TaskSpec) -> dict[Opinion, str]:
    """The labels that stand for praise and blame; none if the model has no such labels.

    >>> from bertline.tasks.classify.spec import Spec
    >>> opinions(Spec(labels=("NEG", "NEUTRAL", "POS")))
    {'positive': 'POS', 'negative': 'NEG'}
    >>> opinions(Spec(labels=("sport", "money")))
    {}
    """
    if spec.task != "classify" or getattr(spec, "problem", "") != "single":
        return {}
    by_name = {label.strip().casefold(): label for label in spec.labels}
    found = {opinion: by_name[name] for opinion, names in NAMES.items() for name in names if name in by_name}
    return found if len(found) == len(NAMES) else {}


def like(word: str, other: str) -> str:
    """``other`` in the case of ``word``.

    >>> like("Colour", "color"), like("COLOUR", "color"), like("colour", "color")
    ('Color', 'COLOR', 'color')
    """
    if word.isupper() and len(word) > 1:
        return other.upper()
    return other[:1].upper() + other[1:] if word[:1].isupper() else other
