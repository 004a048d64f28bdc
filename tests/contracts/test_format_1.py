"""A bundle of format 1, written and asked by the last version that wrote it, answers the same and can be optimized."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import bertline
from bertline.bundle import load
from bertline.inference import load_predictor

DATA = Path(__file__).parents[1] / "data" / "format_1"  # by the write.py in it
ANSWERS = [json.loads(line) for line in (DATA / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
TEXTS = [one["text"] for one in ANSWERS]


def check(bundle: Path, engine: str | None, tolerance: float) -> None:
    """Every answer is as it was, its probabilities within ``tolerance``."""
    for one, before in zip(load_predictor(bundle, engine=engine).predict(TEXTS), ANSWERS, strict=True):
        assert (one.read_tokens, one.cut_tokens) == (before["read_tokens"], before["cut_tokens"])
        assert one.probabilities == pytest.approx(before["probabilities"], abs=tolerance)
        best = max(before["probabilities"].values())
        assert before["probabilities"][one.label] >= best - 2 * tolerance  # the label, but where two were as probable


@pytest.mark.parametrize("engine", [None, "fp32", "torch"])
def test_it_loads_and_answers_as_it_did(engine: str | None) -> None:
    assert json.loads((DATA / "reviews" / "bertline.json").read_bytes())["format_version"] == 1
    assert {one["label"] for one in ANSWERS} == {"neutral", "positive"}
    assert any(one["cut_tokens"] for one in ANSWERS)
    check(DATA / "reviews", engine, 1e-6)


def test_it_is_optimized_into_format_2_and_answers_as_it_did(tmp_path: Path) -> None:
    bundle = tmp_path / "reviews"
    shutil.copytree(DATA / "reviews", bundle)
    bertline.optimize(bundle, repetitions=1, speed_rows=16, max_accuracy_drop=100)
    assert json.loads((bundle / "bertline.json").read_bytes())["format_version"] == 2
    manifest = load(bundle).manifest
    assert manifest.task == load(DATA / "reviews").manifest.task
    assert {"fp32", "int8"} <= {one.name for one in manifest.engines}
    for engine, tolerance in (("fp32", 1e-6), ("torch", 1e-6), ("int8", 0.1)):  # int8 was off by 0.058
        check(bundle, engine, tolerance)
