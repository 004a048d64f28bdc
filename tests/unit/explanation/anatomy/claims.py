"""Whether each claim of why a lexicon and a model differ on a word holds for the numbers that are shown."""

from __future__ import annotations

import re
from collections.abc import Callable

from bertline.explanation.anatomy.differing import LITTLE, MUCH, Sides, sides_of
from bertline.explanation.anatomy.parts import Alone, Parts

Pair = Callable[..., float]  # the label's probability of the text without the words at some places


def check(found: Parts, labels: tuple[str, ...], pair: Pair | None = None) -> list[str]:
    """Check every word; the reasons."""
    sides = sides_of(found.label, labels)
    assert sides is not None
    for place, word in enumerate(found.words):
        if word.why is None:
            assert_they_agree(found, word, (word.valence or 0.0) * sides.sign)
        else:
            _Claims(found, word, place, sides, pair).check()
    return [word.why for word in found.words if word.why is not None]


def assert_they_agree(found: Parts, word: Alone, listed: float) -> None:
    """The word alone and its effect are as in the list; or the list does not have it, and it matters little."""
    assert word.against is not None
    effect = None if word.without is None else found.whole - word.without
    if word.valence is None:
        assert effect is None or abs(effect) < MUCH
    else:
        neither = abs(word.shown - word.against) < 2 * LITTLE
        assert neither or listed * (word.shown - word.against) > 0
        assert (effect is None and not neither) or (listed * effect > 0 and abs(effect) >= LITTLE)


class _Claims:
    """The sentences about one word, each of which is read, and none is left over."""

    def __init__(self, found: Parts, word: Alone, place: int, sides: Sides, pair: Pair | None) -> None:
        self.found, self.word, self.place, self.label, self.pair = found, word, place, sides.label, pair
        self.listed = (word.valence or 0.0) * sides.sign
        self.side, self.other = sides.named(self.listed), sides.named(-self.listed)

    def check(self) -> None:
        left = self.word.why or ""
        for pattern, holds in self.patterns():
            read = re.match(pattern, left)
            if read:
                holds(self, *read.groups())
                left = left[read.end() :].lstrip()
        assert left == "", f"a claim that nothing checks: {left}"

    def patterns(self) -> list[tuple[str, Callable[..., None]]]:
        """Sentences in their order, each with what checks it."""
        share = r"(\d\.\d{3})"
        both = rf"{self.label} has {share} with it and {share} without it\."
        kind = type(self)
        return [
            (rf"The list does not have it\. To the model it matters: {both}", kind.unlisted),
            (r"It turns (.*)\.", kind.turns),
            (rf"The list has it for (\w+), and the model, by itself, for (\w+) \({self.label} {share}\)\.", kind.alone),
            (r"The model reads it in pieces: (.*?)\.(?= In the|$)", kind.pieces),
            (rf"By itself it is for (\w+) \({self.label} {share}\), as in the list\.", kind.as_listed),
            (rf"In the text (.*?): {both}", kind.here),
            (
                rf"That is the doing of “(.*)”: without that, {self.label} has {share} with the word and {share} "
                r"without it\.",
                kind.doing,
            ),
            (
                rf"The words beside it are enough for that: “(.*)” by itself is for (\w+) \({self.label} {share}\)\.",
                kind.window,
            ),
            (r"The other words are enough\.", kind.enough),
            (r"No other word does that alone\.", kind.none),
        ]

    @property
    def effect(self) -> float:
        assert self.word.without is not None
        return self.found.whole - self.word.without

    def numbers(self, whole: str, without: str) -> None:
        assert (whole, without) == (f"{self.found.whole:.3f}", f"{self.word.without:.3f}")

    def unlisted(self, whole: str, without: str) -> None:
        assert self.word.valence is None
        assert abs(self.effect) >= MUCH
        self.numbers(whole, without)

    def turns(self, words: str) -> None:
        for one in re.findall("“(.*?)”", words):
            of = [other.turned_by for other in self.found.words if other.text == one]
            assert any(near is not None and near.start == self.word.start for near in of)

    def alone(self, side: str, other: str, share: str) -> None:
        assert (side, share) == (self.side, f"{self.word.shown:.3f}")
        assert self.word.against is not None
        leaning = self.word.shown - self.word.against
        neither = abs(leaning) < 2 * LITTLE
        assert other == ("neither" if neither else self.other)
        assert neither or self.listed * leaning < 0

    def pieces(self, pieces: str) -> None:
        assert tuple(pieces.split()) == self.word.pieces
        assert len(self.word.pieces) > 1

    def as_listed(self, side: str, share: str) -> None:
        assert (side, share) == (self.side, f"{self.word.shown:.3f}")
        assert self.word.against is not None
        assert self.listed * (self.word.shown - self.word.against) > 0
        assert abs(self.word.shown - self.word.against) >= 2 * LITTLE

    def here(self, said: str, whole: str, without: str) -> None:
        self.numbers(whole, without)
        little, agrees = abs(self.effect) < LITTLE, self.listed * self.effect > 0
        assert self.word.against is not None
        neither = abs(self.word.shown - self.word.against) < 2 * LITTLE
        assert {
            "it changes little": little,
            "it is the other way round": not little and not agrees,
            "too": not little and not agrees and not neither,
            f"it is for {self.other}": not little and not agrees and neither,
            "it does what the list says": not little and agrees,
        }[said]

    def doing(self, text: str, without: str, both: str) -> None:
        near = self.word.turned_by
        assert near is not None
        assert (text, without, both) == (near.text, f"{near.without:.3f}", f"{near.without_both:.3f}")
        assert self.listed * (near.without - near.without_both) > 0
        assert abs(near.without - near.without_both) >= LITTLE
        assert near.start != self.word.start

    def window(self, text: str, side: str, share: str) -> None:
        around = [one for one in self.found.windows if one.start <= self.word.start and self.word.end <= one.end]
        one = next(one for one in around if one.text == text)
        assert (side, share) == (self.other, f"{one.shown:.3f}")
        assert one.against is not None
        assert self.listed * (one.shown - one.against) < 0

    def none(self) -> None:
        assert self.word.turned_by is None
        assert self.pair is not None, "the claim is about texts that are not shown: give what the model says of them"
        for other in range(len(self.found.words)):
            if other != self.place:
                effect = self.pair(other) - self.pair(self.place, other)
                assert self.listed * effect <= 0 or abs(effect) < LITTLE

    def enough(self) -> None:
        assert abs(self.effect) < LITTLE
