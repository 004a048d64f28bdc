"""The linear model of words: equal to scikit-learn's, refused where it is damaged, and the engine only on request."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from bertline.bundle import Manifest, load, writing
from bertline.bundle.engine import WORDS_FILE, Engine
from bertline.data.batching import pad
from bertline.errors import BundleError, UsageError
from bertline.evaluation.tfidf import LEAST_PAIRS, of_pieces
from bertline.inference import load_predictor
from bertline.inference.words_backend import WordsBackend, read_words
from bertline.statistics.activation import softmax
from bertline.testing.tiny import VOCABULARY, write_tiny_bundle

SPECIAL = (0, 2, 3, 4)
NAMES = ("negative", "neutral", "positive")


def ids_of(number: int, labels: int, seed: int) -> tuple[list[list[int]], list[str]]:
    """Pieces, of which some are more frequent in texts of one label, between [CLS] and [SEP]."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, size=number)
    texts = [
        [2, *np.where(rng.random(n) < 0.4, 10 + 3 * label + rng.integers(0, 3, n), rng.integers(5, 60, n)).tolist(), 3]
        for label, n in zip(truth, rng.integers(1, 30, size=number), strict=True)
    ]
    return texts, [NAMES[label] for label in truth]


def fitted(labels: int) -> tuple[WordsBackend, float]:
    texts, truth = ids_of(200, labels, seed=0)
    others, wanted = ids_of(100, labels, seed=1)
    found = of_pieces([pad(texts[:90], 0), pad(texts[90:], 0)], truth, [pad(others, 0)], wanted, NAMES, SPECIAL)
    assert found is not None
    return found


def terms_of(text: list[int]) -> list[str]:
    ids = text[1:-1]
    return [*map(str, ids), *(f"{a} {b}" for a, b in itertools.pairwise(ids))]


@pytest.mark.parametrize("labels", [2, 3])
def test_its_probabilities_are_those_of_scikit_learn(labels: int) -> None:
    model, strength = fitted(labels)
    texts, truth = ids_of(200, labels, seed=0)
    tests, _ = ids_of(50, labels, seed=2)
    tests += [[2, 3], [2, 70, 71, 3]]  # without a term that it knows
    every = TfidfVectorizer(analyzer=terms_of).fit(texts)
    frequent = TfidfVectorizer(analyzer=terms_of, min_df=LEAST_PAIRS).fit(texts)
    known = [term for term in every.vocabulary_ if " " not in term or term in frequent.vocabulary_]
    known.sort(key=lambda term: (" " in term, *map(int, term.split())))  # the regression depends a little on the order
    vectorizer = TfidfVectorizer(analyzer=terms_of, vocabulary=known, sublinear_tf=True)
    regression = LogisticRegression(C=strength, solver="liblinear", dual=True, max_iter=300, random_state=0)
    peer = OneVsRestClassifier(regression).fit(vectorizer.fit_transform(texts), truth)
    expected = np.zeros((len(tests), len(NAMES)))
    expected[:, [NAMES.index(one) for one in peer.classes_]] = peer.predict_proba(vectorizer.transform(tests))
    given = softmax(model.compute(pad(tests, 0)).astype(np.float64))
    assert len(model.terms.keys) == len(known)
    np.testing.assert_allclose(given, expected, atol=1e-5)
    assert (given.argmax(1) == expected.argmax(1)).all()


def test_of_the_texts_only_their_known_terms_count() -> None:
    """Padding, special ids and unknown pieces do not: an explanation hides words behind [MASK]."""
    model, _ = fitted(3)
    alone = model.compute(pad([[2, 10, 11, 3]], 0))
    for text in ([2, 10, 11, 80, 3], [2, 10, 11, 4, 3], [2, 10, 11, 3, 3]):
        longer = model.compute(pad([text, [2, *range(10, 40), 3]], 0))
        np.testing.assert_array_equal(longer[:1], alone)


