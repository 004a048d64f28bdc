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
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from bertline.data.batching import pad
from bertline.encoder.checkpoint import load_pretrained, save_classifier
from bertline.encoder.source import find_model
from bertline.export.exporter import EMBEDDING, FP32, write_embedding, write_fp32_engine
from bertline.inference import load_predictor
from bertline.inference.onnx_backend import OnnxBackend
from bertline.testing.tiny import TEXTS, write_tiny_bundle
from tests.parity.test_minilm import SENTENCES
from tests.parity.tolerances import TOLERANCES

LABELS = ("negative", "neutral", "positive")

# Loads a bundle, predicts and embeds while a finder refuses torch; prints the engines and what they answer.
WITHOUT_TORCH = """
import json, sys
from pathlib import Path

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "safetensors", "transformers", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r} (refused)", name=name)

sys.meta_path.insert(0, Refuse())
from bertline.inference import load_predictor

predictor, embedder = (load_predictor(Path(sys.argv[1]), output=output) for output in ("logits", "embedding"))
answers = [list(one.probabilities.values()) for one in predictor.predict(json.loads(sys.argv[2]))]
embeddings = embedder.embed(json.loads(sys.argv[2])).tolist()
print(json.dumps([[predictor.engine, embedder.engine], answers, embeddings]))
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
    ours = OnnxBackend(tmp_path / str(FP32.file)).compute(pad(ids, 0))
    assert len(set(lengths)) > 3, "some sentences are padded"
    assert np.ptp(theirs, axis=0).min() > 0.1, "the sentences must have different answers"
    np.testing.assert_allclose(ours, theirs, atol=TOLERANCES["real weights"], rtol=0)


@pytest.mark.peer
def test_embeddings_of_real_weights_are_the_mean_of_transformers_states(tmp_path: Path) -> None:
    source = find_model("all-MiniLM-L6-v2")
    classifier = load_pretrained(source, labels=3, pooling="mean")
    save_classifier(tmp_path, classifier, labels=LABELS)
    write_embedding(tmp_path, classifier)
    batch = AutoTokenizer.from_pretrained(source)(list(SENTENCES), padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = AutoModel.from_pretrained(source).eval()(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1).float()
    real = batch["attention_mask"].bool().numpy()
    theirs = ((states * mask).sum(1) / mask.sum(1)).numpy()
    ids = [row[use].tolist() for row, use in zip(batch["input_ids"].numpy(), real, strict=True)]
    ours, tolerance = OnnxBackend(tmp_path / EMBEDDING), TOLERANCES["real weights"]
    assert theirs.shape == (len(SENTENCES), 384)
    assert np.median(np.ptp(theirs, axis=0)) > 0.1, "the sentences must have different embeddings"
    np.testing.assert_allclose(ours.compute(pad(ids, 0), "embedding"), theirs, atol=tolerance, rtol=0)
    np.testing.assert_allclose(ours.compute(pad(ids, 0), "states")[real], states.numpy()[real], atol=tolerance, rtol=0)


def test_serving_needs_no_torch(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, str(tmp_path / "tiny"), json.dumps(TEXTS)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    engines, answers, embeddings = json.loads(result.stdout)
    assert engines == ["fp32", "onnx"]
    expected = load_predictor(tmp_path / "tiny", engine="torch", device="cpu").predict(TEXTS)
    np.testing.assert_allclose(answers, [list(one.probabilities.values()) for one in expected], atol=1e-5, rtol=0)
    expected_embeddings = load_predictor(tmp_path / "tiny", output="embedding").embed(TEXTS)
    np.testing.assert_allclose(embeddings, expected_embeddings, atol=1e-5, rtol=0)
