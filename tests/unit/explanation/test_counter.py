"""The fewest words, against all sets of words that there are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline.errors import UsageError
from bertline.explanation.counter import NO_FILLER, counter_evidence
from bertline.explanation.settings import ExplainSettings
from bertline.explanation.words import without, words_of
from bertline.inference import load_predictor
from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import random_texts, tiny_tokenizer, write_tiny_bundle
from bertline.text import Input, Reading


class Counting:
    """Favourable from two words "good" on, or where "so" and "is" are both there."""

    def __init__(self, spec: Spec) -> None:
        self.spec, self.tokenizer, self.asked = spec, tiny_tokenizer(), 0

    def pieces(self, texts: Sequence[Input], output: str) -> tuple[list[Reading], list[list[Any]]]:
        self.asked += len(texts)
        words = [str(one).split() for one in texts]
        logits = [max(own.count("good") - 1.5, 0.5 if {"so", "is"} <= {*own} else -1.0) for own in words]
        return [Reading([], 5, input=one) for one in texts], [[np.array([0.0, one])] for one in logits]


LABELS = Spec(labels=("negative", "positive"))


@pytest.mark.parametrize(
    ("text", "fewest"),
    [("a good good film", 1), ("good good good film", 2), ("good good good good film", 3), ("it is so good", 1)],
)
def test_the_fewest_words_that_turn_the_label(text: str, fewest: int) -> None:
    model = Counting(LABELS)
    found = counter_evidence(model, text, ExplainSettings())
    assert (found.label, found.turned, len(found.words)) == ("positive", "negative", fewest)
    assert {word.text for word in found.words} <= {"good", "is", "so"}
    assert found.shown > 0.5
    assert found.least
    assert found.ruled_out == fewest - 1
    assert found.answers == model.asked
    assert found.to_json()["least"] is True
    assert (found.how, found.why, found.proposals) == ("delete", NO_FILLER, 0)


def test_a_change_that_is_not_shown_to_be_the_least() -> None:
    found = counter_evidence(Counting(LABELS), "good " * 9 + "film", ExplainSettings(budget=60))
    assert (len(found.words), found.ruled_out, found.least) == (8, 1, False)


def test_where_nothing_turns_it() -> None:
    found = counter_evidence(Counting(LABELS), "a film", ExplainSettings())
    assert (found.label, found.turned, found.words, found.ruled_out) == ("negative", "negative", (), 2)
    assert not found.least


def test_who_has_no_counter_evidence() -> None:
    numbers = Counting(Spec(problem="number", labels=("stars",)))
    with pytest.raises(UsageError, match="counter-evidence is for classifiers that give labels: leave it out"):
        counter_evidence(numbers, "good", ExplainSettings())
    with pytest.raises(UsageError, match="the model has no label 'great': choose one of negative, positive"):
        counter_evidence(Counting(LABELS), "good", ExplainSettings(), name="great")
    with pytest.raises(UsageError, match=r"a budget of 8 answers is too small for 20 words: raise it"):
        counter_evidence(Counting(LABELS), "good " * 20, ExplainSettings(budget=8))
    with pytest.raises(UsageError, match="no word that the model reads"):
        counter_evidence(Counting(LABELS), " ", ExplainSettings())


def test_a_long_text_is_refused_before_its_changes_are_in_memory() -> None:
    text = "good " * 3_000
    tracemalloc.start()
    with pytest.raises(UsageError, match=r"a budget of 200 answers is too small for 3,000 words: raise it"):
        counter_evidence(Counting(LABELS), text, ExplainSettings(budget=200))
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 8_000_000, "a flag for each word of each change would be nine million, twice"


def test_no_smaller_change_turns_a_real_network(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "b", engine=True)
    predictor = load_predictor(tmp_path / "b")
    turned = 0
    for text in [one for one in random_texts(40, seed=3) if 3 <= len(one.split()) <= 9]:
        found = counter_evidence(predictor, text, ExplainSettings())
        words = words_of(text, predictor.tokenizer)
        sets = [set(some) for size in range(found.ruled_out + 1) for some in combinations(range(len(words)), size)]
        texts = [without(text, words, [i not in some for i in range(len(words))], "delete", "[MASK]") for some in sets]
        assert {answer.label for answer in predictor.predict(texts)} == {found.label}
        if found.words:
            turned += 1
            assert predictor.predict([found.texts[0]])[0].label == found.turned != found.label
    assert turned >= 2