def test_nothing_is_fitted_to_one_label_or_to_no_pieces() -> None:
    texts, _ = ids_of(20, 2, seed=0)
    one = [pad(texts, 0)]
    assert of_pieces(one, ["positive"] * 20, one, ["positive"] * 20, NAMES, SPECIAL) is None
    none = [pad([[2, 3]] * 20, 0)]
    assert of_pieces(none, ["positive", "negative"] * 10, one, ["positive"] * 20, NAMES, SPECIAL) is None


def test_of_too_many_terms_the_most_frequent_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = fitted(3)
    monkeypatch.setattr("bertline.evaluation.tfidf.KEPT_CELLS", 60)
    model, _ = fitted(3)
    assert len(model.terms.keys) == 20
    assert {*model.terms.keys.tolist()} < {*whole.terms.keys.tolist()}
    assert model.terms.idf.max() <= np.sort(whole.terms.idf)[19] + 1e-12


def test_it_gives_logits_alone() -> None:
    model, _ = fitted(2)
    assert model.outputs == {"logits"}
    with pytest.raises(BundleError) as caught:
        model.compute(pad([[2, 3]], 0), "embedding")
    assert str(caught.value) == (
        "the engine words has no embedding, only logits: use the encoder, without --engine words"
    )


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A bundle that keeps the model, its logits twice as large."""
    plain = tmp_path / "plain"
    write_tiny_bundle(plain, engine=True)
    bundle = load(plain)
    with writing(tmp_path / "kept", Manifest(**dict(bundle.manifest))) as staging:
        for path in bundle.manifest.files:
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            (staging / path).write_bytes((plain / path).read_bytes())
        fitted(3)[0].scaled(2.0).write(staging)
    return tmp_path / "kept"


def test_a_bundle_answers_with_it_on_request_only(kept: Path) -> None:
    assert load(kept).manifest.engine_names == ("fp32", "torch", "words")
    assert load_predictor(kept).engine == "fp32"
    predictor = load_predictor(kept, engine="words")
    assert predictor.engine == "words"
    texts = [" ".join(VOCABULARY[id_] for id_ in text[1:-1]) for text in ids_of(20, 3, seed=2)[0]]
    scores = predictor.score([*texts, ""])
    expected = fitted(3)[0].compute(pad([reading.pieces[0].ids for reading in scores.readings], 0))
    np.testing.assert_allclose(scores.logits, 2 * expected, rtol=1e-6)
    answer = predictor.predict(texts[:1])[0]
    assert list(answer.probabilities.values()) == pytest.approx(softmax(scores.logits[:1], 1.5)[0].tolist(), abs=1e-6)
    assert load_predictor(kept, engine="words", output="embedding").embed(texts[:1]).shape == (1, 32)


def test_a_bundle_without_it_says_so(kept: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_predictor(kept.with_name("plain"), engine="words")
    assert str(caught.value) == (
        f"{kept.with_name('plain')} has no engine words: it has fp32, torch; bertline train keeps the linear model of "
        "words where it is better than the encoder on the validation rows"
    )


def test_no_other_engine_may_have_its_name() -> None:
    other: Any = Engine(name="words", precision="fp32", file="engines/words.onnx")
    with pytest.raises(ValueError, match="no engine may be called words: that is the linear model of words"):
        Manifest(
            name="a", labels=NAMES, temperature=1.0, max_tokens=8, truncation="head", pooling="cls", engines=(other,)
        )


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_a_damaged_file_is_named(kept: Path, damage: bytes | None) -> None:
    file = kept / WORDS_FILE
    if damage is None:
        content = dict(np.load(file))
        np.savez(file, **{**content, "weights": content["weights"][:-1]})
    else:
        file.write_bytes(damage)
    with pytest.raises(BundleError, match=r"model\.npz is not a linear model of words \(.+\): write the bundle again"):
        read_words(kept)
    with pytest.raises(BundleError, match=r"words/model\.npz"):
        load_predictor(kept, engine="words")
