"""From an input to the words that its answer rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bertline.errors import UsageError
from bertline.explanation.faithful import Faithfulness, faithfulness
from bertline.explanation.found import Explanation, Part
from bertline.explanation.methods import Shares, balanced, joined, leave_one_out, partition, shapley
from bertline.explanation.settings import ExplainSettings
from bertline.explanation.value import OverBudget, Value
from bertline.explanation.words import Word, sentences_of, words_of
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.text import Input, Reading, Tokenizer
from bertline.text.reading import texts_of

LONG_WORDS = 60  # more, and sentences come first
OPENED = 0.8  # of the sentences' shares that opened sentences have together

Array = np.ndarray[Any, Any]


class Answering(Protocol):
    """As ``inference.TextClassifier``."""

    spec: TaskSpec
    tokenizer: Tokenizer

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Array]]]:
        """What was read of each input, and the outputs of its pieces."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: an input with its words, and the scores of any others."""

    one: Input
    words: Sequence[Word]
    scores: Callable[[Sequence[Input]], Array]
    mask: str


def explain(model: Answering, one: Input, settings: ExplainSettings, name: str | None = None) -> Explanation:
    """The share of each word in one answer.

    Args:
        model: answers.
        one: the input.
        settings: method, removal and budget.
        name: the label to explain; None is the one that the model gives.

    Raises:
        UsageError: the task has no such answers, the label is unknown, the input has no word that the model reads, or
            the budget is too small for its words.
    """
    spec = model.spec
    if not task(spec.task).explains:
        raise UsageError(f"answers of the task {spec.task} cannot be explained: use a classifier or a ranker")
    seam = task(spec.task).explained
    readings, arrays = model.pieces([one], spec.output)
    (answer,) = task(spec.task).answer.answers(spec, arrays, readings)
    names = seam.names(spec, answer)
    if name is not None and name not in names:
        raise UsageError(f"the model has no label {name!r}: choose one of {', '.join(spec.labels)}")
    chosen = name or names[0]
    words = words_of(one, model.tokenizer)
    if not words:
        raise UsageError("the text has no word that the model reads: give one with letters or digits")

    def scores(inputs: Sequence[Input]) -> Array:
        found: Array = seam.scores(spec, model.pieces(inputs, spec.output)[1], chosen)
        return found

    asked = Asked(one, words, scores, model.tokenizer.mask)
    shares, computed = _shares(asked, settings)
    measured = _measured(asked, settings, shares.words, lambda score: float(seam.shown(spec, score)))
    errors = np.full(len(words), np.nan) if shares.errors is None else shares.errors
    return Explanation(
        name=chosen,
        unit=seam.unit(spec),
        value=shares.whole,
        shown=float(seam.shown(spec, shares.whole)),
        base=shares.base,
        words=tuple(map(Part.of, words, shares.words, errors)),
        method=settings.method,
        removal=settings.removal,
        orders=shares.orders,
        answers=computed,
        cut_tokens=readings[0].cut,
        faithfulness=measured,
    )


def _shares(asked: Asked, settings: ExplainSettings) -> tuple[Shares, int]:
    """The share of each word, and how many answers that took.

    Of a long text sentences get shares first, with a third of the budget, and then the words of those that matter.
    """
    sentences = sentences_of(asked.words, texts_of(asked.one))
    try:
        if len(asked.words) <= LONG_WORDS or len(sentences) < 3 or settings.method == "leave-one-out":
            value = _value(asked, [[word] for word in asked.words], settings, settings.budget)
            return _by(settings, value, sentences), value.computed
        return _by_sentence(asked, settings, sentences)
    except OverBudget:
        raise UsageError(
            f"a budget of {settings.budget:,} answers is too small for {len(asked.words):,} words: raise it, or give a "
            "shorter text"
        ) from None


def _value(asked: Asked, groups: Sequence[Sequence[Word]], settings: ExplainSettings, budget: int) -> Value:
    return Value(asked.one, groups, asked.scores, removal=settings.removal, mask=asked.mask, budget=budget)


def _by(settings: ExplainSettings, value: Value, sentences: Sequence[Sequence[int]]) -> Shares:
    if settings.method == "leave-one-out":
        return leave_one_out(value)
    if settings.method == "partition":
        return partition(value, joined([balanced(words) for words in sentences]))
    return shapley(value, seed=settings.seed)


def _by_sentence(asked: Asked, settings: ExplainSettings, sentences: Sequence[Sequence[int]]) -> tuple[Shares, int]:
    """Shares of sentences, and of the words in those that matter; in the others words share evenly.

    A sentence's words are compared while the rest of the text stays. What their shares lack of the sentence's is spread
    evenly over them, so that all words add up.
    """
    outer = _value(asked, [[asked.words[i] for i in own] for own in sentences], settings, settings.budget // 3)
    whole = _by(settings, outer, [[place] for place in range(len(sentences))])
    shares, errors = np.zeros(len(asked.words)), np.full(len(asked.words), np.nan)
    for share, own in zip(whole.words, sentences, strict=True):
        shares[own] = share / len(own)
    opened = _that_matter(whole.words)
    computed = outer.computed
    for number, sentence in enumerate(opened):
        own, budget = sentences[sentence], (settings.budget - computed) // (len(opened) - number)
        inner = _value(asked, [[asked.words[i]] for i in own], settings, budget)
        try:
            found = _by(settings, inner, [range(len(own))])
        except OverBudget:
            continue  # its words share evenly
        finally:
            computed += inner.computed
        shares[own] = found.words + (whole.words[sentence] - found.words.sum()) / len(own)
        if found.errors is not None:
            errors[own] = found.errors
    return Shares(shares, whole.base, whole.whole, errors, whole.orders), computed


def _that_matter(shares: Array) -> list[int]:
    """The sentences with the largest shares, which together have most of them."""
    order = np.argsort(-np.abs(shares), kind="stable")
    reached = np.cumsum(np.abs(shares[order]))
    count = int(np.searchsorted(reached, OPENED * reached[-1])) + 1
    return [int(one) for one in order[:count]]


def _measured(
    asked: Asked, settings: ExplainSettings, shares: Array, shown: Callable[[float], float]
) -> Faithfulness | None:
    if settings.skip_faithfulness:
        return None
    return faithfulness(asked.one, asked.words, asked.scores, shares, shown, asked.mask)
