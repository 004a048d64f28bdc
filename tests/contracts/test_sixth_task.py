"""A task that is not in the package: a folder of four files trains, is bundled, evaluated, optimized and served."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import bertline
import bertline.tasks
from bertline.bundle import load
from bertline.encoder.checkpoint import save_encoder
from bertline.inference import load_predictor
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from tests.contracts import test_bundles as bundles
from tests.contracts import test_learning as learning
from tests.contracts import test_tasks as contract
from tests.service.spawn import spawned
from tests.unit.training.conftest import sentences

SPEC = '''
"""Grades: labels in an order, of which a text has one."""
from typing import Literal

import numpy as np

from bertline.data.labels import Labels
from bertline.data.target_kinds import OneLabel
from bertline.tasks.contract import TaskSpec


class Spec(TaskSpec):
    task: Literal["grade"] = "grade"
    labels: tuple[str, ...]

    @classmethod
    def kind_to_learn(cls, settings):
        return OneLabel()

    @classmethod
    def of(cls, dataset, settings):
        return cls(labels=Labels.of(dataset.targets).names)

    @property
    def kind(self):
        return OneLabel()

    def arrays(self, target, reading):
        return [np.array([self.labels.index(target)], dtype=np.float32)] * len(reading.pieces)
'''
ANSWER = '''
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Grade:
    grade: str
    read_tokens: int
    cut_tokens: int

    def to_json(self):
        return asdict(self)

    def columns(self):
        return {"predicted_grade": self.grade}


def places(spec, rows):
    """The mean of the logits' softmax over the order, rounded."""
    logits = np.array([np.mean(own, axis=0) for own in rows], dtype=np.float64).reshape(-1, len(spec.labels))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (shares @ np.arange(len(spec.labels))) / shares.sum(axis=1)


def answers(spec, rows, readings):
    each = np.rint(places(spec, rows)).astype(int)
    return [Grade(spec.labels[i], one.read, one.cut) for i, one in zip(each, readings, strict=True)]
