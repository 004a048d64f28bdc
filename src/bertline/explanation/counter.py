"""Counter-evidence: the smallest change of words that turns a classifier's answer.

With a masked language model, words are replaced by ones that it proposes (``replacements``); without one, or where no
replacement turns the answer, they are left out (``deletions``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bertline.errors import UsageError
from bertline.explanation.changes import ChangedWord, Counter, Turn
from bertline.explanation.deletions import fewest, without
from bertline.explanation.judge import Judge
from bertline.explanation.proposals import Proposals
from bertline.explanation.question import Answering
from bertline.explanation.replacements import MOST_CHANGED, Replacing
from bertline.explanation.sets import TextSets
from bertline.explanation.settings import ExplainSettings, Removal
from bertline.explanation.value import OverBudget, Value
from bertline.explanation.words import Word, words_of
from bertline.text import Input
from bertline.text.reading import texts_of

LEFT_OUT = "Words are left out and not replaced, because"
NO_FILLER = f"{LEFT_OUT} no masked language model was given."
NONE_TRIED = f"{LEFT_OUT} no word could be replaced within the budget."
NONE_TURNS = f"{LEFT_OUT} no replacement of up to {MOST_CHANGED} words that was tried turned the answer."


def counter_evidence(
    model: Answering,
    one: Input,
    settings: ExplainSettings,
    *,
    filler: Answering | None = None,
    name: str | None = None,
) -> Counter:
    """Find the smallest change of words with which the answer is another one.

    Args:
        model: a classifier that gives one label or several.
        one: the input.
        settings: removal, and budget: most answers of both models together.
        filler: a masked language model that proposes words; None leaves words out.
        name: of several labels, the one that the input shall lose or get; None is the most probable one.

    Raises:
        UsageError: the model gives no labels, ``filler`` fills in no words, the input has a [MASK] of its own beside
            ``filler``, or no word that the model reads, or the budget is too small to leave out each word once.
    """
    judge = Judge(model, one, name)
    words = words_of(one, model.tokenizer)
    if not words:
        raise UsageError("the text has no word that the model reads: give one with letters or digits")
    proposals = None if filler is None else Proposals(filler, one, words)
    sets = TextSets(one, words, judge.margins, model.tokenizer.mask)
    value = Value(sets, [[place] for place in range(len(words))], removal=settings.removal, budget=settings.budget - 1)
    try:
        value.check(len(words))
        turns, ruled_out = ([], 0) if proposals is None else _replaced(one, words, judge, proposals, value)
        replaced = bool(turns)
        if not replaced:
            turns, ruled_out = _left_out(sets, judge, value, settings.removal)
    except OverBudget:
        raise UsageError(
            f"a budget of {settings.budget:,} answers is too small for {len(words):,} words: raise it, or give a "
            "shorter text"
        ) from None
    return Counter(
        label=judge.first.label,
        how="replace" if replaced else settings.removal,
        before=texts_of(one),
        first=turns[0],
        others=tuple(turns[1:]),
        ruled_out=ruled_out,
        why=None if replaced else _why(proposals),
        answers=judge.answers,
        proposals=0 if proposals is None else proposals.asked,
    )


def _replaced(
    one: Input, words: Sequence[Word], judge: Judge, proposals: Proposals, value: Value
) -> tuple[list[Turn], int]:
    """Changes with other words, the best first, and up to how many words were ruled out; ``value`` pays for them."""
    alone = value(~np.eye(len(words), dtype=bool))
    before = judge.answers
    found = Replacing(one, words, judge, proposals, value.left).turns(alone)
    value.budget -= judge.answers - before + proposals.asked
    return found


def _left_out(sets: TextSets, judge: Judge, value: Value, removal: Removal) -> tuple[list[Turn], int]:
    """The change that leaves the fewest words out, none if it was not found; and up to how many were ruled out."""
    gone, ruled_out = fewest(value)
    after = sets.input_of(without(len(sets.words), gone), removal)
    (said,) = judge([after])
    words = tuple(ChangedWord.of(sets.words[place]) for place in sorted(gone))
    return [Turn(words, texts_of(after), said.label, said.shown)], ruled_out


def _why(proposals: Proposals | None) -> str:
    if proposals is None:
        return NO_FILLER
    return NONE_TURNS if proposals.asked else NONE_TRIED
