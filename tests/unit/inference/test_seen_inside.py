"""Answers come from the engine, and the inside from the graph of attentions, which is checked as it is loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bertline.bundle.probes import ATTENTIONS
from bertline.errors import BundleError, UsageError
from bertline.inference import load_predictor
from bertline.inference.seen_inside import SeenInside
from bertline.testing.tiny import write_tiny_bundle
from tests.unit.inference.test_load_full import altered, without


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


def test_each_output_has_its_source(tiny: Path) -> None:
    engine, graph = load_predictor(tiny), load_predictor(tiny, output="attentions")
    seen = SeenInside(engine, graph)
    (_,), ((logits,),) = seen.pieces(["a film"], "logits")
    np.testing.assert_array_equal(logits, engine.pieces(["a film"], "logits")[1][0][0])
    (reading,), ((attentions,),) = seen.pieces(["a film"], "attentions")
    tokens = len(reading.pieces[0].ids)
    assert attentions.shape == (2, 4, tokens, tokens)
    assert "attentions" not in engine.backend.outputs


def test_the_linear_model_of_words_has_no_layers(tiny: Path) -> None:
    engine = load_predictor(tiny)
    engine.engine = "words"
    with pytest.raises(UsageError) as caught:
        SeenInside(engine, load_predictor(tiny, output="attentions"))
    assert str(caught.value) == (
        "tiny answers with the engine words, which has no layers to look into: load it without that engine"
    )


def test_torch_is_not_needed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "torch")
    assert load_predictor(tiny, output="layers").engine == "onnx"


def test_onnxruntime_is(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "onnxruntime")
    with pytest.raises(BundleError) as caught:
        load_predictor(tiny, output="attentions")
    path = tiny / ATTENTIONS
    assert str(caught.value) == f"{path} needs onnxruntime, which is not installed: pip install 'bertline[serve]'"


def test_a_graph_of_another_network_is_refused(tiny: Path, tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "seeded", engine=True, seed=1)
    weights = (tmp_path / "seeded" / "model.safetensors").read_bytes()
    other = altered(tiny, tmp_path / "other", "model.safetensors", weights)
    with pytest.raises(BundleError, match=r"attentions\.onnx: its logits .*copy the bundle again from its source$"):
        load_predictor(other, output="attentions")
