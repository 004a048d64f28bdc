"""Every task's bundle is a checkpoint of Hugging Face, and every engine answers as its network does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from bertline.bundle import load
from bertline.bundle.engine import FULL
from bertline.data.batching import pad
from bertline.encoder.config import Family
from bertline.encoder.network import AnyNetwork, load_network
from bertline.encoder.outputs import OUTPUTS
from bertline.export.exporter import FP32, Recipe, export
from bertline.export.network import Network
from bertline.inference import load_predictor
from bertline.inference.backend import Backend
from bertline.inference.onnx_backend import OnnxBackend
from bertline.inference.probing import Probing
from bertline.inference.torch_backend import TorchBackend
from bertline.optimization.calibrate import observe_inputs
from bertline.tasks import task
from bertline.testing.tiny import TEXTS, tiny_classifier, tiny_embedder, tiny_masked, tiny_tokenizer, write_tiny_bundle
from bertline.text import Input, Reader, Truncation
from bertline.text.reading import texts_of
from tests.contracts.test_learning import ANSWERED, LEARNED, spec_of
from tests.parity.tolerances import TOLERANCES, difference

FAMILIES: tuple[Family, ...] = ("bert", "distilbert", "roberta")


NAMES = (*(name for name in LEARNED if not spec_of(name).apart), *ANSWERED)


def inputs_of(name: str) -> tuple[Input, ...]:
    return (LEARNED[name] if name in LEARNED else ANSWERED[name])[1]


def write(target: Path, name: str, family: Family = "bert") -> Path:
    spec = spec_of(name)
    how = {"pooling": "none", "truncation": "window"} if OUTPUTS[spec.output].by_token else {}
    how = {"pooling": "mean"} if spec.output == "embedding" else how
    write_tiny_bundle(target, family=family, engine=True, pairs=spec.pairs, task=spec, **how)
    return target


def numbers(value: Any) -> Any:
    """The same JSON with its numbers in place of their like, to compare within rounding."""
    if isinstance(value, dict):
        return {key: numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [*map(numbers, value)]
    return pytest.approx(value, abs=TOLERANCES["batch"]) if isinstance(value, float) else value


@pytest.mark.peer
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_checkpoint_round_trips_through_hugging_face(family: Family, name: str, tmp_path: Path) -> None:
    bundle, inputs, again = write(tmp_path / "tiny", name, family), inputs_of(name), tmp_path / "again"
    spec = load(bundle).manifest.task
    (architecture,) = json.loads((bundle / "config.json").read_bytes())["architectures"]
    model, keys = getattr(transformers, architecture).from_pretrained(bundle, output_loading_info=True)
    unread = [key for one in ("missing_keys", "unexpected_keys", "mismatched_keys") for key in keys[one]]
    assert not [key for key in unread if not (spec.output == "embedding" and key.startswith("pooler."))]
    assert not spec.labels or tuple(model.config.id2label.values()) == spec.labels
    assert spec.problem_type in (None, model.config.problem_type)
    tokenizer = transformers.AutoTokenizer.from_pretrained(bundle)
    _, arrays = load_predictor(bundle, engine="torch").pieces(inputs, spec.output)
    for one, (array,) in zip(inputs, arrays, strict=True):
        with torch.inference_mode():
            read = tokenizer(*texts_of(one), return_tensors="pt")
            computed = model.eval()(**read)
        theirs = computed.last_hidden_state[0].mean(0) if spec.output == "embedding" else computed.logits[0]
        if OUTPUTS[spec.output].masked:
            theirs = theirs[read["input_ids"][0] == tokenizer.mask_token_id]
        assert difference(torch.from_numpy(array), theirs) <= TOLERANCES["logits"]
    model.save_pretrained(again)
    tokenizer.save_pretrained(again)
    if spec.output == "embedding":  # what transformers neither reads nor writes
        shutil.copy(bundle / "modules.json", again)
        shutil.copytree(bundle / "1_Pooling", again / "1_Pooling")
    ours, back = (load_network(folder).state_dict() for folder in (bundle, again))
    assert ours.keys() == back.keys()
    assert all(torch.equal(tensor, back[key]) for key, tensor in ours.items())


@pytest.mark.parametrize("name", NAMES)
def test_probes_agree_across_engines(name: str, tmp_path: Path) -> None:
    bundle, pairs = write(tmp_path / "tiny", name), spec_of(name).pairs
    probing, own = Probing(load(bundle), tiny_tokenizer()), Network.of(load_network(bundle))
    readings = Reader(tiny_tokenizer(), Truncation(32, "window")).read([*TEXTS, *inputs_of(name)])
    pieces = [piece for one in readings for piece in one.pieces]
    batch = pad([one.ids for one in pieces], 0, [one.segments for one in pieces])
    recipe = Recipe(observed=observe_inputs(own, [batch]), small_table=True, pairs=pairs)
    (tmp_path / "int8.onnx").write_bytes(export(own, recipe))
    other: AnyNetwork = tiny_masked(family="bert", seed=1)
    if spec_of(name).output == "embedding":
        other = tiny_embedder(family="bert", seed=1)
    if spec_of(name).labels:
        other = tiny_classifier(family="bert", labels=len(spec_of(name).labels), pooling=own.pooling, seed=1)
    (tmp_path / "other.onnx").write_bytes(export(Network.of(other), Recipe(pairs=pairs)))
    engines: list[Backend] = [OnnxBackend(bundle / str(FP32.file)), TorchBackend(bundle, device="cpu")]
    assert [probing.objection(one, FULL, "fp32") for one in engines] == [None, None]
    assert probing.objection(OnnxBackend(tmp_path / "int8.onnx", precision="int8"), FULL, "int8") is None
    wrong = probing.objection(OnnxBackend(tmp_path / "other.onnx"), FULL, "int8")
    assert wrong is not None
    assert wrong.startswith("its logits of the probe texts are off by ")


@pytest.mark.parametrize("name", NAMES)
def test_an_input_gets_the_same_answer_from_every_engine_and_in_every_batch(name: str, tmp_path: Path) -> None:
    bundle, inputs = write(tmp_path / "tiny", name), inputs_of(name)
    by_engine, by_torch = (load_predictor(bundle, engine=one, device="cpu") for one in ("fp32", "torch"))
    answers = [one.to_json() for one in by_engine.predict(inputs)]
    assert len({json.dumps(one, sort_keys=True) for one in answers}) > 1
    assert answers == numbers([one.to_json() for one in by_torch.predict(inputs)])
    assert answers == numbers([by_engine.predict([one])[0].to_json() for one in inputs])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_watched_is_a_number_per_answer(name: str, tmp_path: Path) -> None:
    predictor, inputs = load_predictor(write(tmp_path / "tiny", name), engine="fp32"), inputs_of(name)
    answers, part = predictor.predict(inputs), task(predictor.spec.task)
    recorded = [part.feedback.recorded(predictor.spec, one) for one in answers]
    columns = part.watched.columns(predictor.spec, recorded, [one.read_tokens for one in answers])
    assert all(len(column) == len(inputs) and np.isfinite(column).all() for column in columns.values())
    assert bool(columns) is (predictor.spec.task not in ("embed", "fill"))


@pytest.mark.parametrize("name", NAMES)
def test_a_model_agrees_with_itself_and_a_comparison_has_figures(name: str, tmp_path: Path) -> None:
    predictor, inputs = load_predictor(write(tmp_path / "tiny", name), engine="fp32"), inputs_of(name)
    answers = predictor.predict(inputs)
    compared = task(predictor.spec.task).compared.compared
    same = compared(predictor.spec, answers, answers)
    assert all(same.agree)
    assert same.agree
    assert same.shift == 0
    turned = compared(predictor.spec, answers, [*answers[1:], answers[0]])
    assert turned.shift > 0
    assert turned.shift <= 1
