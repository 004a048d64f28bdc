from __future__ import annotations

import sys

import numpy as np
import pytest

from bertline.errors import UsageError
from bertline.evaluation.tfidf import ALPHAS, STRENGTHS, numbers, one_label, several_labels

WORDS = (("dull", "slow", "bland"), ("bright", "swift", "warm"), ("odd", "strange", "weird"))
NAMES = ("bad", "good", "strange")


def written(count: int, labels: int = 2, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of which one word in three tells the label."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, size=count)
    noise = rng.choice(["film", "story", "actor", "scene", "music"], size=(count, 2))
    texts = [f"{a} {rng.choice(WORDS[label])} {b}" for label, (a, b) in zip(truth, noise, strict=True)]
    return texts, [NAMES[label] for label in truth]


def sets(count: int, seed: int = 0) -> tuple[list[str], list[tuple[str, ...]]]:
    """Texts with a word for each of their labels."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for flags in rng.random((count, 3)) < [0.5, 0.3, 0.15]:
        own = [i for i in range(3) if flags[i]]
        texts.append(" ".join(["film", *(str(rng.choice(WORDS[i])) for i in own), "scene"]))
        labels.append(tuple(NAMES[i] for i in own))
    return texts, labels


@pytest.mark.parametrize("labels", [2, 3])
def test_it_learns_words(labels: int) -> None:
    texts, truth = written(60, labels, seed=1)
    answers, strength = one_label(*written(150, labels), *written(50, labels, seed=2), texts)
    assert answers == truth
    assert strength in STRENGTHS


def test_of_equally_good_strengths_the_smallest_is_chosen() -> None:
    _, strength = one_label(*written(150), *written(50, seed=2), ["dull film"])
    assert strength == STRENGTHS[0]


def test_without_validation_texts_the_strength_is_fixed() -> None:
    texts, truth = written(40, seed=1)
    answers, strength = one_label(*written(150), [], [], texts)
    assert answers == truth
    assert strength == STRENGTHS[1]


@pytest.mark.parametrize(
    ("texts", "truth"),
    [(["!!", "?", ":-)"], ["a", "b", "b"]), (["good film", "fine film"], ["b", "b"])],
    ids=["no words", "one label"],
)
def test_nothing_to_fit_is_answered_with_the_majority(texts: list[str], truth: list[str]) -> None:
    answers, strength = one_label(texts, truth, ["x"], ["a"], ["good film", "?"])
    assert answers == ["b", "b"]
    assert strength == 0


def test_a_label_without_training_texts_is_never_answered() -> None:
    answers, _ = one_label(*written(150, 2), ["odd film"], ["strange"], ["odd film", "dull film"])
    assert {*answers} <= {"bad", "good"}


def test_several_labels_are_learned_each_for_itself() -> None:
    texts, truth = sets(80, seed=1)
    answers, strength = several_labels(*sets(300), *sets(100, seed=2), texts)
    assert np.mean([{*one} == {*other} for one, other in zip(answers, truth, strict=True)]) > 0.95
    assert strength in STRENGTHS


def test_a_label_on_every_text_or_on_none_is_constant() -> None:
    texts, truth = sets(60)
    answers, _ = several_labels(texts, [(*one, "all") for one in truth], *sets(20, seed=2), ["film", "odd dull scene"])
    assert all("all" in one for one in answers)
    assert several_labels(["?", "!"], [("a",), ()], [], [], ["film"]) == ([("a",)], 0.0)
    assert several_labels(["film", "scene"], [(), ()], [], [], ["film"]) == ([()], 0.0)


def test_numbers_are_learned_from_words() -> None:
    value = {"bad": 1.0, "good": 5.0, "strange": 3.0}
    train, validation, test = (written(150, 3), written(50, 3, seed=2), written(40, 3, seed=1))
    pairs = [(texts, [value[one] for one in labels]) for texts, labels in (train, validation, test)]
    answers, alpha = numbers(*pairs[0], *pairs[1], pairs[2][0])
    assert np.abs(np.array(answers) - pairs[2][1]).mean() < 0.4
    assert alpha in ALPHAS
    assert numbers(["a", "b"], [2.0, 2.0], [], [], ["a"]) == ([2.0], 0.0)


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(UsageError) as caught:
        one_label(*written(20), *written(5, seed=1), ["a film"])
    assert str(caught.value) == (
        "the TF-IDF baseline needs scikit-learn, which is not installed: pip install 'bertline[train]'"
    )
