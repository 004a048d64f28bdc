"""Windows made of numbers: what changed is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bertline.lifecycle.drift import language
from bertline.lifecycle.drift.compare import compare
from bertline.lifecycle.drift.properties import LENGTH
from bertline.lifecycle.drift.window import Window


@pytest.fixture(autouse=True)
def no_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_identifier", lambda: None)


NAMES = ("bad", "good")
LABELS = ["good" if one % 2 else "bad" for one in range(400)]


def window(labels: list[str], seed: int, *, foreign: int = 0, length: float = 20.0) -> Window:
    """Embeddings near one point per label, answers that follow them; the last ``foreign`` texts lie elsewhere."""
    rng = np.random.default_rng(seed)
    good = np.array([one == "good" for one in labels])
    embeddings = rng.normal(size=(len(labels), 6))
    embeddings[:, 0] += np.where(good, 2.0, -2.0)
    if foreign:
        embeddings[-foreign:, 3] += 3.0
    answers = 1 / (1 + np.exp(-2 * embeddings[:, 0]))
    texts = [f"text {place}" for place in range(len(labels))]
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    lengths = rng.poisson(length, len(labels)).astype(float)
    return Window(texts, range(1, len(labels) + 1), {"good": answers}, unit.astype(np.float32), {LENGTH: lengths})


REFERENCE = window(LABELS, 0)


def test_texts_from_the_same_source() -> None:
    found = compare(REFERENCE, window(LABELS[:200], 1), LABELS, NAMES)
    assert (found.kind, found.found) == ("none", ())
    assert [one.name for one in found.tests] == ["answers", "embeddings", "classifier", "properties"]
    assert all(one.adjusted >= one.p for one in found.tests)


def test_false_alarms_of_the_family_are_as_rare_as_stated() -> None:
    """40 windows at 20 %: at most three standard errors more. More of them: make bench ONLY=drift."""
    alarms = sum(compare(REFERENCE, window(LABELS[:60], seed), level=0.2).kind != "none" for seed in range(40))
    assert alarms <= 8 + 7


def test_other_shares_of_the_labels_are_told_from_other_texts() -> None:
    found = compare(REFERENCE, window(["good"] * 160 + ["bad"] * 40, 4), LABELS, NAMES)
    assert found.kind == "labels"
    assert found.prior is not None
    assert found.prior.labels == ("bad", "good")
    assert found.prior.before == (0.5, 0.5)
    good = found.prior.after[1]
    assert good.low < 0.8 < good.high
    assert good.value == pytest.approx(0.8, abs=0.05)


def test_foreign_texts_are_found_and_named() -> None:
    found = compare(REFERENCE, window(LABELS[:200], 1, foreign=40), LABELS, NAMES)
    assert found.kind == "texts"
    assert {"embeddings", "classifier"} <= {one.name for one in found.found}
    places = [one.place for one in found.foreign]
    assert sum(place > 160 for place in places[:10]) >= 8
    assert found.foreign[0].text == f"text {places[0] - 1}"


def test_longer_texts_are_named() -> None:
    found = compare(REFERENCE, window(LABELS[:200], 1, length=26.0), LABELS, NAMES)
    (test,) = found.found
    assert test.name == "properties"
    assert (test.changes[0].name, test.changes[0].p) == (LENGTH, 0.002)


def test_accuracy_is_estimated_by_rows_that_chose_nothing() -> None:
    whole = compare(REFERENCE, window(LABELS[:200], 1), LABELS, NAMES)
    tested = compare(REFERENCE, window(LABELS[:200], 1), LABELS, NAMES, tested=100)
    few = compare(REFERENCE, window(LABELS[:200], 1), LABELS, NAMES, tested=10)
    assert whole.accuracy is not None
    assert tested.accuracy is not None
    assert few.accuracy is None
    right = (REFERENCE.answers["good"] > 0.5) == np.array([one == "good" for one in LABELS])
    assert whole.accuracy.reference == pytest.approx(right.mean())
    assert tested.accuracy.reference == pytest.approx(right[:100].mean())


def test_a_model_without_answers_is_compared_by_its_texts() -> None:
    reference, new = (
        Window(one.inputs, one.places, {}, one.embeddings, one.properties)
        for one in (REFERENCE, window(LABELS[:200], 1, foreign=60))
    )
    found = compare(reference, new)
    assert [one.name for one in found.tests] == ["embeddings", "classifier", "properties"]
    assert (found.kind, found.prior, found.accuracy) == ("texts", None, None)


def test_rows_of_labels_that_the_model_does_not_know_are_wrong() -> None:
    found = compare(REFERENCE, window(LABELS[:200], 1), ["odd", *LABELS[1:]], NAMES)
    assert found.accuracy is not None
    assert found.prior is not None
    assert found.prior.before[1] > 0.5


def test_json_has_no_text_unless_asked() -> None:
    found = compare(REFERENCE, window(LABELS[:200], 1, foreign=40), LABELS, NAMES)
    assert "text 1" not in str(found.to_json(texts=False))
    assert found.to_json()["foreign"][0]["text"] == found.foreign[0].text
    assert found.to_json()["within_labels_p"] is not None


def test_new_answers_without_texts_and_few_embeddings() -> None:
    whole = window(["good"] * 160 + ["bad"] * 40, 4)
    some = np.arange(0, 200, 4)
    recorded = replace(whole, inputs=(), embeddings=whole.embeddings[some], embedded=some)
    found = compare(REFERENCE, recorded, LABELS, NAMES)
    assert [one.name for one in found.tests] == ["answers", "embeddings", "classifier", "properties"]
    assert (found.kind, found.foreign) == ("labels", ())
    assert [one.name for test in found.tests for one in test.changes] == ["good", LENGTH]

    few = replace(whole, inputs=(), embeddings=whole.embeddings[:19], embedded=np.arange(19))
    found = compare(REFERENCE, few, LABELS, NAMES)
    assert [one.name for one in found.tests] == ["answers", "properties"]
    assert found.kind == "labels"
