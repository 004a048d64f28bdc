"""Bundles that were trained and distilled embed: each with its own network's graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bertline.data.batching import pad
from bertline.inference import load_predictor
from bertline.inference.torch_backend import TorchBackend
from bertline.testing.tiny import tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training.distillation.run import distill
from bertline.training.distillation.settings import DistillSettings
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences

TEXTS = [text for text, _ in sentences(12, seed=5)]
QUICK = {"epochs": 1, "batch_tokens": 512, "precision": "fp32", "lr": 2e-3}


def test_teacher_and_student_embed_each_with_its_own_encoder(model: Path, table: Path, tmp_path: Path) -> None:
    teacher, student = tmp_path / "teacher", tmp_path / "student"
    train(str(table), teacher, TrainSettings(model=str(model), max_tokens=32, **QUICK), Silent())
    distill(teacher, str(table), student, DistillSettings(layers=1, **QUICK), Silent())
    batch = pad([one.piece.ids for one in Reader(tiny_tokenizer(), Truncation(32)).read(TEXTS)], 0)
    found = []
    for bundle in (teacher, student):
        embedder = load_predictor(bundle, verify=True, output="embedding")
        assert embedder.engine == "onnx"
        expected = TorchBackend(bundle, device="cpu").compute(batch, "embedding")
        np.testing.assert_allclose(embedder.compute(batch, "embedding"), expected, atol=1e-5, rtol=0)
        found.append(expected)
    assert np.abs(found[0] - found[1]).max() > 0.1
