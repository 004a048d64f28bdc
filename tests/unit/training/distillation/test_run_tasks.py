"""A student of every kind of teacher: it comes closer, its bundle says how close, and it is evaluated and optimized."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bertline
from bertline.bundle import load
from bertline.bundle.reference import read_reference
from bertline.encoder.checkpoint import load_classifier
from bertline.errors import DataError, Interrupted, UsageError
from bertline.inference import load_predictor
from bertline.optimization.run import optimize, plan
from bertline.optimization.settings import OptimizeSettings
from bertline.tasks.fill.spec import Spec as Fill
from bertline.testing.tiny import write_tiny_bundle
from bertline.training.distillation.pruning import busy_heads
from bertline.training.distillation.run import Distilled, distill
from bertline.training.distillation.settings import DistillSettings
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.unit.optimization.conftest import no_cold_starts  # noqa: F401
from tests.unit.training.conftest import BAD, GOOD, sentences
from tests.unit.training.distillation.test_run import Told

QUICK: dict[str, Any] = {"batch_tokens": 256, "precision": "fp32", "lr": 3e-3}
SCORES = {"several": "micro_f1", "number": "r2", "pair": "accuracy", "tag": "f1", "rank": "ndcg_at_10"}
KEYS = {"several": "kl_nats", "number": "squared_difference", "pair": "kl_nats", "tag": "kl_nats", "rank": "kl_nats"}


def rows_of(kind: str, count: int, seed: int = 0) -> list[dict[str, Any]]:
    texts = [text for text, _ in sentences(count, seed)]
    others = [text for text, _ in sentences(count, seed + 50)]
    rows: list[dict[str, Any]] = []
    for i, (text, other) in enumerate(zip(texts, others, strict=True)):
        words, good = text.split(), sum(word in GOOD for word in text.split())
        row: dict[str, Any] = {"text": text}
        if kind == "several":
            row["label"] = [name for name, some in (("good", GOOD), ("bad", BAD)) if {*words[:4]} & {*some}]
        elif kind == "number":
            row["label"] = good / 2
        elif kind == "pair":
            row |= {"text_b": other, "label": "more" if good > sum(word in GOOD for word in other.split()) else "less"}
        elif kind == "rank":
            row |= {"query": others[i // 4], "score": float(good > 3)}
        else:
            starts = np.cumsum([0, *(len(word) + 1 for word in words)]).tolist()
            row["entities"] = [[at, at + 2, "good"] for at, word in zip(starts, words, strict=False) if word in GOOD]
        rows.append(row)
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def settings(**changes: Any) -> DistillSettings:
    return DistillSettings(**{"layers": 1, "epochs": 12, "patience": 12, "checkpoint_every_s": 1e9} | QUICK | changes)


@dataclass(frozen=True)
class Made:
    kind: str
    teacher: Path
    table: Path
    result: Distilled


DRILLED = ("several", "number", "rank", "pair")
KINDS = [pytest.param(kind, marks=[pytest.mark.drill] if kind in DRILLED else []) for kind in SCORES]


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    table = write(folder / "rows.jsonl", rows_of(kind, 160))
    problem = {"several": "several", "number": "number"}.get(kind)
    columns: Any = {"pair": {"text_pair_column": "text_b"}, "tag": {"entities_column": "entities"}}.get(kind, {})
    if kind == "rank":
        columns = {"task": "rank"}
    tokens = 24 if kind == "tag" else 64  # so few that long texts are read in windows
    asked = TrainSettings(
        model=str(model),
        max_tokens=tokens,
        epochs=6,
        problem=problem,
        **columns,
        **QUICK,  # type: ignore[arg-type]
    )
    train(str(table), folder / "teacher", asked, Silent())
    unlabelled = [
        {name: row[name] for name in ("query", "text", "text_b") if name in row} for row in rows_of(kind, 240, 3)
    ]
    more = write(folder / "more.jsonl", unlabelled)
    result = distill(folder / "teacher", None, folder / "student", settings(unlabelled=(str(more),)), Silent())
    return Made(kind, folder / "teacher", table, result)


def test_the_student_comes_closer_to_its_teacher(made: Made) -> None:
    first, *_ = made.result.history
    best = min(made.result.history, key=lambda one: one.validation_loss)
    assert best.validation_loss < first.validation_loss
    assert best.train_loss < first.train_loss / 2
    assert 0 < made.result.compared.validation.agreement.value <= 1


def test_its_bundle_and_its_report_say_how_close(made: Made) -> None:
    manifest, teacher = load(made.result.bundle).manifest, load(made.teacher).manifest
    assert (teacher.training["epochs"], teacher.training["patience"]) == (6, 10 if made.kind == "tag" else 2)
    key, metrics = SCORES[made.kind], manifest.metrics
    kept: Any = metrics["kept"]
    student, other = (kept[f"{who}_{key}"]["value"] for who in ("student", "teacher"))
    assert {f"teacher_{key}", f"student_{key}", "agreement", "difference"} <= kept.keys()
    assert kept[f"student_{key}"] == metrics[key]
    assert kept["difference"][key]["value"] == pytest.approx(student - other)
    assert other == pytest.approx(teacher.metrics[key]["value"])  # type: ignore[index, call-overload]
    assert metrics["baselines"]["teacher"][key] == kept[f"teacher_{key}"]  # type: ignore[index, call-overload]
    assert {KEYS[made.kind], "agreement", key} <= metrics["validation"].keys()  # type: ignore[union-attr]
    assert manifest.task.model_copy(update={"temperature": 1}) == teacher.task.model_copy(update={"temperature": 1})
    facts = dict(json.loads((made.result.bundle / "report" / "report.json").read_text())["facts"])
    assert facts["Teacher"].endswith(" on the same rows")
    assert "the teacher’s answer on" in facts["On the validation rows"]
    assert (made.result.bundle / "README.md").read_text().startswith("---\n")


def test_its_engine_answers_as_its_network_and_it_is_evaluated(made: Made) -> None:
    bundle = made.result.bundle
    spec = load(bundle).manifest.task
    rows = read_reference(bundle, "test", spec.names)
    by_engine, by_torch = (
        load_predictor(bundle, engine=name).pieces(rows.inputs, spec.output)[1] for name in ("fp32", "torch")
    )
    for one, other in zip(by_engine, by_torch, strict=True):
        np.testing.assert_allclose(np.concatenate(one), np.concatenate(other), atol=1e-4, rtol=0)
    report = bertline.evaluate(bundle, made.table).to_dict()
    assert report["rows"] == 160
    assert SCORES[made.kind] in report["metrics"]


def test_the_student_is_optimized_and_is_an_engine_of_its_teacher(made: Made, no_cold_starts: None) -> None:  # noqa: F811
    quick: dict[str, Any] = {"repetitions": 1, "speed_rows": 16, "max_accuracy_drop": 100, "kept_tokens": 200}
    assert {"fp32", "int8"} <= optimize(made.result.bundle, OptimizeSettings(**quick), lambda _: None).candidates.keys()
    more = made.table.with_name("more.jsonl")
    asked = OptimizeSettings(student=made.result.bundle, unlabelled=(str(more),), **quick)
    found = optimize(made.teacher, asked, lambda _: None)
    assert "student-int8" in found.candidates
    assert ("cascade" in found.candidates) == (made.kind == "pair")
    assert found.agreement["fp32"] == 1.0


def test_a_labelled_table_gives_the_held_out_rows_and_the_layers_can_be_narrow(made: Made, tmp_path: Path) -> None:
    table, told = write(tmp_path / "held.jsonl", rows_of(made.kind, 40, 9)), Told()
    changes = {"feed_forward": 16, "attention_heads": 2, "layers": 2, "epochs": 2, "value_relations": 0.5}
    pair = {"text_pair_column": "text_b"} if made.kind == "pair" else {}
    asked = settings(eval_data=table, **changes, **pair)
    result = distill(made.teacher, str(made.table), tmp_path / "narrow", asked, told)
    names = load(result.bundle).manifest.task.names
    assert len(read_reference(result.bundle, "validation", names)) + result.evaluation.rows == 40
    assert 15 <= result.evaluation.rows <= 25
    assert (result.student.feed_forward, result.student.layers) == (16, 2)
    assert busy_heads(load_classifier(result.bundle)) == ([2, 2] if made.kind == "tag" else [2, 4])


def test_a_stopped_run_resumes_to_the_weights_of_one_that_was_not(made: Made, tmp_path: Path) -> None:
    asked = settings(dropout=0.1, epochs=2)
    distill(made.teacher, str(made.table), tmp_path / "whole", asked, Silent())
    with pytest.raises(Interrupted):
        distill(made.teacher, str(made.table), tmp_path / "cut", asked, Told(stop_at=5))
    told = Told()
    distill(made.teacher, str(made.table), tmp_path / "cut", asked, told, resume=True)
    assert any(note.startswith("Resuming at step 5") for note in told.notes)
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut"))
    assert one == other


def test_a_start_of_another_kind_is_refused(tmp_path: Path) -> None:
    from bertline.tasks.classify.spec import Spec

    write_tiny_bundle(tmp_path / "one", labels=("a", "b"))
    write_tiny_bundle(tmp_path / "several", task=Spec(problem="several", labels=("a", "b")))
    with pytest.raises(UsageError, match=r"several has another task than its teacher .*one: give a student that was"):
        distill(tmp_path / "one", None, tmp_path / "out", settings(layers=None, start=tmp_path / "several"), Silent())


def test_a_masked_language_model_has_no_students(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "teacher", task=Fill(), pooling="none")
    with pytest.raises(UsageError, match=r"teacher is a bundle for the task fill, which has no logits for a student"):
        distill(tmp_path / "teacher", "rows.csv", tmp_path / "out", settings(), Silent())


def test_a_table_with_a_single_row_is_too_small_to_measure_on(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "teacher", labels=("bad", "good"))
    with (tmp_path / "rows.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), ("it is", "good")])
    (tmp_path / "more.txt").write_text("at us\n")
    asked = settings(eval_data=tmp_path / "rows.csv", unlabelled=(str(tmp_path / "more.txt"),))
    with pytest.raises(DataError, match=r"rows\.csv has 1 row\(s\) to evaluate a student of .* give at least 2, half"):
        distill(tmp_path / "teacher", None, tmp_path / "out", asked, Silent())


def test_a_dry_run_checks_the_unlabelled_tables(made: Made, tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text("words\nit is\n")
    missing = "query" if made.kind == "rank" else "text"
    with pytest.raises(DataError, match=rf"none\.csv has no column with a usual name for the {missing}"):
        plan(made.teacher, OptimizeSettings(unlabelled=(str(tmp_path / "none.csv"),)))