'''
LEARN = """
import torch


def loss(spec, outputs, targets, attend=None):
    order = torch.arange(len(spec.labels), device=outputs.device, dtype=torch.float32)
    return ((outputs.float().softmax(-1) @ order - targets[:, 0]) ** 2).sum()


def better(spec, history):
    *before, last = [one.validation_loss for one in history]
    return all(last < one for one in before)
"""
MEASURE = """
from dataclasses import dataclass

import numpy as np

from bertline.statistics.intervals import Estimate, wilson
from bertline.statistics.paired import compare as paired
from bertline.tasks.contract import Comparison
from bertline.tasks.grade.answer import places
from bertline.tasks.measured import check


@dataclass(frozen=True)
class Grades:
    rows: int
    seed: int
    right: Estimate

    def headline(self):
        return (("accuracy", self.right),)

    def metrics(self):
        return {"accuracy": self.right.to_json()}

    def to_json(self):
        return {"rows": self.rows, "metrics": self.metrics()}


def right(spec, truth, arrays):
    own = [spec.labels[i] for i in np.rint(places(spec, arrays)).astype(int)]
    return np.array([one == other for one, other in zip(own, truth, strict=True)], dtype=bool)


def figures(spec, truth, arrays, readings):
    return {"accuracy": float(right(spec, truth, arrays).mean())}


def tune(spec, truth, arrays, readings):
    return spec


def measure(spec, truth, arrays, readings, *, fields=(), seed=0):
    check(truth, arrays, readings)
    some = right(spec, truth, arrays)
    return Grades(len(truth), seed, wilson(int(some.sum()), len(some)))


def compare(spec, truth, arrays, other_arrays, readings, *, seed=0):
    one, other = right(spec, truth, arrays), right(spec, truth, other_arrays)
    found = paired(one, other, seed=seed)
    same = np.rint(places(spec, arrays)) == np.rint(places(spec, other_arrays))
    return Comparison(
        "accuracy",
        float(one.mean()),
        found.accuracy,
        found.p_value,
        float(same.mean()),
        int((one & ~other).sum()),
        int((other & ~one).sum()),
    )
"""
FILES = {"__init__": "", "spec": SPEC, "answer": ANSWER, "learn": LEARN, "measure": MEASURE}
SETTINGS: dict[str, Any] = {"task": "grade", "epochs": 4, "lr": 3e-3, "batch_tokens": 256, "precision": "fp32"}


@pytest.fixture(scope="module", autouse=True)
def grade(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "grade").mkdir()
    for name, content in FILES.items():
        (folder / "grade" / f"{name}.py").write_text(content, encoding="utf-8")
    # Every process finds the folder among the package's: workers, and those that time a cold start.
    code = f"import bertline.tasks\nbertline.tasks.__path__.append({str(folder)!r})\n"
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, sys.path)]))
        patch.setattr(bertline.tasks, "__path__", [*bertline.tasks.__path__, str(folder)])
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, grade: None) -> Path:
    """A bundle of the task, trained by the library on a table."""
    folder = tmp_path_factory.mktemp("made")
    model = folder / "model"
    model.mkdir()
    save_encoder(model, tiny_classifier(family="bert", labels=2, pooling="cls").encoder)
    tiny_tokenizer().save(model)
    with (folder / "rows.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *sentences(160)])
    bertline.train(folder / "rows.csv", out=folder / "grades", model=str(model), max_tokens=64, **SETTINGS)
    return folder / "grades"


def test_it_is_trained_and_its_bundle_says_so(made: Path) -> None:
    manifest = load(made).manifest
    assert manifest.task.model_dump() == {
        "task": "grade",
        "reads": "text",
        "temperature": 1.0,
        "labels": ("bad", "good"),
    }
    assert set(manifest.metrics) >= {"rows", "accuracy"}
    report = json.loads((made / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["metrics"]["accuracy"]["value"] == manifest.metrics["accuracy"]["value"]  # type: ignore[index,call-overload]
    assert [sorted(one["figures"]) for one in report["history"]] == [["accuracy"]] * len(report["history"])


def test_its_engine_answers_as_its_network(made: Path) -> None:
    texts = [text for text, _ in sentences(24, seed=3)]
    by_engine, by_torch = (load_predictor(made, engine=name).predict(texts) for name in (None, "torch"))
    assert by_engine == by_torch
    assert {one.to_json()["grade"] for one in by_engine} <= {"bad", "good"}


def test_it_is_evaluated_on_a_table(made: Path, tmp_path: Path) -> None:
    with (tmp_path / "more.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *sentences(40, seed=4)])
    report = bertline.evaluate(made, tmp_path / "more.csv")
    assert report.to_dict()["rows"] == 40


def test_it_is_optimized_and_served(made: Path) -> None:
    bertline.optimize(made, repetitions=1, speed_rows=16, max_accuracy_drop=100)
    assert {"fp32", "int8"} <= {one.name for one in load(made).manifest.engines}
    answers = bertline.load(made).predict(["is it at us"])
    assert answers[0].to_json()["grade"] in ("bad", "good")
    with spawned(f"grades={made}", PYTHONPATH=os.environ["PYTHONPATH"]) as server:
        found = httpx.post(f"{server.url}/v1/predict", json={"text": "is it at us"}, timeout=60)
    assert found.json()["predictions"] == [answers[0].to_json()]


def test_it_keeps_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = bertline.tasks.read_spec({"task": "grade", "labels": ["bad", "good"]})
    truth = ["bad", "good", "bad", "good", "good", "odd"]
    monkeypatch.setitem(contract.MEASURED, "grade", (spec, truth))
    monkeypatch.setitem(contract.ENTRIES, "grade", {"labels": ["bad", "good"]})
    contract.test_a_spec_names_an_output_of_the_table("grade")
    contract.test_a_spec_survives_a_manifest_unchanged("grade")
    contract.test_a_spec_refuses_an_entry_that_it_does_not_know("grade")
    contract.test_a_task_names_its_loss("grade")
    for count in (1, len(truth)):
        contract.test_a_measurement_keeps_the_contract("grade", count)
    contract.test_a_comparison_keeps_the_contract("grade")
    contract.test_figures_and_tuning_keep_the_contract("grade")
    contract.test_no_texts_and_logits_that_are_not_finite_are_refused("grade")


def test_it_learns_and_its_bundle_keeps_the_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entries, grades = {"task": "grade", "labels": ["bad", "good"]}, ["bad", "good"] * 4
    monkeypatch.setitem(learning.LEARNED, "grade", (entries, learning.TEXTS, grades))
    learning.test_eight_rows_are_learned_by_heart("grade", tmp_path)
    learning.test_a_text_has_one_output_whatever_batch_it_is_in("grade")
    for family in bundles.FAMILIES:
        bundles.test_the_checkpoint_round_trips_through_hugging_face(family, "grade", tmp_path / family)
    bundles.test_probes_agree_across_engines("grade", tmp_path)
    bundles.test_an_input_gets_the_same_answer_from_every_engine_and_in_every_batch("grade", tmp_path / "answers")
