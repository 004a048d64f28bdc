"""Real bundles and tables."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from bertline.bundle import load
from bertline.errors import BundleError, DataError
from bertline.inference import load_predictor
from bertline.inference.predictor import means
from bertline.lifecycle.drift import language
from bertline.lifecycle.drift.run import drift_of_store, drift_of_table
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.statistics.sequential import Baseline
from bertline.tasks.classify.feedback import recorded
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.kept import OLD, keep, store_in, sure


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True, rows=120)
    return target


def table(path: Path, texts: list[str]) -> str:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text",), *((text,) for text in texts)])
    return str(path)


def test_texts_of_the_same_kind(bundle: Path, tmp_path: Path) -> None:
    found = drift_of_table(bundle, table(tmp_path / "new.csv", random_texts(100, seed=7)), DriftSettings())
    assert found.drift.kind == "none"
    assert (found.drift.reference_rows, found.drift.new_rows) == (240, 100)
    assert found.drift.accuracy is not None
    assert found.drift.accuracy.reference == pytest.approx(0.75)
    assert found.notes == ()


def test_texts_of_another_kind(bundle: Path, tmp_path: Path) -> None:
    texts = [*random_texts(80, seed=7), *["東京 は 大きい ."] * 20]
    found = drift_of_table(bundle, table(tmp_path / "new.csv", texts), DriftSettings())
    assert found.drift.kind == "texts"
    assert {one.text for one in found.drift.foreign[:5]} == {"東京 は 大きい ."}
    assert {one.place for one in found.drift.foreign[:5]} <= set(range(82, 102))  # lines of the file


def test_some_rows_are_chosen_and_that_is_said(bundle: Path, tmp_path: Path) -> None:
    new = table(tmp_path / "new.csv", random_texts(100, seed=7))
    settings = DriftSettings(rows=50)
    found = drift_of_table(bundle, new, settings)
    assert (found.drift.reference_rows, found.drift.new_rows) == (50, 50)
    assert found.notes == ("50 of 100 texts are compared, chosen at random (--rows)",)
    assert drift_of_table(bundle, new, settings).drift == found.drift
    assert drift_of_table(bundle, new, DriftSettings(rows=50, seed=1)).drift != found.drift


def test_texts_that_cannot_be_compared(bundle: Path, tmp_path: Path) -> None:
    few = table(tmp_path / "few.csv", random_texts(19, seed=7))
    with pytest.raises(DataError) as raised:
        drift_of_table(bundle, few, DriftSettings())
    assert str(raised.value) == (
        f"{few} has 19 texts: give at least 20, better hundreds; fewer show only the crudest change"
    )
    bad = table(tmp_path / "bad.csv", ["", *random_texts(30, seed=7)])
    with pytest.raises(DataError, match=r"bad.csv has 1 bad row \(line 2: .*--skip-bad-rows"):
        drift_of_table(bundle, bad, DriftSettings())
    assert drift_of_table(bundle, bad, DriftSettings(skip_bad_rows=True)).notes[0].startswith("left out 1 bad row")


def test_a_bundle_without_reference_rows(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    write_tiny_bundle(bare, engine=True)
    with pytest.raises(BundleError) as raised:
        drift_of_table(bare, table(tmp_path / "new.csv", random_texts(30)), DriftSettings())
    assert str(raised.value) == (
        f"{bare} carries 0 reference rows, and at least 20 are needed to compare with: train it again with "
        "--reference-rows of at least 20"
    )


def test_missing_languages_are_said(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_identifier", lambda: None)
    found = drift_of_table(bundle, table(tmp_path / "new.csv", random_texts(30, seed=7)), DriftSettings())
    assert found.notes == ("languages are not compared: pip install 'bertline[language]' adds that",)


def labelled(path: Path, bundle: Path, right: int, wrong: int) -> str:
    """Rows that the model has right three times in four, and then never."""
    texts, labels = random_texts(right + wrong, seed=9), ("negative", "neutral", "positive")
    rows = []
    for i, one in enumerate(load_predictor(bundle).predict(texts)):
        off = i >= right or i % 4 == 0
        rows.append((texts[i], labels[(labels.index(one.label) + off) % 3]))
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    return str(path)


def test_labels_show_a_drop_of_accuracy(bundle: Path, tmp_path: Path) -> None:
    new = labelled(tmp_path / "new.csv", bundle, 160, 80)
    found = drift_of_table(bundle, new, DriftSettings(labelled=True)).drift
    assert found.kind == "none"
    assert found.dropped
    assert found.labelled is not None
    assert found.labelled.labels == 240
    assert found.labelled.baseline == Baseline(90, 120).cautious
    assert found.labelled.since is not None
    assert 155 <= found.labelled.since <= 165
    assert drift_of_table(bundle, new, DriftSettings()).drift.labelled is None


def test_labels_that_are_as_expected(bundle: Path, tmp_path: Path) -> None:
    new = labelled(tmp_path / "new.csv", bundle, 240, 0)
    found = drift_of_table(bundle, new, DriftSettings(labelled=True)).drift
    assert found.labelled is not None
    assert (found.labelled.accuracy, found.labelled.alarm, found.dropped) == (0.75, None, False)


def test_texts_of_a_store_are_compared_as_those_of_a_table(bundle: Path, tmp_path: Path) -> None:
    texts = [*random_texts(80, seed=7), *["東京 は 大きい ."] * 20]
    with store_in(tmp_path) as store:
        keep(store, [sure("good")] * 100, texts=texts)
        found = drift_of_store(bundle, store, "reviews", DriftSettings())
        assert found.source == "predictions of reviews"
        assert (
            found.drift.tests == drift_of_table(bundle, table(tmp_path / "new.csv", texts), DriftSettings()).drift.tests
        )
        with pytest.raises(DataError, match="predictions of other has 0 texts: give at least 20"):
            drift_of_store(bundle, store, "other", DriftSettings())


def answered(bundle: Path, texts: list[str]) -> dict[str, Any]:
    """What a server that keeps no texts has of its answers."""
    predictor = load_predictor(bundle)
    answers = predictor.predict(texts)
    return {
        "answers": [recorded(predictor.spec, one) for one in answers],
        "digest": load(bundle).manifest.checksum,
        "spec": predictor.spec,
        "read_tokens": answers[0].read_tokens,
    }


def test_answers_of_a_store_without_texts_are_compared(bundle: Path, tmp_path: Path) -> None:
    texts, spread = random_texts(60, seed=7), random_texts(60, seed=8)
    vectors = means(load_predictor(bundle, output="embedding").pieces(texts, "embedding")[1])
    with store_in(tmp_path) as store:
        keep(store, [sure("good")] * 30, digest=OLD, request="older version")
        with pytest.raises(DataError, match=r"has 0 answers of .*: give the bundle that answers as reviews, or wait"):
            drift_of_store(bundle, store, "reviews", DriftSettings())
        for place, vector in enumerate(vectors):
            one = answered(bundle, [texts[place]])
            keep(store, **one, request=f"a{place}", embedding=vector.astype("<f4").tobytes())
        for place, text in enumerate(spread):
            keep(store, **answered(bundle, [text]), request=f"b{place}")
        found = drift_of_store(bundle, store, "reviews", DriftSettings())
    assert (found.drift.kind, found.drift.new_rows, found.drift.foreign) == ("none", 120, ())
    assert found.notes == (
        "texts were not kept: answers and lengths are compared; bertline serve --predictions-text keeps texts",
        "60 of 120 predictions have embeddings, which are compared too",
    )
    assert [one.name for one in found.drift.tests] == ["answers", "embeddings", "classifier", "properties"]
    assert found.drift.accuracy is not None


def test_answers_of_a_store_that_changed_are_found_without_texts(bundle: Path, tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        for place, text in enumerate(["東京 は 大きい ."] * 40):
            keep(store, **answered(bundle, [text]), request=f"a{place}")
        found = drift_of_store(bundle, store, "reviews", DriftSettings())
    assert found.drift.kind != "none"
    assert [one.name for one in found.drift.tests] == ["answers", "properties"]
    assert found.notes[1] == (
        "embeddings are not compared: bertline serve --predictions-embeddings 0.1 keeps those of a tenth"
    )
