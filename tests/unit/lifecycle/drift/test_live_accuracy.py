"""The feedback on a real bundle's answers."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bertline.bundle import load
from bertline.bundle.reference import ReferenceRows, Split, read_reference
from bertline.data.targets import entities_in, names_of
from bertline.database.database import Database
from bertline.errors import DataError
from bertline.inference import load_predictor
from bertline.lifecycle.drift import reference
from bertline.lifecycle.drift.live_accuracy import NoTestRows, expected_accuracy, live_accuracy
from bertline.lifecycle.drift.run import drift_of_store, drift_of_table
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.statistics.sequential import Baseline
from bertline.tasks import task
from bertline.tasks.classify.feedback import recorded
from bertline.testing.tiny import random_texts, write_tiny_bundle
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.kept import OLD, keep, store_in
from tests.unit.lifecycle.retraining.test_run_tasks import QUICK, TASKS
from tests.unit.training.conftest import model

__all__ = ["model"]

BEGAN_MS = 1_800_000_000_000
TEXTS = random_texts(240, seed=9)
LABELS = ("negative", "neutral", "positive")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True, rows=120)
    return target


@pytest.fixture(scope="module")
def answers(bundle: Path) -> list[dict[str, Any]]:
    predictor = load_predictor(bundle)
    return [recorded(predictor.spec, one) for one in predictor.predict(TEXTS)]


def labels_of(answers: list[dict[str, Any]], right: int) -> list[str]:
    """Three in four answers of the first ``right`` are right, and then none."""
    return [LABELS[(LABELS.index(one["label"]) + (n >= right or n % 4 == 0)) % 3] for n, one in enumerate(answers)]


def served(store: Database, bundle: Path, answers: list[dict[str, Any]]) -> None:
    manifest = load(bundle).manifest
    keep(store, answers, digest=manifest.checksum, spec=manifest.task, texts=TEXTS, at_ms=BEGAN_MS)


def test_it_finds_what_the_same_labels_in_a_table_show_in_whatever_order_they_come(
    bundle: Path, answers: list[dict[str, Any]], tmp_path: Path
) -> None:
    labels = labels_of(answers, 160)
    with (tmp_path / "new.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *zip(TEXTS, labels, strict=True)])
    table = drift_of_table(bundle, str(tmp_path / "new.csv"), DriftSettings(labelled=True)).drift
    assert table.dropped
    for seed in (0, 1):
        (folder := tmp_path / f"{seed}").mkdir()
        items = [Feedback(f"r{n}", one) for n, one in enumerate(labels)]
        random.Random(seed).shuffle(items)
        with store_in(folder) as store:
            served(store, bundle, answers)
            receive(store, items[:150])
            receive(store, items[150:])
            found = drift_of_store(bundle, store, "reviews", DriftSettings())
        assert found.drift.labelled == table.labelled
        assert found.drift.dropped
        assert found.drift.kind == "none"
        assert found.notes[-1] == "the drop of accuracy began with predictions of about 2027-01-15 08:00 UTC"


def test_labels_that_are_as_expected_are_no_drop(bundle: Path, answers: list[dict[str, Any]], tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        served(store, bundle, answers)
        assert live_accuracy(bundle, store, "reviews", DriftSettings()) is None
        receive(store, [Feedback(f"r{n}", one) for n, one in enumerate(labels_of(answers, 240))])
        found = live_accuracy(bundle, store, "reviews", DriftSettings(labelled=True))
    assert found is not None
    assert (found.drop.labels, found.drop.accuracy, found.drop.alarm) == (240, 0.75, None)
    assert found.drop.baseline == Baseline(90, 120).cautious


def test_labels_of_the_review_are_left_out_and_counted(
    bundle: Path, answers: list[dict[str, Any]], tmp_path: Path
) -> None:
    wrong = labels_of(answers, 0)
    with store_in(tmp_path) as store:
        served(store, bundle, answers)
        keep(store, answers, digest=OLD, spec=load(bundle).manifest.task, request="old")
        receive(store, [Feedback(f"old{n}", one) for n, one in enumerate(wrong)])
        receive(store, [Feedback(f"r{n}", one, source="review") for n, one in enumerate(wrong[1:], 1)])
        with pytest.raises(DataError, match=r"has no feedback on answers of .* as reviews but that of texts chosen"):
            live_accuracy(bundle, store, "reviews", DriftSettings(labelled=True))
        receive(store, [Feedback("r0", answers[0]["label"])])
        found = live_accuracy(bundle, store, "reviews", DriftSettings())
    assert found is not None
    assert (found.drop.labels, found.drop.accuracy) == (1, 1.0)
    assert found.notes()[1] == "239 labels of texts chosen for review are left out of the test of accuracy"


def test_without_test_rows_texts_are_still_compared(
    bundle: Path, answers: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_test(bundle: Path, split: Split, names: Sequence[str]) -> ReferenceRows:
        return ReferenceRows((), ()) if split == "test" else read_reference(bundle, split, names)

    monkeypatch.setattr(reference, "read_reference", without_test)
    with pytest.raises(NoTestRows, match="carries no test rows"):
        expected_accuracy(bundle, DriftSettings())
    with store_in(tmp_path) as store:
        served(store, bundle, answers)
        receive(store, [Feedback("r0", "neutral")])
        found = drift_of_store(bundle, store, "reviews", DriftSettings())
        assert found.drift.labelled is None
        assert found.notes[-1].startswith("feedback is not tested for a drop of accuracy: ")
        with pytest.raises(NoTestRows):
            drift_of_store(bundle, store, "reviews", DriftSettings(labelled=True))


@pytest.mark.parametrize("name", ["several", "tag"])
def test_tasks_without_one_label_expect_the_rate_of_answers_that_are_right_as_a_whole(
    name: str, model: Path, tmp_path: Path
) -> None:
    header, rows, flags = TASKS[name]
    with (tmp_path / "rows.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows(random.Random(0), 200)])
    bundle = tmp_path / "bundle"
    train(str(tmp_path / "rows.csv"), bundle, TrainSettings(**QUICK, **flags, model=str(model)), Silent())
    spec, part = load(bundle).manifest.task, task(load(bundle).manifest.task.task).feedback
    tested = read_reference(bundle, "test", spec.names)
    each = [part.recorded(spec, one) for one in load_predictor(bundle).predict(tested.inputs)]
    right = [
        sorted(map(str, names_of(target))) == one["labels"]
        if name == "several"
        else [(e.start, e.end, e.label) for e in entities_in(target)]
        == [(e["start"], e["end"], e["label"]) for e in one["entities"]]
        for one, target in zip(each, tested.targets, strict=True)
    ]
    assert len(right) > 0
    assert expected_accuracy(bundle, DriftSettings()) == Baseline(sum(right), len(right))
    with store_in(tmp_path) as store:
        keep(store, each, digest=load(bundle).manifest.checksum, spec=spec, texts=[*map(str, tested.inputs)])
        receive(store, [Feedback(f"r{n}", part.as_correct(spec, one)) for n, one in enumerate(each)])
        found = live_accuracy(bundle, store, "reviews", DriftSettings())
    assert found is not None
    assert (found.drop.labels, found.drop.accuracy, found.drop.alarm) == (len(each), 1.0, None)
