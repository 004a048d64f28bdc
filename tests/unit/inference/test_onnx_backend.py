from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from bertline.bundle.probes import EMBEDDING
from bertline.data.batching import Batch, pad
from bertline.encoder.config import Family
from bertline.encoder.heads import Pooling
from bertline.errors import BundleError
from bertline.export.exporter import FP32
from bertline.export.graph import MICROSOFT, Graph
from bertline.inference import load_predictor
from bertline.inference import onnx_backend as module
from bertline.inference.onnx_backend import WIDE_TOKENS, OnnxBackend
from bertline.inference.torch_backend import TorchBackend
from bertline.testing.tiny import TEXTS, VOCABULARY, write_tiny_bundle

RNG = np.random.default_rng(0)
IDS = [RNG.integers(5, len(VOCABULARY), length).tolist() for length in RNG.integers(2, 32, 24)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture(scope="module")
def backend(tiny: Path) -> OnnxBackend:
    return OnnxBackend(tiny / str(FP32.file), lanes=2)


@pytest.mark.parametrize("family", ["bert", "distilbert"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_it_answers_as_pytorch_does(tmp_path: Path, family: Family, pooling: Pooling) -> None:
    write_tiny_bundle(tmp_path / "tiny", family=family, pooling=pooling, engine=True)
    ours = OnnxBackend(tmp_path / "tiny" / "model.onnx", lanes=1).compute(pad(IDS, 0))
    theirs = TorchBackend(tmp_path / "tiny", device="cpu").compute(pad(IDS, 0))
    assert np.ptp(theirs, axis=0).min() > 0.5, "the texts must have different answers"
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


def test_texts_are_answered_as_with_pytorch_whatever_the_size_of_a_batch(tiny: Path) -> None:
    expected = load_predictor(tiny, engine="torch", device="cpu").score(TEXTS).logits
    for batch_tokens in (16, 64, 4096):
        found = load_predictor(tiny, engine="fp32", batch_tokens=batch_tokens, lanes=2).score(TEXTS).logits
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


def test_several_threads_at_once_get_the_answers_of_one(backend: OnnxBackend) -> None:
    batches = [pad(IDS[start : start + 4], 0) for start in range(0, len(IDS), 4)] * 8
    alone = [backend.compute(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(backend.compute, batches))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(other, one)


@pytest.mark.parametrize("number", [1, len(IDS)])
def test_a_batch_on_its_own_gets_the_same_answer(backend: OnnxBackend, number: int) -> None:
    batch = pad(IDS[:number], 0)
    assert (batch.ids.size >= WIDE_TOKENS["fp32"]) == (number > 1), "one batch for each way"
    np.testing.assert_allclose(backend.compute(batch, alone=True), backend.compute(batch), atol=1e-5, rtol=0)


def test_it_uses_a_lane_per_core_by_default(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: 3)
    assert OnnxBackend(tiny / "model.onnx").lanes == 3
    assert OnnxBackend(tiny / "model.onnx", lanes=1).lanes == 1


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x0b"])
def test_a_file_that_is_not_a_graph_is_a_bundle_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.onnx: onnxruntime cannot load it \(.*\): make it again with") as one:
        OnnxBackend(path)
    assert "\n" not in str(one.value)


def test_a_graph_whose_weights_are_missing_is_a_bundle_error(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes((tiny / "model.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"model\.onnx: onnxruntime cannot load it \(.*model\.safetensors"):
        OnnxBackend(tmp_path / "model.onnx")


def test_a_graph_with_other_inputs_is_a_bundle_error(tmp_path: Path) -> None:
    graph = Graph()
    result = graph.add("Cast", "pixels", to=1)
    (tmp_path / "other.onnx").write_bytes(graph.finish({"pixels": ("batch", "tokens")}, {"logits": result}))
    with pytest.raises(BundleError, match=r"other\.onnx: onnxruntime cannot compute it \(Required inputs"):
        OnnxBackend(tmp_path / "other.onnx", lanes=1).compute(pad(IDS[:1], 0))


def test_an_id_outside_the_table_is_a_bundle_error(backend: OnnxBackend) -> None:
    wrong = pad([[2, len(VOCABULARY), 3]], 0)
    with pytest.raises(BundleError, match=r"model\.onnx: onnxruntime cannot compute it \(.*"):
        backend.compute(Batch(wrong.ids, wrong.attend))


def test_the_outputs_of_a_graph_are_computed_by_name(tiny: Path) -> None:
    graph, network, batch = OnnxBackend(tiny / EMBEDDING), TorchBackend(tiny, device="cpu"), pad(IDS, 0)
    assert graph.outputs == network.outputs == {"logits", "embedding", "states"}
    for output in graph.outputs:
        real = batch.attend if output == "states" else ...
        found = graph.compute(batch, output)[real]
        np.testing.assert_allclose(graph.compute(batch, output, alone=True)[real], found, atol=1e-5, rtol=0)
        np.testing.assert_allclose(network.compute(batch, output)[real], found, atol=1e-5, rtol=0)
    np.testing.assert_allclose(OnnxBackend(tiny / "model.onnx").compute(batch), graph.compute(batch), atol=1e-5, rtol=0)


def test_graphs_of_format_1_call_the_states_hidden(tiny: Path, tmp_path: Path) -> None:
    model = onnx.load_model(tiny / EMBEDDING)
    (node,) = [one for one in model.graph.node if "states" in one.output]
    node.output[:] = ["hidden"]
    for one in model.graph.node:
        one.input[:] = ["hidden" if name == "states" else name for name in one.input]
    next(one for one in model.graph.output if one.name == "states").name = "hidden"
    onnx.save_model(model, tmp_path / "old.onnx")
    old, new, batch = OnnxBackend(tmp_path / "old.onnx"), OnnxBackend(tiny / EMBEDDING), pad(IDS, 0)
    assert (old.outputs, old.width("states")) == (new.outputs, 32)
    np.testing.assert_array_equal(old.compute(batch, "states"), new.compute(batch, "states"))


def test_pairs_are_refused_by_a_graph_that_reads_none(tiny: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx reads no pairs of texts: make it again with bertline optimize"):
        OnnxBackend(tiny / "model.onnx").compute(pad([[2, 7, 3, 8, 3]], 0, [[0, 0, 0, 1, 1]]))


def test_an_output_that_a_graph_has_not_is_a_bundle_error(tiny: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx: onnxruntime cannot compute it \(.*"):
        OnnxBackend(tiny / "model.onnx", lanes=1).compute(pad(IDS[:1], 0), "embedding")


def test_the_file_gives_the_width_of_an_output(tiny: Path) -> None:
    graph = OnnxBackend(tiny / EMBEDDING)
    assert (graph.width("embedding"), graph.width("states")) == (32, 32)
    with pytest.raises(BundleError, match=r"embedding\.onnx does not say how wide its absent is: make it again with"):
        graph.width("absent")


# ------------------------------------------------------------------------------- how bytes are multiplied here


def test_the_timed_product_equals_the_exported_one() -> None:
    """Serving has no onnx: the graph is a constant of the program."""
    byte, signed, whole = onnx.TensorProto.UINT8, onnx.TensorProto.INT8, onnx.TensorProto.INT32
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "g",
        [
            helper.make_tensor_value_info("a", byte, ["m", "k"]),
            helper.make_tensor_value_info("b", signed, ["k", "n"]),
        ],
        [helper.make_tensor_value_info("y", whole, ["m", "n"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 10)], ir_version=10)
    assert model.SerializeToString() == module._PRODUCT


@pytest.mark.parametrize("overflows", [False, True])
@pytest.mark.parametrize("largest", [63, 127])
def test_the_largest_products_are_exact_however_bytes_are_multiplied(
    monkeypatch: pytest.MonkeyPatch, largest: int, overflows: bool
) -> None:
    """M2: with what the processor does fastest, where that is right, and with the exact way."""
    if not overflows and module.adds_in_16_bits():
        pytest.skip("this processor cannot do it the fast way")
    monkeypatch.setattr(module, "adds_in_16_bits", lambda: overflows)
    graph = Graph({})
    weight, zero = np.full((64, 16), largest, np.int8), np.uint8(0)
    eight = graph.add("Cast", "lengths", to=onnx.TensorProto.UINT8)
    one = graph.constant(np.float32(1))
    product = graph.add(
        "MatMulIntegerToFloat",
        *(graph.add("Expand", eight, graph.constant(np.array([2, 64]))), graph.constant(weight), one),
        *(graph.constant(np.ones(16, np.float32)), graph.constant(zero), ""),
        graph.constant(np.zeros(16, np.float32)),
        domain=MICROSOFT,
    )
    model = graph.finish({"lengths": (1,)}, {"logits": product})
    session = onnxruntime.InferenceSession(model, module._options(1), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"lengths": np.array([255])})
    np.testing.assert_array_equal(found, np.full((2, 16), 64 * 255 * largest, np.float32))
