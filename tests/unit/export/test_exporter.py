"""The graph against the PyTorch classifier that it was made of, computed by onnxruntime."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import load_file

from bertline.bundle.probes import TOLERANCE, deviation
from bertline.data.batching import Batch, pad
from bertline.encoder.config import ACTIVATIONS, EncoderConfig, Family
from bertline.encoder.encoder import Layer
from bertline.encoder.heads import Classifier, Pooling
from bertline.export.exporter import FP32, Recipe, export, full_outputs
from bertline.export.graph import stored_tensors
from bertline.export.network import Network
from bertline.inference.onnx_backend import OnnxBackend, observe
from bertline.optimization.calibrate import observe_inputs
from bertline.optimization.vocabulary import prune
from bertline.testing.tiny import VOCABULARY, logits_of, tiny_classifier, write_tiny_bundle

Array = np.ndarray[Any, Any]
ROUNDING = 1e-5
RNG = np.random.default_rng(0)
TEXTS = [RNG.integers(5, len(VOCABULARY), length).tolist() for length in (2, 3, 3, 7, 12, 19, 30, 30, 41, 63)]

NETWORKS: list[tuple[Family, Pooling]] = [
    *(("bert", "cls"), ("bert", "mean"), ("bert", "normalised"), ("distilbert", "cls"), ("distilbert", "mean")),
    *(("roberta", "cls"), ("electra", "cls")),
]
networks = pytest.mark.parametrize(("family", "pooling"), NETWORKS)


def answers(model: bytes, *batches: Batch) -> Array:
    return np.concatenate([one["logits"] for one in observe(model, batches)])


def one_by_one(model: bytes) -> Array:
    return answers(model, *(pad([text], 0) for text in TEXTS))


def network_of(family: Family, pooling: Pooling) -> Network:
    return Network.of(tiny_classifier(family=family, labels=3, pooling=pooling))


def eight_bits(network: Network) -> Recipe:
    observed = observe_inputs(network, [pad(TEXTS, 0)])
    return Recipe(observed=observed, balanced=frozenset(observed), small_table=True)


def operators(model: bytes) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load_model_from_string(model).graph.node)


@networks
def test_fp32_gives_the_classifiers_logits(family: Family, pooling: Pooling) -> None:
    classifier = tiny_classifier(family=family, labels=3, pooling=pooling)
    model = export(Network.of(classifier))
    for batch in (pad(TEXTS, 0), pad(TEXTS[:1], 0), pad(TEXTS[6:8], 0)):
        expected = logits_of(classifier, batch)
        np.testing.assert_allclose(answers(model, batch), expected, atol=ROUNDING, rtol=0)
    assert np.ptp(logits_of(classifier, pad(TEXTS, 0)), axis=0).min() > 0.5, "the texts must have different answers"


def seeded(config: EncoderConfig, pooling: Pooling) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Classifier(config, 4, pooling)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_the_encoders(activation: str) -> None:
    config = EncoderConfig(
        family="bert",
        vocab_size=len(VOCABULARY),
        hidden=24,
        layers=2,
        heads=3,
        feed_forward=40,
        max_positions=64,
        init_std=0.4,
        activation=activation,
    )
    classifier, batch = seeded(config, "cls"), pad(TEXTS, 0)
    found = answers(export(Network.of(classifier)), batch)
    np.testing.assert_allclose(found, logits_of(classifier, batch), atol=ROUNDING, rtol=0)


def test_no_two_activations_give_the_same_graph() -> None:
    """So the test above can tell them apart; the two tanh approximations are one."""
    classifier = tiny_classifier(family="bert", labels=2, pooling="cls")
    network = Network.of(classifier)
    graphs = {export(replace(network, config=replace(network.config, activation=one))) for one in ACTIVATIONS}
    assert len(graphs) == len(ACTIVATIONS) - 1


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_network_of_one_layer_is_computed_too(pooling: Pooling) -> None:
    config = EncoderConfig(
        family="distilbert",
        vocab_size=len(VOCABULARY),
        hidden=16,
        layers=1,
        heads=2,
        feed_forward=8,
        max_positions=64,
        segments=0,
        init_std=0.4,
    )
    classifier, batch = seeded(config, pooling), pad(TEXTS, 0)
    found = answers(export(Network.of(classifier)), batch)
    np.testing.assert_allclose(found, logits_of(classifier, batch), atol=ROUNDING, rtol=0)


@networks
@pytest.mark.parametrize("idle", [[0], [1, 3], [0, 1, 2, 3]])
def test_heads_that_add_nothing_are_not_computed(family: Family, pooling: Pooling, idle: list[int]) -> None:
    classifier, batch = tiny_classifier(family=family, labels=3, pooling=pooling), pad(TEXTS, 0)
    whole = export(Network.of(classifier))
    for layer in classifier.encoder.layers:
        assert isinstance(layer, Layer)
        layer.attention.silence(torch.isin(torch.arange(4), torch.tensor(idle)))
    network = Network.of(classifier)
    model = export(network)
    np.testing.assert_allclose(answers(model, batch), logits_of(classifier, batch), atol=ROUNDING, rtol=0)
    kept = max(1, 4 - len(idle))
    assert [network.heads(layer) for layer in range(2)] == [kept, kept]
    of_a_head = 4 * 8 * (4 * 32 + 2)  # bytes of query, key, value and way out, without the key's bias
    assert len(whole) - len(model) > 0.95 * 2 * (4 - kept) * of_a_head
    eight = answers(export(network, eight_bits(network)), batch)
    assert deviation(eight, logits_of(classifier, batch)) < TOLERANCE["int8"]
    np.testing.assert_allclose(
        answers(export(network, outputs=full_outputs(network)), batch),
        logits_of(classifier, batch),
        atol=ROUNDING,
        rtol=0,
    )


@networks
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_answer_to_a_text_does_not_depend_on_its_batch_mates(
    family: Family, pooling: Pooling, precision: str
) -> None:
    network = network_of(family, pooling)
    model = export(network, eight_bits(network) if precision == "int8" else Recipe())
    np.testing.assert_allclose(answers(model, pad(TEXTS, 0)), one_by_one(model), atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("family", ["bert", "roberta", "electra"])
def test_eight_bits_cost_every_family_alike(family: Family) -> None:
    batch, off = pad(TEXTS, 0), []
    for seed in range(3):
        classifier = tiny_classifier(family=family, labels=3, pooling="cls", seed=seed)
        network = Network.of(classifier)
        off.append(deviation(logits_of(classifier, batch), answers(export(network, eight_bits(network)), batch)))
    assert np.mean(off) < TOLERANCE["int8"] / 2


@pytest.mark.parametrize(("family", "pooling"), NETWORKS[:-1])
def test_eight_bits_are_close_and_smaller(family: Family, pooling: Pooling) -> None:
    classifier = tiny_classifier(family=family, labels=3, pooling=pooling)
    network, batch = Network.of(classifier), pad(TEXTS, 0)
    model = export(network, eight_bits(network))
    off = deviation(logits_of(classifier, batch), answers(model, batch))
    assert 1e-3 < off < TOLERANCE["int8"] / 2, "coarser than fp32, and well within what a loader allows"
    assert len(model) < 0.6 * len(export(network))


def test_balancing_rescues_a_channel_with_outliers() -> None:
    classifier = tiny_classifier(family="bert", labels=3, pooling="mean")
    with torch.no_grad():  # one channel a hundred times as large as the others, whose weights make up for it
        for layer in classifier.encoder.layers:
            layer.up.bias[3] += 60.0
            layer.down.weight[:, 3] /= 100.0
    network, batch = Network.of(classifier), pad(TEXTS, 0)
    observed = observe_inputs(network, [batch])
    plain, balanced = (
        deviation(logits_of(classifier, batch), answers(export(network, recipe), batch))
        for recipe in (Recipe(observed=observed), Recipe(observed=observed, balanced=frozenset(observed)))
    )
    assert balanced < plain / 2


def test_products_excluded_from_int8_stay_in_fp32() -> None:
    network = network_of("bert", "mean")
    observed = observe_inputs(network, [pad(TEXTS, 0)])
    assert sorted(observed) == sorted(f"{layer}.{name}" for layer in (0, 1) for name in ("qkv", "out", "up", "down"))
    every = export(network, Recipe(observed=observed))
    less = export(network, Recipe(observed=observed, float_products=frozenset({"0.qkv", "1.down"})))
    none = export(network, Recipe(observed=observed, float_products=frozenset(observed)))
    assert operators(every)["MatMulIntegerToFloat"] == 12  # query, key and value are three
    assert operators(less)["MatMulIntegerToFloat"] == 8
    assert none == export(network)


def test_weights_for_cpus_that_saturate_stay_below_64() -> None:
    network = network_of("bert", "cls")
    model = export(network, replace(eight_bits(network), largest=63, small_table=False))
    weights = [
        onnx.numpy_helper.to_array(one)
        for one in onnx.load_model_from_string(model).graph.initializer
        if one.data_type == onnx.TensorProto.INT8
    ]
    assert {int(np.abs(one).max()) for one in weights} == {63}


def test_a_smaller_vocabulary_gives_texts_that_it_covers_the_identical_answer() -> None:
    network = network_of("bert", "cls")
    ids = Counter(id_ for text in TEXTS[:5] for id_ in text)
    table = network.named("encoder.embeddings.token.weight")[1]
    pruned = prune(table, ids, always=[0], rows=len(ids) + 1)
    recipe = eight_bits(network)
    whole, small = (export(network, one) for one in (recipe, replace(recipe, vocabulary=pruned.row, kept=pruned.kept)))
    covered = [pruned.covers(text) for text in TEXTS]
    assert covered == [True] * 5 + [False] * 5
    before, after = one_by_one(whole), one_by_one(small)
    np.testing.assert_array_equal(after[:5], before[:5])
    assert (after[5:] != before[5:]).any(axis=1).all(), "other texts are answered from neighbours"
    names = {one.name: one.dims for one in onnx.load_model_from_string(small).graph.initializer}
    assert names["kept row"] == [len(VOCABULARY)]
    assert [len(VOCABULARY), 32] not in [list(dims) for dims in names.values()]


def test_taps_are_the_inputs_of_the_products() -> None:
    classifier, batch = tiny_classifier(family="bert", labels=3, pooling="mean").eval(), pad(TEXTS, 0)
    (tapped,) = observe(export(Network.of(classifier), Recipe(taps=True)), [batch])
    with torch.inference_mode():
        states = classifier.encoder(
            torch.from_numpy(batch.ids), torch.from_numpy(batch.attend), want_hidden_states=True
        ).hidden_states
    assert states is not None
    for layer in (0, 1):
        expected = states[layer].numpy()[batch.attend]
        found = tapped[f"{layer}.qkv"][batch.attend.ravel()]
        np.testing.assert_allclose(found, expected, atol=ROUNDING, rtol=0)
    assert tapped["1.down"].shape == (batch.ids.size, 64)


def test_a_network_whose_logits_are_scaled_gives_scaled_logits() -> None:
    network, batch = network_of("distilbert", "cls"), pad(TEXTS, 0)
    plain, scaled = (answers(export(one), batch) for one in (network, network.scaled(1.75)))
    np.testing.assert_allclose(scaled, 1.75 * plain, atol=ROUNDING, rtol=0)


@networks
def test_the_engine_of_a_bundle_holds_no_copy_of_a_matrix(tmp_path: Path, family: Family, pooling: Pooling) -> None:
    write_tiny_bundle(tmp_path / "tiny", family=family, pooling=pooling, engine=True)
    graph = (tmp_path / "tiny" / str(FP32.file)).read_bytes()
    matrices = {name: one for name, one in load_file(tmp_path / "tiny" / "model.safetensors").items() if one.ndim == 2}
    assert len(matrices) > 14
    assert not [name for name, one in matrices.items() if one.tobytes() in graph]


def test_the_engine_of_a_bundle_reads_its_checkpoint(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    weights, file = tmp_path / "tiny" / "model.safetensors", tmp_path / "tiny" / str(FP32.file)
    batch = pad(TEXTS[:3], 0)
    before = OnnxBackend(file, lanes=1).compute(batch)
    content, place = bytearray(weights.read_bytes()), stored_tensors(weights)["classifier.bias"]
    bias = np.frombuffer(content[place.offset : place.offset + place.bytes], dtype=np.float32)
    content[place.offset : place.offset + place.bytes] = (bias + np.float32([1, 2, 3])).tobytes()
    weights.write_bytes(content)
    moved = OnnxBackend(file, lanes=1).compute(batch) - before
    np.testing.assert_allclose(moved, np.broadcast_to([1, 2, 3], moved.shape), atol=ROUNDING, rtol=0)
