"""The graph of sentence embeddings: what it declares, what it holds, and that it computes the bundle's own network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import load_file

from bertline.bundle import load
from bertline.data.batching import pad
from bertline.encoder.config import ACTIVATIONS, EncoderConfig, Family
from bertline.encoder.heads import Classifier, Pooling, mean_pool
from bertline.export.exporter import EMBEDDING, export, full_outputs
from bertline.export.graph import stored_tensors
from bertline.export.network import Network
from bertline.inference.onnx_backend import observe
from bertline.testing.tiny import VOCABULARY, logits_of, tiny_classifier, write_tiny_bundle

ROUNDING = 1e-5
RNG = np.random.default_rng(0)
TEXTS = [RNG.integers(5, len(VOCABULARY), length).tolist() for length in (2, 3, 7, 19, 30, 63)]
BATCH = pad(TEXTS, 0)


def full(network: Network) -> bytes:
    return export(network, outputs=full_outputs(network))


networks = pytest.mark.parametrize(
    ("family", "pooling"),
    [
        ("bert", "cls"),
        ("bert", "mean"),
        ("distilbert", "cls"),
        ("distilbert", "mean"),
        ("roberta", "cls"),
        ("electra", "cls"),
    ],
)


def pytorchs(classifier: Classifier) -> dict[str, np.ndarray[Any, Any]]:
    with torch.inference_mode():
        attend = torch.from_numpy(BATCH.attend)
        states = classifier.eval().encoder(torch.from_numpy(BATCH.ids), attend).last
        return {"embedding": mean_pool(states, attend).numpy(), "states": states.numpy()[BATCH.attend]}


@networks
def test_its_outputs_are_the_states_their_mean_and_the_heads_logits(family: Family, pooling: Pooling) -> None:
    classifier = tiny_classifier(family=family, labels=3, pooling=pooling)
    (found,) = observe(full(Network.of(classifier)), [BATCH])
    expected = pytorchs(classifier)
    assert sorted(found) == ["embedding", "logits", "states"]
    assert np.ptp(expected["embedding"], axis=0).min() > 0.1, "the texts must have different embeddings"
    np.testing.assert_allclose(found["embedding"], expected["embedding"], atol=ROUNDING, rtol=0)
    np.testing.assert_allclose(found["states"][BATCH.attend], expected["states"], atol=ROUNDING, rtol=0)
    np.testing.assert_allclose(found["logits"], logits_of(classifier, BATCH), atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_layer_and_every_activation_are_computed_too(activation: str) -> None:
    config = EncoderConfig(
        vocab_size=len(VOCABULARY),
        hidden=24,
        layers=1,
        heads=3,
        feed_forward=40,
        max_positions=64,
        init_std=0.4,
        activation=activation,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = Classifier(config, 2)
    (found,) = observe(full(Network.of(classifier)), [BATCH])
    np.testing.assert_allclose(found["embedding"], pytorchs(classifier)["embedding"], atol=ROUNDING, rtol=0)


@networks
def test_every_weight_stays_in_the_checkpoint(tmp_path: Path, family: Family, pooling: Pooling) -> None:
    """All but one row of the segment table, which the checkpoint has among others."""
    write_tiny_bundle(tmp_path / "tiny", family=family, pooling=pooling, engine=True)
    model = onnx.load_model(tmp_path / "tiny" / EMBEDDING, load_external_data=False)
    stored = stored_tensors(tmp_path / "tiny" / "model.safetensors")
    own = [one for one in model.graph.initializer if one.data_location != onnx.TensorProto.EXTERNAL]
    assert max(one.ByteSize() for one in own) < 32 * 4 + 100
    used = {one.name for one in model.graph.initializer} - {one.name for one in own}
    left = {name for name in stored if name not in used}
    segments = f"{family}.embeddings.token_type_embeddings.weight"
    assert left == ({segments} if family != "distilbert" else set())
    tensors = load_file(tmp_path / "tiny" / "model.safetensors")
    assert (tmp_path / "tiny" / EMBEDDING).stat().st_size < 0.5 * sum(one.nbytes for one in tensors.values())


def test_the_manifest_vouches_for_it(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    assert EMBEDDING in load(tmp_path / "tiny").manifest.files


def test_it_declares_how_wide_it_is_and_that_texts_vary() -> None:
    network = Network.of(tiny_classifier(family="distilbert", labels=2, pooling="cls"))
    declared = {
        one.name: [dim.dim_param or dim.dim_value for dim in one.type.tensor_type.shape.dim]
        for one in onnx.load_model_from_string(full(network)).graph.output
    }
    assert declared == {"embedding": ["batch", 32], "states": ["batch", "tokens", 32], "logits": []}
