"""Phrases of a model whose words and phrases have known weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bertline.explanation.explain import explain
from bertline.explanation.phrases import MOST_WORDS, Phrase, phrases
from bertline.explanation.settings import ExplainSettings, Method
from bertline.explanation.value import Value
from bertline.explanation.words import Word
from tests.unit.explanation.test_explain import LABELS, Weighing


class Weighed:
    """A set is worth the weights of the words in it, and those of the phrases that are wholly in it."""

    def __init__(self, count: int, weights: dict[tuple[int, ...], float]) -> None:
        self.words = [Word(f"w{place}", 0, 3 * place, 3 * place + 2) for place in range(count)]
        self.weights = weights

    def __call__(self, kept: Any, removal: str) -> Any:
        return np.array([sum(w for places, w in self.weights.items() if row[[*places]].all()) for row in kept])


def found(
    count: int,
    weights: dict[tuple[int, ...], float],
    *,
    budget: int = 500,
    sentences: Sequence[Sequence[int]] | None = None,
) -> tuple[tuple[Phrase, ...], Value]:
    sets = Weighed(count, weights)
    value = Value(sets, [[place] for place in range(count)], budget=budget)
    shares = np.array([sum(w for places, w in weights.items() if place in places) for place in range(count)])
    return phrases(value, shares, sentences or [range(count)]), value


def test_words_that_act_independently_are_no_phrase() -> None:
    assert found(9, {(1,): 2.0, (2,): -1.0, (7,): 0.5})[0] == ()


def test_a_phrase_is_exactly_what_its_words_do_together_and_alone() -> None:
    weights = {(0,): 1.0, (3,): -2.0, (5,): 0.5, (3, 5): 3.0, (7,): 0.25}
    ((phrase,), _) = found(9, weights)
    assert phrase.words == (3, 5)
    assert phrase.share == pytest.approx(-2.0 + 0.5 + 3.0, abs=1e-12)
    assert phrase.alone == pytest.approx((-2.0 + 3.0, 0.5 + 3.0), abs=1e-12)
    assert phrase.beyond == pytest.approx(-3.0, abs=1e-12)


def test_phrases_grow_and_the_largest_difference_comes_first() -> None:
    weights = {(1, 2): 1.0, (8, 9): 2.0, (8, 9, 10): 4.0, **{(place,): 0.1 for place in range(14)}}
    (several, _) = found(14, weights)
    assert [one.words for one in several] == [(8, 9, 10), (1, 2)]
    assert several[0].share == pytest.approx(6.3, abs=1e-12)
    (one,) = found(9, {tuple(range(9)): 1.0})[0][:1]
    assert len(one.words) == MOST_WORDS


def test_words_of_two_sentences_and_words_far_apart_are_no_phrase() -> None:
    assert found(6, {(2, 3): 1.0}, sentences=[range(3), range(3, 6)])[0] == ()
    assert found(9, {(1, 5): 1.0})[0] == ()
    assert [one.words for one in found(9, {(1, 4): 1.0})[0]] == [(1, 4)]


@pytest.mark.parametrize("budget", [0, 1, 8, 20, 60])
def test_the_budget_is_kept_and_the_strongest_words_come_first(budget: int) -> None:
    (several, value) = found(40, {(30, 31): 5.0, **{(place,): 0.1 for place in range(40)}}, budget=budget)
    assert value.computed <= budget
    assert [one.words for one in several] == ([(30, 31)] if budget >= 20 else [])


@pytest.mark.parametrize("method", ["linear", "shapley", "partition", "leave-one-out"])
def test_an_explanation_has_its_phrases_with_each_method(method: Method) -> None:
    model = Weighing(LABELS)
    text = "it is not a good film"
    settings = ExplainSettings(method=method, phrases=True, skip_faithfulness=True)
    one = explain(model, text, settings, "positive")
    assert model.asked == one.answers + 1
    assert one.phrases is not None
    (phrase,) = one.phrases
    assert one.text_of(phrase) == "not … good"
    assert (phrase.share, phrase.alone) == (-2.5, (-4.5, -2.0))
    assert one.to_json()["phrases"] == [
        {
            "text": "not … good",
            "words": [
                {"text": "not", "side": 0, "start": 6, "end": 9, "alone": -4.5},
                {"text": "good", "side": 0, "start": 12, "end": 16, "alone": -2.0},
            ],
            "share": -2.5,
            "beyond": 4.0,
        }
    ]
    without = settings.model_copy(update={"phrases": False})
    plain = explain(Weighing(LABELS), text, without, "positive")
    assert (plain.phrases, plain.words) == (None, one.words)
