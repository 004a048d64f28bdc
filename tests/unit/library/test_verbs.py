"""The verbs as functions: the settings of the commands, their figures, and errors before any work."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import bertline
from bertline.bundle import load
from bertline.data.settings import EvaluateSettings
from bertline.library import verbs
from bertline.optimization.settings import OptimizeSettings
from bertline.testing.tiny import write_tiny_bundle
from bertline.training.distillation.settings import DistillSettings
from bertline.training.pretraining.settings import PretrainSettings
from bertline.training.settings import TrainSettings

SETTINGS: list[tuple[Callable[..., Any], type[BaseModel]]] = [
    (bertline.train, TrainSettings),
    (bertline.pretrain, PretrainSettings),
    (bertline.evaluate, EvaluateSettings),
    (bertline.distill, DistillSettings),
    (bertline.optimize, OptimizeSettings),
]


@pytest.mark.parametrize(("verb", "model"), SETTINGS)
def test_a_verb_takes_the_settings_of_its_command_with_their_defaults(
    verb: Callable[..., Any], model: type[BaseModel]
) -> None:
    parameters = inspect.signature(verb).parameters
    for name, field in model.model_fields.items():
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default == field.get_default()
        assert parameters[name].annotation == field.annotation


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"epoch": 2}, "train has no setting epoch: did you mean epochs?"),
        ({"overwite": True}, "train has no setting overwite: did you mean overwrite?"),
        ({"epochs": 0}, "epochs is 0: input should be greater than or equal to 1"),
        ({"pooling": "max"}, "pooling is 'max': input should be 'cls' or 'mean'"),
    ],
)
def test_a_wrong_setting_is_one_sentence_before_anything_is_read(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(bertline.SettingsError) as refused:
        bertline.train("nowhere.csv", out="nothing", **given)
    assert str(refused.value) == sentence


def test_neither_a_file_nor_the_environment_sets_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: Path, table: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bertline.toml").write_text("[optimize]\nno_such_key = 1\n", encoding="utf-8")
    monkeypatch.setenv("BERTLINE_OPTIMIZE_REPETITIONS", "0")
    assert verbs.settings_of(bertline.optimize, OptimizeSettings, {}) == OptimizeSettings()


def test_evaluation_has_the_figures_of_the_command(bundle: Path, table: Path) -> None:
    report = bertline.evaluate(str(bundle), table, slice_columns=["label"])
    record = report.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert report["accuracy"] == {"figure": "accuracy", **record["metrics"]["accuracy"]}
    assert record["rows"] == 90
    assert set(record["slices"]) == {"label"}
    assert report.title == f"reviews: 90 rows of {table}"
    assert report.bundle == bundle


def test_a_label_that_the_model_does_not_know_is_in_the_notes(bundle: Path, tmp_path: Path) -> None:
    table = tmp_path / "odd.csv"
    table.write_text("text,label\na film,odd\nit is,neutral\n", encoding="utf-8")
    [note] = bertline.evaluate(bundle, table).notes
    assert note.startswith(f"1 row is of a label that {bundle} does not know (odd 1) and counted as wrong")


@pytest.mark.drill
def test_a_model_is_pretrained_trained_distilled_and_optimized(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    options = {"epochs": 1, "device": "cpu", "precision": "fp32"}
    encoder = bertline.pretrain(
        table, out=tmp_path / "encoder", model=str(tmp_path / "tiny"), sequence_tokens=32, measurements=1, **options
    )
    assert "Start: held-out loss " in capsys.readouterr().err
    assert encoder.names == ["pseudo_perplexity", "masked_accuracy"]
    assert encoder.to_dict()["fresh"] == "head"
    report = bertline.train(table, out=tmp_path / "mine", model=str(encoder.bundle), max_tokens=32, **options)
    written = capsys.readouterr()
    assert not written.out
    assert "Plan: 1 epoch of " in written.err
    assert "Epoch 1: train loss " in written.err
    assert report.names[0] == "accuracy"
    assert load(report.bundle).manifest.lineage == {"base_model": "encoder"}
    assert load(report.bundle).manifest.labels == tuple(bertline.load(report.bundle).labels)

    student = bertline.distill(
        report.bundle, table, out=tmp_path / "small", layers=1, epochs=1, device="cpu", progress=False
    )
    assert student.to_dict()["networks"]["student"]["layers"] == 1
    assert student.names[1] == "accuracy of the student"

    engines = bertline.optimize(
        tmp_path / "mine", student=tmp_path / "small", speed_rows=16, repetitions=1, kept_tokens=200, progress=False
    )
    assert {"fp32", "int8", "student-int8"} <= set(engines.names)
    picked = engines.to_dict()["picked"]
    assert engines[picked]["picked"] is True
    assert bertline.load(tmp_path / "mine").engine == picked
    assert capsys.readouterr() == ("", "")


def test_a_bundle_in_the_way_is_refused_as_by_the_command(bundle: Path, table: Path) -> None:
    with pytest.raises(bertline.BundleError, match="already holds a bundle"):
        bertline.train(table, out=bundle, progress=False)
