"""Counter-evidence: the fewest words without which a classifier gives another label.

Single words are all tried, then pairs, those that look best first, as far as the budget goes. The first change that
turns the label is thus one of the fewest words, unless the budget ended before; then more words go one by one, those
with the largest effect first, and come back where the label stays turned without them. The result says how few words
were ruled out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from bertline.errors import UsageError
from bertline.explanation.question import Answering, Array
from bertline.explanation.sets import TextSets
from bertline.explanation.settings import ExplainSettings
from bertline.explanation.value import OverBudget, Value
from bertline.explanation.words import Word, words_of
from bertline.tasks import task
from bertline.text import Input
from bertline.text.reading import texts_of

AT_ONCE = 32  # pairs that are computed together


@dataclass(frozen=True, slots=True)
class Counter:
    """A change that turns the answer.

    Attributes:
        label: of the text.
        words: without which it turns; none if no such change was found.
        texts: without these words.
        turned: the label then; ``label`` if no change was found.
        shown: its probability.
        ruled_out: changes of up to so many words leave the label: they were all tried.
        answers: of the model that it took.
    """

    label: str
    words: tuple[Word, ...]
    texts: tuple[str, ...]
    turned: str
    shown: float
    ruled_out: int
    answers: int

    @property
    def least(self) -> bool:
        """Whether no change of fewer words turns the label."""
        return bool(self.words) and len(self.words) == self.ruled_out + 1

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        words = [{"text": one.text, "side": one.side, "start": one.start, "end": one.end} for one in self.words]
        return {
            "label": self.label,
            "words": words,
            "texts": list(self.texts),
            "turned": self.turned,
            "shown": self.shown,
            "ruled_out": self.ruled_out,
            "least": self.least,
            "answers": self.answers,
        }


def counter_evidence(model: Answering, one: Input, settings: ExplainSettings) -> Counter:
    """Find the fewest words without which the label is another one.

    Args:
        model: a classifier that gives one label.
        one: the input.
        settings: removal and budget.

    Raises:
        UsageError: the model gives no single label, the input has no word that it reads, or the budget is too small to
            leave out each word once.
    """
    spec = model.spec
    if spec.task != "classify" or getattr(spec, "problem", "") != "single" or len(spec.labels) < 2:
        raise UsageError("counter-evidence is for classifiers that give one of several labels: leave it out")
    seam = task(spec.task).explained
    label = str(_answer(model, one).label)
    words = words_of(one, model.tokenizer)
    if not words:
        raise UsageError("the text has no word that the model reads: give one with letters or digits")

    def margins(inputs: Sequence[Input]) -> Array:
        found: Array = seam.margins(spec, model.pieces(inputs, spec.output)[1], label)
        return found

    sets = TextSets(one, words, margins, model.tokenizer.mask)
    value = Value(sets, [[place] for place in range(len(words))], removal=settings.removal, budget=settings.budget)
    try:
        gone, ruled_out = _fewest(value)
    except OverBudget:
        raise UsageError(
            f"a budget of {settings.budget:,} answers is too small for {len(words):,} words: raise it, or give a "
            "shorter text"
        ) from None
    changed = sets.input_of(_without(len(words), gone), settings.removal)
    after = _answer(model, changed)
    turned = str(after.label)
    return Counter(
        label=label,
        words=tuple(words[place] for place in gone),
        texts=texts_of(changed),
        turned=turned,
        shown=float(after.probabilities[turned]),
        ruled_out=ruled_out,
        answers=value.computed + 2,
    )


def _answer(model: Answering, one: Input) -> Any:
    readings, arrays = model.pieces([one], model.spec.output)
    (answer,) = task(model.spec.task).answer.answers(model.spec, arrays, readings)
    return answer


def _without(words: int, gone: Sequence[int]) -> np.ndarray[Any, Any]:
    kept = np.ones(words, dtype=bool)
    kept[list(gone)] = False
    return kept


def _fewest(value: Value) -> tuple[list[int], int]:
    """The words to leave out, and up to how many words every change was tried without success.

    Raises:
        OverBudget: not even each word alone could be left out.
    """
    words = len(value)
    alone = value(~np.eye(words, dtype=bool))
    if alone.min() < 0:
        return [int(alone.argmin())], 0
    order = np.argsort(alone, kind="stable")
    pair, all_tried = _pair(value, alone)
    if pair is not None:
        return pair, 1
    return _one_by_one(value, order.tolist()), min(2, words) if all_tried else 1


def _pair(value: Value, alone: Array) -> tuple[list[int] | None, bool]:
    """A pair that turns the label, and whether all were tried; a part of the budget is left for longer changes."""
    words = len(value)
    pairs = sorted(combinations(range(words), 2), key=lambda pair: (alone[pair[0]] + alone[pair[1]], pair))
    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        if value.left < len(some) + 2 * words:
            return None, False
        margins = value(np.stack([_without(words, pair) for pair in some]))
        if margins.min() < 0:
            return list(some[int(margins.argmin())]), False
    return None, True


def _one_by_one(value: Value, order: Sequence[int]) -> list[int]:
    """Words left out one after another until the label turns, less those not needed; none if it never turns."""
    words = len(order)
    prefixes = np.stack([_without(words, order[:size]) for size in range(1, words + 1)])
    if value.left < words:
        return []
    turned = np.flatnonzero(value(prefixes) < 0)
    gone = list(order[: int(turned[0]) + 1]) if len(turned) else []
    for place in reversed(gone[:-1]):
        fewer = [one for one in gone if one != place]
        if value.left and value(_without(words, fewer)[None])[0] < 0:
            gone = fewer
    return gone
