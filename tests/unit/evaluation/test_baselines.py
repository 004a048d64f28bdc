from __future__ import annotations

import builtins
import json
from typing import Any

import numpy as np
import pytest

from bertline.errors import UsageError
from bertline.evaluation.baselines import STRENGTHS, majority, measure_baselines, tfidf

WORDS = (("dull", "slow", "bland"), ("bright", "swift", "warm"), ("odd", "strange", "weird"))


def written(count: int, labels: int = 2, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts of which one word in three tells the label."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, size=count)
    noise = rng.choice(["film", "story", "actor", "scene", "music"], size=(count, 2))
    return [f"{a} {rng.choice(WORDS[label])} {b}" for label, (a, b) in zip(truth, noise, strict=True)], truth


def test_the_majority_is_the_commonest_label_the_first_of_equals() -> None:
    assert majority(np.array([2, 1, 2, 0])) == 2
    assert majority(np.array([1, 0])) == 0


@pytest.mark.parametrize("labels", [2, 3])
def test_tfidf_learns_words(labels: int) -> None:
    texts, truth = written(60, labels, seed=1)
    found, strength = tfidf(*written(150, labels), *written(50, labels, seed=2), texts)
    assert (found == truth).all()
    assert found.dtype == np.int64
    assert strength in STRENGTHS


def test_of_equally_good_strengths_the_smallest_is_chosen() -> None:
    _, strength = tfidf(*written(150), *written(50, seed=2), ["dull film"])
    assert strength == STRENGTHS[0]


def test_without_validation_texts_the_strength_is_fixed() -> None:
    texts, truth = written(40, seed=1)
    found, strength = tfidf(*written(150), [], np.zeros(0, dtype=np.int64), texts)
    assert (found == truth).all()
    assert strength == STRENGTHS[1]


@pytest.mark.parametrize(
    ("texts", "truth"),
    [(["!!", "?", ":-)"], [0, 1, 1]), (["good film", "fine film"], [1, 1])],
    ids=["no words", "one label"],
)
def test_nothing_to_fit_is_answered_with_the_majority(texts: list[str], truth: list[int]) -> None:
    found, strength = tfidf(texts, np.array(truth), ["x"], np.array([0]), ["good film", "?"])
    assert found.tolist() == [1, 1]
    assert strength == 0


def test_a_label_without_training_texts_is_never_answered() -> None:
    found, _ = tfidf(*written(150, 2), ["odd film"], np.array([2]), ["odd film", "dull film"])
    assert set(found.tolist()) <= {0, 1}


def both(predicted: np.ndarray, truth: np.ndarray, texts: list[str]) -> tuple[Any, ...]:
    (train_texts, train_truth), (validation_texts, validation_truth) = written(150), written(50, seed=2)
    return measure_baselines(
        train_texts=train_texts,
        train_truth=train_truth,
        validation_texts=validation_texts,
        validation_truth=validation_truth,
        texts=texts,
        truth=truth,
        predicted=predicted,
        labels=("negative", "positive"),
    )


def test_baselines_are_compared_with_the_encoder_on_the_same_rows() -> None:
    texts, truth = written(80, seed=3)
    encoder = truth.copy()
    encoder[:40] = 1 - encoder[:40]  # right on half the rows
    commonest, words = both(encoder, truth, texts)
    assert commonest.name == "Majority class"
    assert commonest.detail.startswith("always “")
    assert commonest.macro_f1.value < commonest.accuracy.value
    assert words.accuracy.value == 1.0
    assert words.encoder_gain.accuracy.value == pytest.approx(-0.5)
    assert (words.encoder_gain.only_first, words.encoder_gain.only_second) == (0, 40)
    assert words.encoder_gain.verdict == -1
    json.dumps([one.to_json() for one in (commonest, words)], allow_nan=False)


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError) as caught:
        tfidf(*written(20), *written(5, seed=1), ["a film"])
    assert str(caught.value) == (
        "the TF-IDF baseline needs scikit-learn, which is not installed: pip install 'bertline[train]'"
    )
