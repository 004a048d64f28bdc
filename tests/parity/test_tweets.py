"""500 tweets through each back end: entries of the five strategies are those of the pipeline, with exact offsets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer, BertConfig, BertForTokenClassification, pipeline
from transformers.pipelines.token_classification import AggregationStrategy

from bertline.data.batching import pad
from bertline.data.examples import read_examples
from bertline.data.settings import LabelledTableSettings
from bertline.data.target_kinds import Entities
from bertline.encoder.checkpoint import load_classifier
from bertline.encoder.outputs import rows
from bertline.encoder.source import find_model
from bertline.export.exporter import export
from bertline.export.network import Network
from bertline.inference.backend import Backend
from bertline.inference.onnx_backend import OnnxBackend
from bertline.inference.torch_backend import TorchBackend
from bertline.tasks.tag.aggregation import Strategy, aggregated
from bertline.tasks.tag.answer import answers
from bertline.tasks.tag.spec import Spec
from bertline.text import Piece, Reader, Tokenizer, Truncation
from examples.tables import packaged_file
from examples.wnut16 import PACKAGE
from tests.parity.peers import widen

pytestmark = pytest.mark.peer

STRATEGIES: tuple[Strategy, ...] = ("none", "simple", "first", "average", "max")
MODEL = find_model("all-MiniLM-L6-v2")
_TABLE = read_examples(packaged_file(PACKAGE, "ner.txt"), LabelledTableSettings(format="conll"), kind=Entities())
TWEETS = [one.text for one in _TABLE.examples[:500]]
SPEC = Spec(types=("company", "geo-loc", "person"))
SCORE = 1e-5  # a probability of two networks in fp32


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tagger")
    tokenizer = Tokenizer.from_directory(MODEL)
    config = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=24,
        num_attention_heads=3,
        num_hidden_layers=2,
        intermediate_size=32,
    )
    config.id2label = dict(enumerate(SPEC.labels))
    config.label2id = {name: i for i, name in enumerate(SPEC.labels)}
    widen(BertForTokenClassification(config)).save_pretrained(path)
    tokenizer.save(path, max_tokens=512)
    (path / "model.onnx").write_bytes(export(Network.of(load_classifier(path))))
    return path


@pytest.fixture(scope="module")
def peer(directory: Path) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(directory)
    return pipeline("token-classification", model=str(directory), tokenizer=tokenizer, device="cpu")


@pytest.fixture(scope="module", params=[pytest.param("torch", marks=pytest.mark.drill), "onnx"])
def backend(request: pytest.FixtureRequest, directory: Path) -> Backend:
    return TorchBackend(directory) if request.param == "torch" else OnnxBackend(directory / "model.onnx")


@pytest.fixture(scope="module")
def expected(peer: Any) -> dict[Strategy, list[list[dict[str, Any]]]]:
    """The pipeline's answers, by its own steps: the network computes each tweet once for all strategies."""
    outputs = [[peer.forward(piece) for piece in peer.preprocess(tweet, is_split_into_words=False)] for tweet in TWEETS]
    answers = {
        strategy: [peer.postprocess(one, AggregationStrategy(strategy)) for one in outputs] for strategy in STRATEGIES
    }
    for strategy in STRATEGIES:
        assert peer(TWEETS[:10], aggregation_strategy=strategy) == answers[strategy][:10]
    return answers


@pytest.mark.drill
def test_every_entry_of_every_strategy(
    directory: Path, backend: Backend, expected: dict[Strategy, list[list[dict[str, Any]]]]
) -> None:
    tokenizer = Tokenizer.from_bundle(directory)
    readings = Reader(tokenizer, Truncation(512), offsets=True).read(TWEETS)
    logits = []
    for start in range(0, len(readings), 50):
        some = [reading.piece.ids for reading in readings[start : start + 50]]
        logits += rows("tags", backend.compute(pad(some, tokenizer.pad_id), "tags"), [Piece(ids) for ids in some])
    for strategy in STRATEGIES:
        for reading, own, theirs in zip(readings, logits, expected[strategy], strict=True):
            entries = aggregated(reading, [own], SPEC.labels, tokenizer, strategy)
            assert [{**one, "score": 0} for one in entries] == [{**one, "score": 0} for one in theirs], reading.input
            scores, wanted = ([float(one["score"]) for one in some] for some in (entries, theirs))
            np.testing.assert_allclose(scores, wanted, atol=SCORE, rtol=0)
    assert sum(len(one) for one in expected["none"]) > 1_000
    entities = [one for answer in answers(SPEC, [[own] for own in logits], readings) for one in answer.entities]
    assert len(entities) > 500
    assert all(one.text == one.text.strip() for one in entities)
