"""Graphs of labels for tokens, and of pairs: what PyTorch computes for the same network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bertline.bundle.probes import TOLERANCE, deviation
from bertline.data.batching import pad
from bertline.encoder.checkpoint import save_classifier
from bertline.encoder.config import Family
from bertline.encoder.heads import Classifier, Pooling
from bertline.export.exporter import Recipe, export, full_outputs, write_embedding, write_fp32_engine
from bertline.export.network import Network
from bertline.inference.onnx_backend import OnnxBackend, observe
from bertline.inference.torch_backend import TorchBackend
from bertline.optimization.calibrate import observe_inputs
from bertline.testing.tiny import VOCABULARY, tiny_classifier

ROUNDING = 1e-5
RNG = np.random.default_rng(0)
TEXTS = [RNG.integers(5, len(VOCABULARY), length).tolist() for length in (2, 3, 7, 19, 30, 41)]
BATCH = pad(TEXTS, 0)
PAIRS = pad(TEXTS, 0, [[int(place > len(text) // 2) for place in range(len(text))] for text in TEXTS])
LABELS = ("O", "B-place", "I-place")

families = pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra"])


def tags_of(classifier: Classifier) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(classifier.eval()(torch.from_numpy(BATCH.ids), torch.from_numpy(BATCH.attend)))[BATCH.attend]


@families
def test_tags_are_the_token_heads(family: Family) -> None:
    classifier = tiny_classifier(family=family, labels=3, pooling="none")
    expected = tags_of(classifier)
    (found,) = observe(export(Network.of(classifier)), [BATCH])
    assert list(found) == ["tags"]
    assert found["tags"].shape == (*BATCH.ids.shape, 3)
    assert np.ptp(expected, axis=0).min() > 0.5, "the tokens must have different answers"
    np.testing.assert_allclose(found["tags"][BATCH.attend], expected, atol=ROUNDING, rtol=0)


@families
def test_tags_in_eight_bits_stay_near(family: Family) -> None:
    classifier = tiny_classifier(family=family, labels=3, pooling="none")
    network = Network.of(classifier)
    observed = observe_inputs(network, [BATCH])
    assert set(observed) == {f"{layer}.{part}" for layer in range(2) for part in ("qkv", "out", "up", "down")}
    recipe = Recipe(observed=observed, balanced=frozenset(observed), small_table=True)
    (found,) = observe(export(network, recipe), [BATCH])
    off = deviation(tags_of(classifier), found["tags"][BATCH.attend])
    assert 1e-4 < off < TOLERANCE["int8"]


@families
def test_one_graph_has_tags_states_and_embeddings(family: Family) -> None:
    network = Network.of(tiny_classifier(family=family, labels=3, pooling="none"))
    (found,) = observe(export(network, outputs=full_outputs(network)), [BATCH])
    (alone,) = observe(export(network), [BATCH])
    assert sorted(found) == ["embedding", "states", "tags"]
    np.testing.assert_array_equal(found["tags"], alone["tags"])
    expected = [states[real].mean(axis=0) for states, real in zip(found["states"], BATCH.attend, strict=True)]
    np.testing.assert_allclose(found["embedding"], expected, atol=ROUNDING, rtol=0)


@families
@pytest.mark.parametrize("pooling", ["cls", "mean", "none"])
def test_both_back_ends_agree_on_every_output_and_on_pairs(family: Family, pooling: Pooling, tmp_path: Path) -> None:
    classifier = tiny_classifier(family=family, labels=3, pooling=pooling)
    save_classifier(tmp_path, classifier, labels=LABELS)
    engine = write_fp32_engine(tmp_path, classifier, pairs=True)
    write_embedding(tmp_path, classifier, pairs=True)
    assert engine.outputs == (classifier.output,)
    network = TorchBackend(tmp_path, device="cpu")
    for file in ("model.onnx", "embedding.onnx"):
        graph = OnnxBackend(tmp_path / file)
        assert graph.outputs <= network.outputs
        for output in graph.outputs:
            for batch in (PAIRS, BATCH):
                real = ... if output in ("logits", "embedding") else batch.attend
                ours, theirs = (one.compute(batch, output)[real] for one in (graph, network))
                np.testing.assert_allclose(ours, theirs, atol=ROUNDING, rtol=0)
            moved = graph.compute(PAIRS, output) - graph.compute(BATCH, output)
            assert (np.abs(moved).max() > 0.01) == (family != "distilbert"), "DistilBERT has no segments"
