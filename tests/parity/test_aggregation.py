"""The five aggregation strategies give the entries of transformers' pipeline, on ordinary and on hostile texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForTokenClassification, pipeline

from bertline.encoder.source import find_model
from bertline.tasks.tag.aggregation import Strategy, aggregated
from bertline.text.reader import Reader
from bertline.text.tokenizer import Tokenizer
from bertline.text.truncation import Truncation
from tests.parity.peers import widen
from tests.parity.test_tokenizer import TEXTS

pytestmark = pytest.mark.peer

MODEL = find_model("all-MiniLM-L6-v2")
OURS = Tokenizer.from_directory(MODEL)
READER = Reader(OURS, Truncation(512, "head"), offsets=True)
STRATEGIES: tuple[Strategy, ...] = ("none", "simple", "first", "average", "max")
MORE = (
    "Hugging Face's HQ is in Brooklyn, New York; don't ask!",
    "Cafe\u0301 in Sa\u0303o\r\nPaulo \u200eParis\u200e, a\u200db \u2764\ufe0f",
    "antidisestablishmentarianism supercalifragilistic Llanfairpwllgwyngyll",
    "@user I'm @ the U.S.A. :) #NowPlaying http://t.co/x1Y2z3",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 Zoë 東京 İzmir [UNK] x[SEP]y",
)
LABELS = {
    "BIO": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    "BIOES": ["O", "B-PER", "I-PER", "E-PER", "S-PER", "B-geo-loc", "I-geo-loc"],
    "bare types": ["O", "PER", "LOC", "B-LOC", "LABEL_4"],
}


@pytest.fixture(scope="module", params=LABELS)
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    labels = LABELS[request.param]
    config = BertConfig(hidden_size=16, num_attention_heads=2, num_hidden_layers=1, intermediate_size=8)
    config.vocab_size = OURS.vocab_size
    config.id2label, config.label2id = dict(enumerate(labels)), {name: i for i, name in enumerate(labels)}
    directory = tmp_path_factory.mktemp("tagger")
    widen(BertForTokenClassification(config)).save_pretrained(directory)
    OURS.save(directory, max_tokens=512)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    return pipeline("token-classification", model=str(directory), tokenizer=tokenizer, device="cpu"), directory


def logits_of(peer: Any, text: str) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        one = peer.tokenizer(text, return_tensors="pt", truncation=True)
        logits: np.ndarray[Any, Any] = peer.model(**one).logits[0].numpy()
    return logits


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_entry_of_the_pipeline(peer: tuple[Any, Path], strategy: Strategy) -> None:
    theirs, _ = peer
    labels = [theirs.model.config.id2label[i] for i in range(theirs.model.config.num_labels)]
    entries = 0
    for text in (*TEXTS, *MORE):
        [reading], logits = READER.read([text]), logits_of(theirs, text)
        for ignored in (["O"], [], ["PER", "I-PER"]):
            expected = theirs(text, aggregation_strategy=strategy, ignore_labels=ignored)
            found = aggregated(reading, [logits], labels, OURS, strategy, ignored)
            assert [{**one, "score": 0} for one in found] == [{**one, "score": 0} for one in expected], text
            scores, wanted = ([float(one["score"]) for one in some] for some in (found, expected))
            assert scores == pytest.approx(wanted, abs=1e-7)
            entries += len(found)
    assert entries > 100
