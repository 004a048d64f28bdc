"""M2, M3: int8 engines give the right answers on every kind of processor, wherever they were made."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bertline.bundle import Manifest, load, writing
from bertline.bundle.engine import Engine
from bertline.bundle.probes import TOLERANCE, deviation
from bertline.data.batching import pad
from bertline.encoder.config import Family
from bertline.encoder.encoder import Layer
from bertline.encoder.heads import Pooling
from bertline.export.exporter import FP32, Recipe, export
from bertline.export.network import Network
from bertline.export.quantise import EIGHT_BITS, SEVEN_BITS
from bertline.inference import load_predictor
from bertline.inference.onnx_backend import adds_in_16_bits, observe
from bertline.optimization import run
from bertline.optimization.calibrate import observe_inputs
from bertline.optimization.cold_start import ColdStart
from bertline.optimization.run import optimize
from bertline.optimization.settings import OptimizeSettings
from bertline.testing.tiny import TEXTS, VOCABULARY, logits_of, tiny_classifier, tiny_tokenizer, write_tiny_bundle
from bertline.text import Reader, Truncation
from tests.processors import EMULATED, OVERFLOWS, emulated

RNG = np.random.default_rng(0)
IDS = [RNG.integers(5, len(VOCABULARY), length).tolist() for length in (2, 3, 3, 7, 12, 19, 30, 30, 41, 63)]
BATCH = pad(IDS, 0)
# Of logits from two processors: in int8, rounding in between can move an activation by one of its 255 steps.
ROUNDING = {"fp32": 1e-4, "int8": 0.02}
QUICK = OptimizeSettings(max_accuracy_drop=100, repetitions=1, speed_rows=16)

# The suite has the processor on which products of eight bits overflow; `make drill` has the other one too.
kinds = pytest.mark.parametrize(
    "kind", [one if OVERFLOWS[one] else pytest.param(one, marks=pytest.mark.drill) for one in EMULATED]
)


# ---------------------------------------------------------------------------------------------------- graphs

COMPUTE = """
import json, sys
from pathlib import Path
from bertline.data.batching import pad
from bertline.inference.onnx_backend import adds_in_16_bits, observe
folder, batch = Path(sys.argv[1]), pad(json.loads(sys.argv[2]), 0)
logits = {file.name: next(observe(file.read_bytes(), [batch]))["logits"].tolist() for file in folder.iterdir()}
print(json.dumps({"overflows": adds_in_16_bits(), "logits": logits}))
"""


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray[Any, Any]]]:
    """Graphs in eight bits of every family and pooling, with idle heads and without, and what PyTorch computes."""
    folder, expected = tmp_path_factory.mktemp("graphs"), {}
    families: tuple[Family, ...] = ("bert", "distilbert")
    poolings: tuple[Pooling, ...] = ("cls", "mean")
    for family in families:
        for pooling in poolings:
            for idle in ([], [0], [1, 3]):
                classifier = tiny_classifier(family=family, labels=3, pooling=pooling)
                for layer in classifier.encoder.layers:
                    assert isinstance(layer, Layer)
                    layer.attention.silence(torch.isin(torch.arange(4), torch.tensor(idle)))
                network = Network.of(classifier)
                observed = observe_inputs(network, [BATCH])
                for largest in (SEVEN_BITS, EIGHT_BITS):
                    recipe = Recipe(observed=observed, balanced=frozenset(observed), small_table=True, largest=largest)
                    name = f"{family}-{pooling}-{len(idle)}-{largest}.onnx"
                    (folder / name).write_bytes(export(network, recipe))
                    expected[name] = logits_of(classifier, BATCH)
    return folder, expected


@pytest.mark.drill
@pytest.mark.parametrize("kind", EMULATED)
def test_graphs_in_eight_bits_are_close_to_fp32_on_every_processor(
    graphs: tuple[Path, dict[str, np.ndarray[Any, Any]]], kind: str
) -> None:
    """M2: the same on a processor that adds pairs of products in 16 bits; weights of eight bits overflow there."""
    folder, expected = graphs
    found = json.loads(emulated(kind, COMPUTE, folder, json.dumps(IDS)))
    assert found["overflows"] is OVERFLOWS[kind], "else this test shows nothing"
    assert len(expected) == len(found["logits"]) == 24
    off = {name: deviation(expected[name], np.array(logits)) for name, logits in found["logits"].items()}
    assert max(off.values()) < TOLERANCE["int8"], off
    apart = {name: deviation(computed_here(folder / name), np.array(one)) for name, one in found["logits"].items()}
    assert max(apart.values()) < ROUNDING["int8"], apart


def test_graphs_in_eight_bits_are_close_to_fp32_here(graphs: tuple[Path, dict[str, np.ndarray[Any, Any]]]) -> None:
    """M2: whatever instructions this processor has."""
    folder, expected = graphs
    for name, logits in expected.items():
        assert deviation(logits, computed_here(folder / name)) < TOLERANCE["int8"], (name, adds_in_16_bits())


def computed_here(graph: Path) -> np.ndarray[Any, Any]:
    (found,) = observe(graph.read_bytes(), [BATCH])
    return found["logits"]


# --------------------------------------------------------------------------------------------------- bundles

SERVE = """
import json, sys, warnings
from pathlib import Path
from bertline.bundle import load
from bertline.inference import load_predictor
warnings.simplefilter("error")
bundle, texts = Path(sys.argv[1]), json.loads(sys.argv[2])
answers = {"": load_predictor(bundle, lanes=1)}
answers |= {one.name: load_predictor(bundle, lanes=1, engine=one.name) for one in load(bundle).manifest.engines}
print(json.dumps({name: [one.engine, one.score(texts).logits.tolist()] for name, one in answers.items()}))
"""
OPTIMIZE = """
import sys
from pathlib import Path
from bertline.optimization import run
from bertline.optimization.cold_start import ColdStart
from bertline.optimization.settings import OptimizeSettings
run.measure_cold_start = lambda *_, **__: ColdStart(0.25, 42.0)
run.optimize(Path(sys.argv[1]), OptimizeSettings.model_validate_json(sys.argv[2]), print)
"""


@pytest.fixture(scope="module")
def optimized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose engines were made and measured on this processor."""
    target = tmp_path_factory.mktemp("here") / "tiny"
    write_tiny_bundle(target, engine=True, rows=40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "measure_cold_start", lambda *_, **__: ColdStart(0.25, 42.0))
        optimize(target, QUICK, lambda _: None)
    return target


