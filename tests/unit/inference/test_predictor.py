from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax as reference

from bertline.bundle import load
from bertline.data.batching import Batch
from bertline.errors import BundleError
from bertline.inference import Prediction, TextClassifier, load_predictor
from bertline.statistics.activation import softmax
from bertline.testing.tiny import TEXTS, tiny_tokenizer


class Counting:
    """A back end that knows no network: the logits of a row are made of its ids alone."""

    lanes, outputs = 1, frozenset({"logits"})

    def __init__(self, labels: int = 3, value: float | None = None) -> None:
        self.batches: list[Batch] = []
        self._labels = labels
        self._value = value

    def compute(self, batch: Batch, output: str = "logits", *, alone: bool = False) -> np.ndarray[Any, Any]:
        self.batches.append(batch)
        sums = (batch.ids * batch.attend).sum(axis=1, keepdims=True).astype(np.float32)
        if self._value is not None:
            sums[-1] = self._value
        return np.asarray(np.sin(sums * np.arange(1, self._labels + 1)), dtype=np.float32)


def classifier(bundle: Path, backend: Counting, batch_tokens: int = 2048) -> TextClassifier:
    return TextClassifier(load(bundle), tiny_tokenizer(), backend, batch_tokens=batch_tokens)


def test_it_agrees_with_the_bundle(bundle: Path) -> None:
    predictor = classifier(bundle, Counting())
    assert predictor.name == "tiny"
    assert predictor.version == load(bundle).manifest.checksum[:12]
    assert predictor.labels == ("negative", "neutral", "positive")
    assert predictor.max_tokens == 32
    assert classifier(bundle, Counting()).temperature == 1.5


def test_an_answer_has_every_label_and_reports_what_was_read(bundle: Path) -> None:
    predictions = classifier(bundle, Counting()).predict(TEXTS)
    assert len(predictions) == len(TEXTS)
    for one in predictions:
        assert list(one.probabilities) == ["negative", "neutral", "positive"]
        assert sum(one.probabilities.values()) == pytest.approx(1)
        assert one.label == max(one.probabilities, key=one.probabilities.__getitem__)
    assert [one.read_tokens for one in predictions[:4]] == [7, 6, 2, 32]
    assert predictions[2].cut_tokens == 0
    whole = classifier(bundle, Counting()).score([TEXTS[3]]).readings[0]
    assert predictions[3].cut_tokens == whole.cut > 30


def test_no_texts_give_no_answers(bundle: Path) -> None:
    backend = Counting()
    assert classifier(bundle, backend).predict([]) == []
    assert backend.batches == []


def test_probabilities_are_the_softmax_of_logits_over_temperature(bundle: Path) -> None:
    predictor = classifier(bundle, Counting())
    logits = predictor.score(TEXTS).logits
    found = [list(one.probabilities.values()) for one in predictor.predict(TEXTS)]
    assert load(bundle).manifest.temperature == 1.5
    np.testing.assert_allclose(found, reference(logits / 1.5, axis=1), rtol=1e-12)


@pytest.mark.parametrize("batch_tokens", [1, 40, 100, 10_000])
def test_order_is_preserved_and_batches_are_bounded(bundle: Path, batch_tokens: int) -> None:
    backend = Counting()
    texts = TEXTS * 5
    assert classifier(bundle, backend, batch_tokens).predict(texts) == (
        classifier(bundle, Counting()).predict(TEXTS) * 5
    )
    assert all(one.ids.size <= max(batch_tokens, one.ids.shape[1]) for one in backend.batches)
    assert sum(len(one.ids) for one in backend.batches) == len(texts)


def test_weights_with_another_number_of_labels_are_refused(bundle: Path) -> None:
    with pytest.raises(BundleError, match="tiny has 3 labels and its weights give 2 logits: train it again"):
        classifier(bundle, Counting(labels=2)).predict(["a"])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_damaged_weights_are_noticed(bundle: Path, value: float) -> None:
    with (
        pytest.raises(BundleError, match="the weights of tiny give a logit that is not a finite number"),
        np.errstate(invalid="ignore"),
    ):
        classifier(bundle, Counting(value=value)).predict(["a", "b"])


@given(
    st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), max_size=4),
    st.floats(0.05, 20),
)
def test_softmax_agrees_with_scipy(rows: list[list[float]], temperature: float) -> None:
    logits = np.array(rows, dtype=np.float32).reshape(-1, 3)
    expected = reference(logits.astype(np.float64) / temperature, axis=1)
    np.testing.assert_allclose(softmax(logits, temperature), expected, rtol=1e-9, atol=1e-12)


def test_top_is_sorted_and_ties_keep_the_bundles_order() -> None:
    one = Prediction("b", {"a": 0.3, "b": 0.4, "c": 0.3}, read_tokens=3, cut_tokens=0)
    assert one.top(2) == [("b", 0.4), ("a", 0.3)]
    assert [label for label, _ in one.top(9)] == ["b", "a", "c"]


def test_an_answer_does_not_depend_on_the_rest_of_its_batch(bundle: Path) -> None:
    predictor = load_predictor(bundle, device="cpu")
    together = predictor.score([*TEXTS, *reversed(TEXTS)]).logits
    alone = np.concatenate([predictor.score([text]).logits for text in TEXTS])
    assert np.ptp(alone, axis=0).min() > 0.1, "the texts must have different answers"
    np.testing.assert_allclose(together, np.concatenate([alone, alone[::-1]]), atol=1e-5)
