"""Engines against what they stand in for: transformers' logits of real weights, without torch where one serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from bertline.bundle.exporter import FP32, write_fp32_engine
from bertline.data.batching import pad
from bertline.encoder.checkpoint import load_pretrained, save_classifier
from bertline.encoder.source import find_model
from bertline.inference import load_predictor
from bertline.inference.onnx_backend import OnnxBackend
from tests.parity.test_minilm import SENTENCES
from tests.parity.tolerances import TOLERANCES
from tests.unit.inference.tiny import TEXTS, write_tiny_bundle

LABELS = ("negative", "neutral", "positive")

# Loads a bundle and predicts while a finder refuses torch; prints the engine and the probabilities.
WITHOUT_TORCH = """
import json, sys
from pathlib import Path

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "safetensors", "transformers", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r} (refused)", name=name)

sys.meta_path.insert(0, Refuse())
from bertline.inference import load_predictor

predictor = load_predictor(Path(sys.argv[1]))
answers = [list(one.probabilities.values()) for one in predictor.predict(json.loads(sys.argv[2]))]
print(json.dumps([predictor.engine, answers]))
"""


@pytest.mark.peer
def test_the_engine_gives_transformers_logits_of_real_weights(tmp_path: Path) -> None:
    source = find_model("all-MiniLM-L6-v2")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = load_pretrained(source, labels=3)
        torch.nn.init.normal_(classifier.head.out.weight, std=0.3)
    save_classifier(tmp_path, classifier, labels=LABELS)
    write_fp32_engine(tmp_path, classifier)
    batch = AutoTokenizer.from_pretrained(source)(list(SENTENCES), padding=True, return_tensors="pt")
    with torch.inference_mode():
        theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()(**batch).logits.numpy()
    lengths = batch["attention_mask"].sum(1).tolist()
    ids = [row[:length] for row, length in zip(batch["input_ids"].tolist(), lengths, strict=True)]
    ours = OnnxBackend(tmp_path / str(FP32.file)).logits(pad(ids, 0))
    assert len(set(lengths)) > 3, "some sentences are padded"
    assert np.ptp(theirs, axis=0).min() > 0.1, "the sentences must have different answers"
    np.testing.assert_allclose(ours, theirs, atol=TOLERANCES["real weights"], rtol=0)


def test_serving_needs_no_torch(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, str(tmp_path / "tiny"), json.dumps(TEXTS)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    engine, answers = json.loads(result.stdout)
    assert engine == "fp32"
    expected = load_predictor(tmp_path / "tiny", engine="torch", device="cpu").predict(TEXTS)
    np.testing.assert_allclose(answers, [list(one.probabilities.values()) for one in expected], atol=1e-5, rtol=0)
