"""The graph of attentions against the PyTorch network and against transformers, computed by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoModel

from bertline.bundle import load
from bertline.bundle.probes import ATTENTIONS
from bertline.data.batching import Batch, pad
from bertline.encoder.config import Family
from bertline.encoder.encoder import Layer
from bertline.encoder.network import load_network
from bertline.encoder.outputs import OUTPUTS
from bertline.export.inside import export_inside
from bertline.export.network import Network
from bertline.export.recipe import Recipe
from bertline.inference.onnx_backend import OnnxBackend, observe
from bertline.testing.tiny import VOCABULARY, logits_of, tiny_classifier, write_tiny_bundle

Array = np.ndarray[Any, Any]
ROUNDING = 1e-5
RNG = np.random.default_rng(0)
TEXTS = [RNG.integers(5, len(VOCABULARY), length).tolist() for length in (2, 3, 7, 19, 30)]
BATCH = pad(TEXTS, 0)
PARTS = ("input", "query", "key", "value", "joined", "attended", "output")


def inside(bundle: Path) -> dict[str, Array]:
    graph = OnnxBackend(bundle / ATTENTIONS)
    return {name: graph.compute(BATCH, name) for name in graph.outputs}


@pytest.mark.peer
@pytest.mark.parametrize("family", get_args(Family))
def test_attentions_and_states_are_those_of_transformers(tmp_path: Path, family: Family) -> None:
    write_tiny_bundle(tmp_path / "tiny", family=family, engine=True)
    found = inside(tmp_path / "tiny")
    peer = AutoModel.from_pretrained(tmp_path / "tiny", attn_implementation="eager").eval()
    with torch.inference_mode():
        theirs = peer(
            torch.from_numpy(BATCH.ids),
            torch.from_numpy(BATCH.attend).long(),
            output_attentions=True,
            output_hidden_states=True,
        )
    inputs = [*(found["layers"][:, layer, 0] for layer in range(2)), found["layers"][:, 1, 6]]
    for ours, states in zip(inputs, theirs.hidden_states, strict=True):
        np.testing.assert_allclose(ours[BATCH.attend], states.numpy()[BATCH.attend], atol=ROUNDING, rtol=0)
    for layer, attentions in enumerate(theirs.attentions):
        ours, expected = (
            one.transpose(0, 2, 1, 3)[BATCH.attend] for one in (found["attentions"][:, layer], attentions.numpy())
        )
        np.testing.assert_allclose(ours, expected, atol=ROUNDING, rtol=0)
    assert np.ptp(found["attentions"][0, 0]) > 0.3, "heads must not attend evenly"


@pytest.mark.parametrize("pooling", ["cls", "mean", "normalised"])
def test_scores_are_the_classifiers(tmp_path: Path, pooling: str) -> None:
    write_tiny_bundle(tmp_path / "tiny", pooling=pooling, engine=True)
    found = inside(tmp_path / "tiny")
    expected = logits_of(load_network(tmp_path / "tiny"), BATCH)
    np.testing.assert_allclose(found["scores"], expected, atol=ROUNDING, rtol=0)
    np.testing.assert_array_equal(found["scores"], found["logits"])


@pytest.mark.parametrize(
    ("task", "output"),
    [
        ({"task": "tag", "types": ("PER", "LOC")}, "tags"),
        ({"task": "embed", "normalised": False}, "embedding"),
        ({"task": "fill"}, "vocabulary"),
    ],
)
def test_other_heads_give_what_they_give(tmp_path: Path, task: dict[str, Any], output: str) -> None:
    pooling = {"tags": "none", "embedding": "mean", "vocabulary": "none"}[output]
    write_tiny_bundle(tmp_path / "tiny", task=task, pooling=pooling, truncation="window", engine=True)
    graph, batch = OnnxBackend(tmp_path / "tiny" / ATTENTIONS), pad([[2, 4, 7, 3], [2, 3]], 0)
    expected = logits_of(load_network(tmp_path / "tiny"), batch)
    found = graph.compute(batch, output)
    kept = batch.attend if output == "tags" else slice(None)
    np.testing.assert_allclose(found[kept], expected[kept], atol=ROUNDING, rtol=0)
    assert {"attentions", "embeddings", "layers", "inner", output} <= graph.outputs


def test_segments_of_a_pair_are_embedded(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", pairs=True, engine=True)
    graph = OnnxBackend(tmp_path / "tiny" / ATTENTIONS)
    ids = np.array([[2, 7, 3, 8, 3]])
    one, both = (
        graph.compute(Batch(ids, np.ones_like(ids, dtype=bool), np.array([segments])), "embeddings")[0]
        for segments in ([0, 0, 0, 0, 0], [0, 0, 0, 1, 1])
    )
    np.testing.assert_array_equal(one[:2], both[:2])
    assert (one[2] != both[2]).any(axis=1).tolist() == [False, False, False, True, True]


def test_idle_heads_are_shown_too() -> None:
    classifier = tiny_classifier(family="bert", labels=3, pooling="cls")
    layer = classifier.encoder.layers[0]
    assert isinstance(layer, Layer)
    layer.attention.silence(torch.tensor([True, False, False, False]))
    model = export_inside(Network.of(classifier, pruned=False), Recipe())
    (found,) = observe(model, [pad(TEXTS[3:4], 0)])
    assert found["attentions"].shape == (1, 2, 4, 19, 19)
    np.testing.assert_allclose(found["attentions"][0, 0, 0], 1 / 19, atol=1e-6)
    np.testing.assert_allclose(found["scores"], logits_of(classifier, pad(TEXTS[3:4], 0)), atol=ROUNDING)


def test_its_weights_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    model = onnx.load_model(tmp_path / "tiny" / ATTENTIONS, load_external_data=False)
    own = [one for one in model.graph.initializer if one.data_location != onnx.TensorProto.EXTERNAL]
    assert max(len(one.raw_data) for one in own) <= 64, "no weight is in the file itself"
    assert {one.name for one in model.graph.output} - {"logits"} == {n for n, one in OUTPUTS.items() if one.inside}
    assert ATTENTIONS in load(tmp_path / "tiny").manifest.files
