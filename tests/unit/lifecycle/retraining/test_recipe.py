from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bertline.bundle import Manifest
from bertline.bundle.engine import Engine
from bertline.errors import TrainingError
from bertline.export.exporter import FP32
from bertline.lifecycle.retraining.recipe import check_trainable, has_engines, train_settings

TRAINED = {"model": "all-MiniLM-L6-v2", "epochs": 5, "lr": 3e-4, "seed": 4, "place": "2 cores", "epochs_run": 3}
COLUMNS = {"text_column": "text", "label_column": "label", "format": "jsonl"}


def manifest(**changes: Any) -> Manifest:
    entries: dict[str, Any] = {"name": "films", "task": {"task": "classify", "labels": ("a", "b")}, "training": TRAINED}
    return Manifest(**{**entries, "max_tokens": 64, "truncation": "head_tail", "pooling": "cls", **changes})


def test_the_champions_settings_are_taken_over() -> None:
    settings = train_settings(manifest(), Path("champion"), COLUMNS)
    assert (settings.epochs, settings.lr, settings.seed, settings.model) == (5, 3e-4, 4, "all-MiniLM-L6-v2")
    assert (settings.text_column, settings.task, settings.problem) == ("text", "classify", "single")
    assert settings.model_fields_set == {*COLUMNS, "model", "epochs", "lr", "seed", "task", "problem"}


def test_epochs_that_nobody_asked_for_follow_from_the_next_table() -> None:
    trained = {**TRAINED, "epochs": 3, "patience": 2}
    assert {"epochs", "patience"}.isdisjoint(
        train_settings(manifest(training=trained), Path("c"), COLUMNS).model_fields_set
    )
    kept = train_settings(manifest(training={**trained, "patience": 1}), Path("c"), COLUMNS)
    assert (kept.patience, "patience" in kept.model_fields_set) == (1, True)


def test_where_it_starts() -> None:
    assert train_settings(manifest(), Path("champion"), COLUMNS, start="champion").model == "champion"
    assert train_settings(manifest(), Path("champion"), COLUMNS, model="other").model == "other"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"task": {"task": "fill"}},
            "films:1 is for the task fill, which is not trained on labelled rows, so it cannot be retrained: pre-train "
            "its encoder with bertline pretrain",
        ),
        (
            {"lineage": {"teacher": "large"}},
            "films:1 was distilled from large: retrain its teacher, then bertline distill it again, and let bertline "
            "gate judge the student",
        ),
        (
            {"training": {}},
            "films:1 was imported and not trained, so its bundle has no settings to train with: train a successor with "
            "bertline train, and let bertline gate judge it",
        ),
    ],
)
def test_what_train_did_not_make_is_refused(changes: dict[str, Any], message: str) -> None:
    check_trainable("films:1", manifest())
    with pytest.raises(TrainingError) as raised:
        check_trainable("films:1", manifest(**changes))
    assert str(raised.value) == message


def test_settings_that_train_does_not_have() -> None:
    odd = manifest(training={**TRAINED, "epochs": 0})
    with pytest.raises(TrainingError, match="the settings in the bundle of films are not those of bertline train"):
        train_settings(odd, Path("champion"), COLUMNS)


def test_engines_beside_the_full_one() -> None:
    assert not has_engines(manifest(engines=(FP32,)))
    int8 = Engine(name="int8", precision="int8", file="int8.onnx")
    assert has_engines(manifest(engines=(int8, FP32)))
