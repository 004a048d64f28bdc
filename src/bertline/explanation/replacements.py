"""The fewest words that, replaced by ones that a masked language model proposes, turn a classifier's answer.

Places are opened in the order of what the answer loses without their word. All proposals for all opened places are
tried alone; of those that turn the answer, the most fluent come first: those that the masked language model finds most
probable. If none does, pairs of proposals for two places are tried, those that look best first, as far as half of the
rest of the budget goes, and then up to five words one after another. Nothing is drawn at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod

import numpy as np

from bertline.explanation.changes import ChangedWord, Turn, changed
from bertline.explanation.judge import Judge, Verdict
from bertline.explanation.pairs import best_pairs
from bertline.explanation.proposals import Proposal, Proposals
from bertline.explanation.question import Array
from bertline.explanation.words import Word
from bertline.text import Input
from bertline.text.reading import texts_of

MOST_PROPOSALS, FEWEST_PROPOSALS = 20, 4  # for a place, by the budget
MOST_CHANGED = 5  # words: a text of which more are replaced is another text
PAIRED = 5  # proposals of a place that take part in pairs
AT_ONCE = 32  # pairs that are tried together
MOST_TURNS = 5  # that are given

Change = tuple[Proposal, ...]


@dataclass(frozen=True)
class Replacing:
    """One search.

    Attributes:
        one: the input.
        words: of it.
        judge: says what a change does to the answer.
        proposals: gives words.
        budget: most answers of both models together.
    """

    one: Input
    words: Sequence[Word]
    judge: Judge
    proposals: Proposals
    budget: int

    def turns(self, alone: Array) -> tuple[list[Turn], int]:
        """The best changes that turn the answer, and up to how many words every change was tried without success.

        Args:
            alone: the margin without each word.
        """
        places = [int(one) for one in np.argsort(alone, kind="stable") if _is_word(self.words[one])]
        if not places:
            return [], 0
        end = self._spent + self.budget
        half = self.budget // 2
        most = min(MOST_PROPOSALS, max(FEWEST_PROPOSALS, half // len(places) - 1))
        opened = places[: half // (most + 1)]
        proposed = [own for own in self.proposals.words_for(opened, most) if own]
        singles: list[Change] = [(one,) for own in proposed for one in own]
        margins = dict(zip(singles, [one.margin for one in self._tried(singles)], strict=True))
        turning = [one for one in singles if margins[one] < 0]
        if turning:
            turning.sort(key=lambda change: -change[0].probability)
            return [self._turn(one, (one[0].probability,)) for one in turning[:MOST_TURNS]], 0
        best = [sorted(own, key=lambda one: margins[(one,)])[:PAIRED] for own in proposed]
        found = self._pairs(best, margins, self._spent + (end - self._spent) // 2)
        if not found:
            found = self._one_by_one(sorted((own[0] for own in best), key=lambda one: margins[(one,)]), end)
        return found, int(len(opened) == len(places))

    @property
    def _spent(self) -> int:
        return self.judge.answers + self.proposals.asked

    def _after(self, change: Change) -> Input:
        return changed(self.one, self.words, {own.place: own.text for own in change})[0]

    def _tried(self, changes: Sequence[Change]) -> list[Verdict]:
        return self.judge([self._after(one) for one in changes])

    def _pairs(self, best: Sequence[Sequence[Proposal]], margins: dict[Change, float], end: int) -> list[Turn]:
        """Pairs of proposals for two places that turn the answer."""
        each = [one for own in best for one in own]
        found = ((each[one], each[other]) for one, other in best_pairs([margins[(one,)] for one in each]))
        pairs = (pair for pair in found if pair[0].place != pair[1].place)
        while some := [*islice(pairs, AT_ONCE)]:
            if self._spent + len(some) + 2 * MOST_TURNS > end:
                return []
            turning = [pair for pair, said in zip(some, self._tried(some), strict=True) if said.margin < 0]
            if turning:
                return self._ranked(turning)
        return []

    def _one_by_one(self, best: Sequence[Proposal], end: int) -> list[Turn]:
        """The best proposals of up to five places, one after another, less those that are not needed."""
        sizes = range(3, min(MOST_CHANGED, len(best)) + 1)
        if self._spent + len(sizes) + 2 * MOST_CHANGED > end:
            return []
        prefixes = [tuple(best[:size]) for size in sizes]
        turned = (change for change, said in zip(prefixes, self._tried(prefixes), strict=True) if said.margin < 0)
        change = next(turned, ())
        for own in reversed(change[:-1]):
            fewer = tuple(one for one in change if one is not own)
            if self._tried([fewer])[0].margin < 0:
                change = fewer
        return self._ranked([change]) if change else []

    def _ranked(self, turning: Sequence[Change]) -> list[Turn]:
        """Changes of several words, those first that the masked language model finds most probable as a whole."""
        likely = sorted(turning, key=lambda change: -prod(own.probability for own in change))[:MOST_TURNS]
        measured = list(zip(likely, self.proposals.probabilities(likely), strict=True))
        measured.sort(key=lambda pair: -prod(pair[1]))
        return [self._turn(change, shares) for change, shares in measured]

    def _turn(self, change: Change, shares: Sequence[float]) -> Turn:
        after = self._after(change)
        (said,) = self.judge([after])
        each = sorted(zip(change, shares, strict=True), key=lambda pair: pair[0].place)
        words = tuple(ChangedWord.of(self.words[own.place], own.text, share) for own, share in each)
        return Turn(words, texts_of(after), said.label, said.shown)


def _is_word(word: Word) -> bool:
    return any(one.isalnum() for one in word.text)
