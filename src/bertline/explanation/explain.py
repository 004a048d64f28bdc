"""From an input to the words that its answer rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bertline.bundle.engine import WORDS
from bertline.errors import UsageError
from bertline.explanation.faithful import Faithfulness, faithfulness
from bertline.explanation.found import Explanation, Part
from bertline.explanation.linear import linear
from bertline.explanation.methods import Shares, balanced, joined, leave_one_out, partition, shapley
from bertline.explanation.phrases import phrases
from bertline.explanation.question import Answering, Question, question
from bertline.explanation.settings import ExplainSettings
from bertline.explanation.value import OverBudget, Value
from bertline.explanation.words import sentences_of
from bertline.inference import TextClassifier
from bertline.text import Input
from bertline.text.reading import texts_of

LONG_WORDS = 60  # more, and sentences come first in the tree
OPENED = 0.8  # of the sentences' shares that opened sentences have together

Array = np.ndarray[Any, Any]


def explain(
    model: Answering,
    one: Input,
    settings: ExplainSettings,
    name: str | None = None,
    span: tuple[int, int] | None = None,
) -> Explanation:
    """The share of each word in one answer.

    Args:
        model: answers.
        one: the input.
        settings: method, removal and budget.
        name: the label to explain; None is the one that the model gives.
        span: of a tagger: the characters whose label is explained; None is the first entity (of that label).

    Raises:
        UsageError: as ``question``, the budget is too small for the input's words, or integrated gradients are asked
            of a server, of a tagger, of the engine words, or where PyTorch is not installed.
    """
    asked = question(model, one, name, span)
    error = None
    if settings.method == "integrated-gradients":
        shares, computed, error = _integrated(model, asked, settings)
    else:
        shares, computed = _shares(asked, settings)
    errors = np.full(len(asked.words), np.nan) if shares.errors is None else shares.errors
    together = None
    if settings.phrases:
        value = _value(asked, [[place] for place in range(len(asked.words))], settings, settings.budget)
        together = phrases(value, shares.words, sentences_of(asked.words, texts_of(asked.one)))
        computed += value.computed
    return Explanation(
        name=asked.name,
        span=asked.span,
        unit=asked.unit,
        value=shares.whole,
        shown=asked.shown(shares.whole),
        base=shares.base,
        words=tuple(map(Part.of, asked.words, shares.words, errors)),
        method=settings.method,
        removal=settings.removal,
        orders=shares.orders,
        answers=computed,
        cut_tokens=asked.cut_tokens,
        faithfulness=_measured(asked, settings, shares.words),
        completeness_error=error,
        phrases=together,
    )


def _integrated(model: Answering, asked: Question, settings: ExplainSettings) -> tuple[Shares, int, float]:
    if not isinstance(model, TextClassifier):
        raise UsageError(
            "integrated gradients need PyTorch, which a server does not use: run bertline explain, or choose another "
            "method"
        )
    if model.engine == WORDS:
        raise UsageError(
            f"integrated gradients are those of the encoder, and the engine {WORDS} answers without it: choose another "
            "method"
        )
    if asked.span is not None:
        raise UsageError("integrated gradients are for classifiers and rankers: choose another method")
    try:
        from bertline.explanation.gradients import integrated_gradients
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("torch", "safetensors"):
            raise
        raise UsageError(
            f"integrated gradients need PyTorch and {error.name} is not installed: pip install 'bertline[train]'"
        ) from None
    pieces = model.read_with_offsets(asked.one).pieces
    if len(pieces) > 1:
        raise UsageError(
            "the text is longer than what the model reads at a time, and integrated gradients are of one such part: "
            "give a shorter text, or choose another method"
        )
    found = integrated_gradients(
        model.directory,
        model.spec,
        model.tokenizer,
        pieces[0],
        asked.words,
        asked.name,
        baseline=settings.baseline,
        budget=settings.budget,
    )
    return found.shares, found.passes, found.completeness_error


def _shares(asked: Question, settings: ExplainSettings) -> tuple[Shares, int]:
    """The share of each word, and how many answers that took.

    Of a text that is too long for that, sentences get shares first, with a third of the budget, and then the words of
    those that matter.
    """
    sentences = sentences_of(asked.words, texts_of(asked.one))
    most = LONG_WORDS if settings.method == "partition" else settings.budget - 2  # each word is left out once
    try:
        if len(asked.words) <= most or len(sentences) < 3 or settings.method == "leave-one-out":
            value = _value(asked, [[place] for place in range(len(asked.words))], settings, settings.budget)
            return _by(asked, settings, value, sentences), value.computed
        return _by_sentence(asked, settings, sentences)
    except OverBudget:
        raise UsageError(
            f"a budget of {settings.budget:,} answers is too small for {len(asked.words):,} words: raise it, or give a "
            "shorter text"
        ) from None


def _value(asked: Question, groups: Sequence[Sequence[int]], settings: ExplainSettings, budget: int) -> Value:
    return Value(asked.sets, groups, removal=settings.removal, budget=budget)


def _by(asked: Question, settings: ExplainSettings, value: Value, sentences: Sequence[Sequence[int]]) -> Shares:
    if settings.method == "linear":
        return linear(value, asked.shown, seed=settings.seed)
    if settings.method == "leave-one-out":
        return leave_one_out(value)
    if settings.method == "partition":
        return partition(value, joined([balanced(words) for words in sentences]))
    return shapley(value, seed=settings.seed)


def _by_sentence(asked: Question, settings: ExplainSettings, sentences: Sequence[Sequence[int]]) -> tuple[Shares, int]:
    """Shares of sentences, and of the words in those that matter; in the others words share evenly.

    A sentence's words are compared while the rest of the text stays. What their shares lack of the sentence's is spread
    evenly over them, so that all words add up.
    """
    outer = _value(asked, sentences, settings, settings.budget // 3)
    whole = _by(asked, settings, outer, [[place] for place in range(len(sentences))])
    shares, errors = np.zeros(len(asked.words)), np.full(len(asked.words), np.nan)
    for share, own in zip(whole.words, sentences, strict=True):
        shares[own] = share / len(own)
    opened = _that_matter(whole.words)
    computed = outer.computed
    for number, sentence in enumerate(opened):
        own, budget = sentences[sentence], (settings.budget - computed) // (len(opened) - number)
        inner = _value(asked, [[place] for place in own], settings, budget)
        try:
            found = _by(asked, settings, inner, [range(len(own))])
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


def _measured(asked: Question, settings: ExplainSettings, shares: Array) -> Faithfulness | None:
    if settings.skip_faithfulness:
        return None
    return faithfulness(asked.sets, shares, asked.shown)