def answers(bundle: Path) -> dict[str, list[Any]]:
    """As ``SERVE`` gives them, on this processor; a warning that an engine is left out is an error of the test run."""
    predictors = {"": load_predictor(bundle)}
    predictors |= {one.name: load_predictor(bundle, engine=one.name) for one in load(bundle).manifest.engines}
    return {name: [one.engine, one.score(TEXTS).logits.tolist()] for name, one in predictors.items()}


def assert_alike(found: dict[str, list[Any]], expected: dict[str, list[Any]], bundle: Path) -> None:
    """The same engines answer, with the same logits but for rounding."""
    precision = {one.name: one.precision for one in load(bundle).manifest.engines}
    assert {name: engine for name, (engine, _) in found.items()} == {name: one for name, (one, _) in expected.items()}
    for name, (engine, logits) in expected.items():
        off = deviation(np.array(logits), np.array(found[name][1]))
        assert off < ROUNDING[precision[engine]], (name, off)


@kinds
def test_engines_built_here_answer_identically_on_another_processor(optimized: Path, kind: str) -> None:
    """M3: no engine is left out, no warning is given."""
    names = {one.name for one in load(optimized).manifest.engines}
    assert {"fp32", "int8", "small"} <= names
    found = json.loads(emulated(kind, SERVE, optimized, json.dumps(TEXTS)))
    assert_alike(found, answers(optimized), optimized)


@pytest.mark.drill
def test_engines_built_on_another_processor_answer_identically_here(tmp_path: Path) -> None:
    """M3: the other way round."""
    write_tiny_bundle(tmp_path / "tiny", engine=True, rows=40)
    kind = "AVX2 without VNNI"
    emulated(kind, OPTIMIZE, tmp_path / "tiny", QUICK.model_dump_json())
    assert {"fp32", "int8", "small"} <= {one.name for one in load(tmp_path / "tiny").manifest.engines}
    found = json.loads(emulated(kind, SERVE, tmp_path / "tiny", json.dumps(TEXTS)))
    assert_alike(found, answers(tmp_path / "tiny"), tmp_path / "tiny")


@pytest.mark.drill
@pytest.mark.parametrize("kind", ["AVX2 without VNNI"])
def test_fully_int8_engines_of_earlier_versions_still_answer_identically(tmp_path: Path, kind: str) -> None:
    """M3: bundles that are there already were optimized beside VNNI, with weights up to 127."""
    write_tiny_bundle(tmp_path / "made", engine=True)
    network = Network.of(tiny_classifier(family="bert", labels=3, pooling="cls"))
    batch = pad([one.piece.ids for one in Reader(tiny_tokenizer(), Truncation(32)).read(TEXTS)], 0)
    observed = observe_inputs(network, [batch])
    earlier = Engine(name="int8", precision="int8", file="engines/int8.onnx")
    manifest = Manifest(**{**dict(load(tmp_path / "made").manifest), "engines": (earlier, FP32)})
    with writing(tmp_path / "tiny", manifest) as staging:
        shutil.copytree(tmp_path / "made", staging, dirs_exist_ok=True)
        recipe = Recipe(observed=observed, balanced=frozenset(observed))
        (staging / str(earlier.file)).write_bytes(export(network, replace(recipe, largest=EIGHT_BITS)))
    found = json.loads(emulated(kind, SERVE, tmp_path / "tiny", json.dumps(TEXTS)))
    assert found[""][0] == "int8"
    assert_alike(found, answers(tmp_path / "tiny"), tmp_path / "tiny")
