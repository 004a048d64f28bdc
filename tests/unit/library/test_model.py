"""A model in a program: the answers of the predictor, from any number of threads, and errors in one sentence."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import bertline
from bertline.bundle.reference import ReferenceRows
from bertline.data.batching import Batch
from bertline.inference import load_predictor
from bertline.testing.tiny import TEXTS, random_texts, write_tiny_bundle
from bertline.testing.words import WordCounter

CALLS = 40


def test_it_answers_as_the_predictor(bundle: Path) -> None:
    answers = bertline.load(str(bundle)).predict(TEXTS)
    assert list(answers) == load_predictor(bundle).predict(TEXTS)


def test_it_identifies_itself(bundle: Path) -> None:
    model = bertline.load(bundle)
    assert (model.name, model.engine, model.max_tokens) == ("reviews", "fp32", 32)
    assert model.labels == ("negative", "neutral", "positive")
    assert repr(model) == f"<Model reviews {model.version}: negative, neutral, positive; engine fp32, 32 tokens>"


@pytest.mark.parametrize("engine", ["fp32", "torch"])
def test_many_threads_get_the_answers_that_each_would_get_alone(bundle: Path, engine: str) -> None:
    model = bertline.load(bundle, engine=engine, batch_tokens=64)
    asked = [random_texts(1 + place % 7, seed=place) for place in range(CALLS)]
    alone = [(list(model.predict(texts)), model.embed(texts)) for texts in asked]
    together = threading.Barrier(8)

    def ask(place: int) -> tuple[list[Any], Any]:
        if place < 8:
            together.wait(timeout=30)
        return list(model.predict(asked[place])), model.embed(asked[place])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(CALLS)))
    for (answer, rows), (expected, expected_rows) in zip(answers, alone, strict=True):
        assert answer == expected
        np.testing.assert_array_equal(rows, expected_rows)


class Counting(WordCounter):
    """Notes how many calls it computes at a time at most."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.running = self.most = 0
        self.lock = threading.Lock()
        self.full = threading.Event()

    def compute(self, output: str, batch: Batch) -> Any:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            if self.running == self.lanes:
                self.full.set()
        assert self.full.wait(timeout=30)
        try:
            return super().compute(output, batch)
        finally:
            with self.lock:
                self.running -= 1


@pytest.mark.parametrize("lanes", [1, 3])
def test_as_many_calls_compute_at_a_time_as_the_engine_has_lanes(lanes: int) -> None:
    double = Counting(lanes=lanes)
    model = double.model()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(model.predict, [["good"]] * CALLS))
    assert {one[0].label for one in answers} == {"positive"}
    assert double.most == lanes


def test_embeddings_are_rows_with_unit_length_on_request(bundle: Path) -> None:
    model = bertline.load(bundle)
    rows, unit = model.embed(TEXTS), model.embed(TEXTS, normalise=True)
    assert rows.shape == (len(TEXTS), 32)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(unit * np.linalg.norm(rows, axis=1, keepdims=True), rows, atol=1e-5)


def test_no_texts_give_no_answers(bundle: Path) -> None:
    model = bertline.load(bundle)
    assert len(model.predict([])) == 0
    assert model.embed([]).shape == (0, 32)


def test_any_iterable_of_strings_will_do(bundle: Path) -> None:
    model = bertline.load(bundle)
    expected = list(model.predict(TEXTS))
    assert list(model.predict(iter(TEXTS))) == expected
    assert list(model.predict(pandas.Series(TEXTS))) == expected
    assert list(model.predict(np.array(TEXTS))) == expected


def test_one_string_is_not_a_list_of_texts() -> None:
    model = WordCounter().model()
    with pytest.raises(bertline.UsageError) as refused:
        model.predict("good")
    assert str(refused.value) == "predict takes a list of texts and was given one string: write predict([text])"
    with pytest.raises(bertline.UsageError, match=r"write embed\(\[text\]\)"):
        model.embed("good")


@pytest.mark.parametrize(("odd", "shown"), [(None, "'None' (NoneType)"), (float("nan"), "'nan' (float)")])
def test_a_value_that_is_not_a_string_is_named_with_its_place(odd: object, shown: str) -> None:
    with pytest.raises(bertline.UsageError) as refused:
        WordCounter().model().predict(["good", odd])  # type: ignore[list-item]
    assert str(refused.value) == (f"texts[1] is {shown}, and predict takes strings: leave it out or make it a string")


def test_embeddings_are_of_the_bundle_that_answers_or_of_none(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "reviews", engine=True)
    model = bertline.load(tmp_path / "reviews")
    write_tiny_bundle(tmp_path / "reviews", engine=True, seed=1, overwrite=True)
    with pytest.raises(bertline.BundleError) as refused:
        model.embed(["a film"])
    assert str(refused.value) == "reviews was replaced since it was loaded: load it again to embed with it"
    assert model.predict(["a film"])[0].label in model.labels


def test_an_answer_is_explained(bundle: Path) -> None:
    model = bertline.load(bundle)
    found = model.explain("a good film", budget=40)
    assert [part.word.text for part in found.words] == ["a", "good", "film"]
    assert found.name == model.predict(["a good film"])[0].label
    with pytest.raises(bertline.UsageError, match=r"explain takes strings: leave it out or make it a string"):
        model.explain(["a good film"])  # type: ignore[arg-type]
    with pytest.raises(bertline.SettingsError, match="budget is 1"):
        model.explain("a good film", budget=1)


def test_counter_evidence_and_nearest_texts(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "b", engine=True, rows=6)
    model = bertline.load(tmp_path / "b")
    found = model.counter("a good film", budget=40)
    assert found.label == model.predict(["a good film"])[0].label
    write_tiny_bundle(tmp_path / "words", engine=True, task={"task": "fill"}, pooling="none", truncation="window")
    words = bertline.load(tmp_path / "words")
    replaced = model.counter("it is a", replacements=words)
    assert (replaced.how, replaced.label) == ("replace", model.predict(["it is a"])[0].label)
    assert model.predict(replaced.texts)[0].label == replaced.turned != replaced.label
    with pytest.raises(bertline.UsageError, match=r"b fills in no words: give a masked language model as replacements"):
        model.counter("it is a", replacements=model)
    near = model.nearest("a good film", 2)
    assert [one.text for one in near] == [one.text for one in model.nearest("a good film", 3)][:2]
    assert near[0].similarity >= near[1].similarity
    with pytest.raises(bertline.UsageError, match=r"nearest takes strings: leave it out"):
        model.nearest(("a", "b"))
    kept = ReferenceRows((("a film", "it is"),), ("neutral",))
    write_tiny_bundle(tmp_path / "pairs", engine=True, pairs=True, kept={"test": kept})
    pairs = bertline.load(tmp_path / "pairs")
    (row,) = pairs.nearest(("a film", "it is"))
    assert (row.text, row.text_pair, row.target) == ("a film", "it is", "neutral")
    with pytest.raises(bertline.UsageError, match=r"pairs reads pairs of texts: give nearest both texts as a tuple"):
        pairs.nearest("a film")
