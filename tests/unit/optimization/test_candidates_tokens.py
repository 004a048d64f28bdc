"""Engines of a network that labels tokens: built, compared with fp32 token by token, and refused by its probes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from bertline.bundle import Manifest, load, writing
from bertline.bundle.engine import FULL
from bertline.bundle.probes import Probes
from bertline.encoder.checkpoint import save_classifier
from bertline.export.exporter import write_embedding, write_fp32_engine
from bertline.export.network import Network
from bertline.inference import load_predictor
from bertline.inference.probing import Probing
from bertline.inference.torch_backend import TorchBackend
from bertline.optimization.candidates import EncodedRows, Workshop
from bertline.optimization.measure import agreement, compute, matrix
from bertline.optimization.vocabulary import prune
from bertline.tasks.tag.answer import answers
from bertline.tasks.tag.measure import compare
from bertline.tasks.tag.spec import Spec
from bertline.testing.tiny import VOCABULARY, random_texts, tiny_classifier, tiny_tokenizer
from bertline.text import Reader, Truncation

CLASSIFIER = tiny_classifier(family="bert", labels=3, pooling="none")
LABELS = ("O", "B-place", "I-place")
TEXTS = random_texts(60)
READINGS = Reader(tiny_tokenizer(), Truncation(32), offsets=True).read(TEXTS)
SPEC = Spec(types=("place",))


def bundle(target: Path, logits: np.ndarray | None = None) -> Path:
    """A bundle with the engine fp32, the full network's graph and probes; ``logits`` are others than its own."""
    manifest = Manifest(
        name="tags", labels=LABELS, max_tokens=32, truncation="head_tail", pooling="none", temperature=1.0
    )
    with writing(target, manifest) as staging:
        save_classifier(staging, CLASSIFIER, labels=LABELS)
        tiny_tokenizer().save(staging, max_tokens=32)
        write_fp32_engine(staging, CLASSIFIER)
        write_embedding(staging, CLASSIFIER)
        own = matrix(compute(TorchBackend(staging, device="cpu"), READINGS[:8], 0, 512))
        Probes(tuple(TEXTS[:8]), {FULL: own if logits is None else logits}, "tags").write(staging)
    return target


def test_engines_are_built_and_measured_by_token(tmp_path: Path) -> None:
    path = bundle(tmp_path / "tags")
    expected = compute(TorchBackend(path, device="cpu"), READINGS, 0, 512)
    assert len(matrix(expected)) == sum(len(one.piece.ids) for one in READINGS)
    truth = [tuple(one.entity for one in answer.entities) for answer in answers(SPEC, expected, READINGS)]
    network, counts = Network.of(CLASSIFIER), Counter(range(len(VOCABULARY)))
    pruned = prune(network.named("encoder.embeddings.token.weight")[1], counts, [0, 1, 2, 3, 4], len(VOCABULARY))
    shop = Workshop(tmp_path, EncodedRows(READINGS, truth, 0), pruned, SPEC, lanes=1)
    exact = shop.fp32(path / "model.onnx")
    int8 = next(iter(shop.int8(network, FULL)))
    assert exact.engine.outputs == int8.engine.outputs == ("tags",)
    np.testing.assert_allclose(matrix(shop.logits(exact)), matrix(expected), atol=1e-5, rtol=0)
    assert compare(SPEC, truth, shop.logits(exact), expected, READINGS).value == 1.0
    assert 0.9 < agreement(SPEC, shop.logits(int8), shop.logits(exact)) <= 1.0
    probing = Probing(load(path), tiny_tokenizer())
    assert probing.objection(exact.backend, FULL, "fp32") is None
    assert probing.objection(int8.backend, FULL, "int8") is None


def test_a_graph_that_tags_otherwise_than_the_probes_is_refused(tmp_path: Path) -> None:
    own = matrix(compute(TorchBackend(bundle(tmp_path / "right"), device="cpu"), READINGS[:8], 0, 512))
    right = load_predictor(tmp_path / "right", output="embedding")
    assert (right.engine, right.backend.outputs) == ("onnx", {"tags", "embedding", "states"})
    wrong = load(bundle(tmp_path / "wrong", own[::-1]))
    objection = Probing(wrong, tiny_tokenizer()).objection(right.backend, FULL, "fp32")
    assert objection is not None
    assert "its logits of the probe texts are off by" in objection
