"""Sentence embeddings: transformers' mean of states, from whichever back end, and none without a reason."""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel

from bertline.bundle import load
from bertline.bundle.probes import EMBEDDING, PROBES
from bertline.data.batching import Batch, pad
from bertline.encoder.config import Family
from bertline.encoder.heads import Pooling
from bertline.errors import BundleError, EngineWarning
from bertline.export.graph import Graph
from bertline.inference import load as module
from bertline.inference import load_predictor
from bertline.inference.backend import Backend
from bertline.inference.onnx_backend import OnnxBackend
from bertline.inference.predictor import TextClassifier
from bertline.inference.torch_backend import TorchBackend
from bertline.statistics.activation import normalised
from bertline.testing.tiny import TEXTS, VOCABULARY, write_tiny_bundle
from bertline.text import Tokenizer

ROUNDING = 1e-5
RNG = np.random.default_rng(0)
IDS = [RNG.integers(5, len(VOCABULARY), length).tolist() for length in (2, 3, 3, 7, 12, 19, 30, 30, 31, 32)]
BATCH = pad(IDS, 0)

load_full = partial(load_predictor, output="embedding")
networks = pytest.mark.parametrize(
    ("family", "pooling"), [("bert", "cls"), ("bert", "mean"), ("distilbert", "cls"), ("distilbert", "mean")]
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "old"
    write_tiny_bundle(target, engine=True, embedding=False)
    return target


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Make imports of these fail, and those of the modules that import them."""
    real: Callable[..., Any] = builtins.__import__

    def refuse(name: str, *others: Any) -> Any:
        needs = {"bertline.inference.onnx_backend": "onnxruntime", "bertline.inference.torch_backend": "torch"}
        package = needs.get(name, name).partition(".")[0]
        if package in packages:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", refuse)


def theirs(directory: Path, batch: Batch) -> np.ndarray[Any, Any]:
    """The last layer's states by transformers."""
    model = AutoModel.from_pretrained(directory).eval()
    with torch.inference_mode():
        states: torch.Tensor = model(torch.from_numpy(batch.ids), torch.from_numpy(batch.attend).long())[0]
    return states.numpy()


def mean_of(states: np.ndarray[Any, Any], batch: Batch) -> np.ndarray[Any, Any]:
    return np.stack([one[real].mean(axis=0) for one, real in zip(states, batch.attend, strict=True)])


@pytest.mark.peer
@networks
def test_embeddings_and_states_are_transformers(tmp_path: Path, family: Family, pooling: Pooling) -> None:
    write_tiny_bundle(tmp_path / "tiny", family=family, pooling=pooling, engine=True)
    states = theirs(tmp_path / "tiny", BATCH)
    expected = mean_of(states, BATCH)
    assert BATCH.attend.mean() < 0.7
    assert np.ptp(expected, axis=0).min() > 0.1, "the texts must have different embeddings"
    for embedder in (load_full(tmp_path / "tiny"), load_full(tmp_path / "tiny", device="cpu", lanes=1)):
        assert embedder.engine == "onnx"
        np.testing.assert_allclose(embedder.compute(BATCH, "embedding"), expected, atol=ROUNDING, rtol=0)
        found = embedder.compute(BATCH, "states")
        assert found.shape == states.shape
        np.testing.assert_allclose(found[BATCH.attend], states[BATCH.attend], atol=ROUNDING, rtol=0)


@networks
def test_pytorch_gives_the_same(tmp_path: Path, family: Family, pooling: Pooling) -> None:
    write_tiny_bundle(tmp_path / "tiny", family=family, pooling=pooling, engine=True)
    graph, network = OnnxBackend(tmp_path / "tiny" / EMBEDDING), TorchBackend(tmp_path / "tiny", device="cpu")
    assert isinstance(graph, Backend)
    assert isinstance(network, Backend)
    assert load_full(tmp_path / "tiny").dimensions == graph.width("embedding") == 32
    for batch in (BATCH, pad(IDS[6:8], 0), pad(IDS[:1], 0)):
        ours, theirs = (one.compute(batch, "embedding") for one in (graph, network))
        np.testing.assert_allclose(ours, theirs, atol=ROUNDING, rtol=0)
        ours, theirs = (one.compute(batch, "states")[batch.attend] for one in (graph, network))
        np.testing.assert_allclose(ours, theirs, atol=ROUNDING, rtol=0)


def test_an_embedding_does_not_depend_on_its_batch_mates(tiny: Path) -> None:
    embedder = load_full(tiny)
    together = embedder.compute(BATCH, "embedding")
    alone = np.concatenate([embedder.compute(pad([one], 0), "embedding", alone=True) for one in IDS])
    np.testing.assert_allclose(together, alone, atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("lanes", [1, 3])
def test_lists_come_back_in_their_order_whatever_the_batches(tiny: Path, lanes: int) -> None:
    texts = TEXTS * 5
    embedder = load_full(tiny, lanes=lanes)
    found = embedder.embed(texts)
    assert (found.shape, found.dtype) == ((len(texts), embedder.dimensions), np.float32)
    one_by_one = np.concatenate([embedder.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(found, np.tile(one_by_one, (5, 1)), atol=ROUNDING, rtol=0)
    embedder.batch_tokens = 64
    np.testing.assert_allclose(embedder.embed(texts), found, atol=ROUNDING, rtol=0)


def test_the_code_of_the_guide_embeds(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guide" / "bundle.md").read_text(encoding="utf-8")
    (code,) = [one for one in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if ".embed(" in one]
    (tmp_path / "reviews").symlink_to(tiny)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    np.testing.assert_allclose(np.linalg.norm(names["vectors"], axis=1), 1, atol=1e-6)
    assert -1 < names["cosine"] < 1


def test_no_texts_have_no_embeddings(tiny: Path) -> None:
    assert load_full(tiny).embed([]).shape == (0, 32)


def test_it_identifies_itself(tiny: Path) -> None:
    embedder, predictor = load_full(tiny, lanes=2, verify=True), load_predictor(tiny)
    assert (embedder.name, embedder.version, embedder.max_tokens) == (
        predictor.name,
        predictor.version,
        predictor.max_tokens,
    )
    assert (embedder.dimensions, embedder.backend.lanes, embedder.batch_tokens, embedder.engine) == (32, 2, 512, "onnx")


def test_an_earlier_bundle_embeds_with_pytorch(tiny: Path, old: Path) -> None:
    embedder = load_full(old, device="cpu")
    assert (embedder.engine, embedder.backend.lanes, embedder.batch_tokens) == ("torch", 1, 2048)
    np.testing.assert_allclose(embedder.embed(TEXTS), load_full(tiny).embed(TEXTS), atol=ROUNDING, rtol=0)


def test_the_error_for_an_old_bundle_without_pytorch_gives_the_remedy(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "torch")
    with pytest.raises(
        BundleError, match=r"old has no embedding\.onnx, .* run bertline optimize on it where PyTorch is"
    ):
        load_full(old)


def test_without_onnxruntime_pytorch_embeds_and_a_warning_says_so(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "onnxruntime")
    with pytest.warns(EngineWarning, match=r"onnxruntime, which is not installed: .*; torch embeds instead"):
        embedder = load_full(tiny, device="cpu")
    assert embedder.engine == "torch"


def test_without_either_library_the_remedy_is_the_serving_install(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "onnxruntime", "torch")
    with pytest.raises(BundleError, match=r"embedding\.onnx needs onnxruntime, .*pip install 'bertline\[serve\]'"):
        load_full(tiny)


def test_another_missing_library_is_not_hidden(tiny: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = builtins.__import__

    def refuse(name: str, *others: Any) -> Any:
        if name in ("bertline.inference.onnx_backend", "bertline.inference.torch_backend"):
            raise ModuleNotFoundError("No module named 'jaxtyping'", name="jaxtyping")
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for bundle in (tiny, old):
        with pytest.raises(ModuleNotFoundError, match="jaxtyping"):
            load_full(bundle)


def test_a_gpu_is_for_pytorch(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "torch")
    with pytest.raises(BundleError, match=r"embeds on a GPU with PyTorch alone, .*pip install 'bertline\[train\]'"):
        load_full(tiny, device="cuda")


def altered(bundle: Path, target: Path, file: str, content: bytes) -> Path:
    """A copy of a bundle with another file in it, its manifest in order."""
    from bertline.bundle import writing

    manifest = load(bundle).manifest
    with writing(target, manifest) as staging:
        for path in manifest.files:
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            (staging / path).write_bytes(content if path == file else (bundle / path).read_bytes())
    return target


def test_a_graph_that_answers_otherwise_here_is_not_used(tiny: Path, tmp_path: Path) -> None:
    content = json.loads((tiny / PROBES).read_text(encoding="utf-8"))
    content["logits"]["full"] = [[x + 0.05 * i for i, x in enumerate(row)] for row in content["logits"]["full"]]
    wrong = altered(tiny, tmp_path / "wrong", PROBES, json.dumps(content).encode())
    with pytest.warns(EngineWarning, match=r"its logits of the probe texts are off by \d.*; torch embeds instead"):
        embedder = load_full(wrong, device="cpu")
    assert embedder.engine == "torch"


@pytest.mark.parametrize("outputs", [("logits",), ("embedding", "hidden")])
def test_a_file_that_is_not_an_embedding_graph_is_not_used(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: tuple[str, ...]
) -> None:
    graph = Graph()
    result = graph.add("Cast", "ids", to=1)
    content = graph.finish({"ids": ("batch", "tokens")}, dict.fromkeys(outputs, result))
    other = altered(tiny, tmp_path / "other", EMBEDDING, content)
    without(monkeypatch, "torch")
    with pytest.raises(
        BundleError, match=r"embedding\.onnx does not say how wide its embedding is: make it again with"
    ):
        load_full(other)


def test_a_bundle_without_probes_is_not_compared(tiny: Path, tmp_path: Path) -> None:
    bare = altered(tiny, tmp_path / "bare", PROBES, json.dumps({"texts": [], "logits": {}}).encode())
    assert load_full(bare).engine == "onnx"


class Broken:
    """A back end whose weights were spoilt."""

    lanes, outputs = 1, frozenset({"embedding", "states"})

    def compute(self, batch: Batch, output: str = "logits", *, alone: bool = False) -> np.ndarray[Any, Any]:
        if output == "embedding":
            return np.full((len(batch.ids), 2), np.nan, dtype=np.float32)
        return np.full((*batch.ids.shape, 2), np.inf, dtype=np.float32)


def test_states_that_are_not_finite_are_a_bundle_error(tiny: Path) -> None:
    embedder = TextClassifier(load(tiny), Tokenizer.from_directory(tiny), Broken(), batch_tokens=64, engine="broken")
    for compute in (lambda: embedder.embed(["a"]), lambda: embedder.compute(BATCH, "states")):
        with pytest.raises(BundleError, match="the weights of tiny give a state that is not a finite number: train it"):
            compute()


def test_a_bundle_replaced_while_it_is_loaded_is_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "tiny"
    write_tiny_bundle(target, engine=True)
    graph, seen = module._Loader._graph, []

    def replacing(loader: module._Loader, *given: Any, **how: Any) -> Backend:
        seen.append(loader.bundle.version)
        if len(seen) == 1:
            write_tiny_bundle(target, engine=True, seed=1, overwrite=True)
        return graph(loader, *given, **how)

    monkeypatch.setattr(module._Loader, "_graph", replacing)
    embedder = load_full(target)
    assert len(set(seen)) == 2
    assert embedder.version == load(target).version == seen[1]


def test_a_bundle_that_never_rests_is_an_error(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bertline.bundle.Bundle.is_current", lambda bundle: False)
    with pytest.raises(BundleError, match="is being replaced again and again: wait until its writer is done"):
        load_full(tiny)


def test_a_damaged_file_is_found_on_request(tiny: Path, tmp_path: Path) -> None:
    copy = altered(tiny, tmp_path / "copy", "", b"")
    content = bytearray((copy / EMBEDDING).read_bytes())
    content[-1] ^= 1
    (copy / EMBEDDING).write_bytes(content)
    with pytest.raises(BundleError, match=r"embedding\.onnx in .* was altered after the bundle was written"):
        load_full(copy, verify=True)


def test_normalised_rows_have_length_one_and_zeros_stay() -> None:
    rows = np.array([[3, 4, 0], [0, 0, 0], [1e-25, 0, 0], [1e25, 1e25, 0]], dtype=np.float32)
    found = normalised(rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 1, 1], rtol=1e-6)
    np.testing.assert_array_equal(rows[0], [3, 4, 0])
    np.testing.assert_array_equal(normalised(rows.reshape(2, 2, 3)), found.reshape(2, 2, 3))
