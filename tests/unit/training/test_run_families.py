"""Training from checkpoints of every family: the bundle answers as ``transformers`` does, in 8 bits too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from bertline.encoder.checkpoint import save_encoder
from bertline.encoder.description import DESCRIPTIONS, Family
from bertline.encoder.encoder import Encoder
from bertline.errors import CheckpointError
from bertline.inference import load_predictor
from bertline.library.verbs import optimize
from bertline.testing.tiny import VOCABULARY, tiny_classifier, tiny_tokenizer
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.tokenizers import FAIRSEQ, NOTUSED, bpe, unigram

WORDPIECE = BertWordPieceTokenizer(vocab={word: id_ for id_, word in enumerate(VOCABULARY)}, lowercase=True)
TOKENIZERS: dict[Family, tokenizers.Tokenizer] = {
    "roberta": bpe(),
    "xlm-roberta": unigram(FAIRSEQ),
    "camembert": unigram(NOTUSED),
    "electra": tokenizers.Tokenizer.from_str(WORDPIECE.to_str()),
}

OTHERS = sorted(TOKENIZERS.keys() - {"roberta"})
ROWS = [
    {"text": f"a film {i}", "pair": f"the\n{'good' if i % 2 else 'bad'} one, {i}", "label": "no" if i % 2 else "ja"}
    for i in range(60)
]


def checkpoint(directory: Path, family: Family) -> Path:
    directory.mkdir()
    small = tiny_classifier(family=family, labels=2, pooling="cls").config
    pad_id = TOKENIZERS[family].token_to_id("<pad>") or 0
    config = replace(small, vocab_size=400, pad_id=pad_id, max_positions=66, init_std=0.1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_encoder(directory, Encoder(config))
    TOKENIZERS[family].save(str(directory / "tokenizer.json"))
    return directory


def test_every_further_family_is_trained_here() -> None:
    assert TOKENIZERS.keys() == DESCRIPTIONS.keys() - {"bert", "distilbert"}


def trained(family: Family, directory: Path) -> Path:
    table, out = directory / "table.jsonl", directory / "out"
    table.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    quick: dict[str, Any] = {"epochs": 1, "max_tokens": 64, "precision": "fp32", "text_pair_column": "pair"}
    train(str(table), out, TrainSettings(model=str(checkpoint(directory / "model", family)), **quick), Silent())
    return out


def differences(bundle: Path, pairs: list[tuple[str, str]], engine: str) -> list[float]:
    """How far the probability of each pair's first label is from that of transformers."""
    network: Any = AutoModelForSequenceClassification.from_pretrained(bundle).eval()
    theirs, predictor = AutoTokenizer.from_pretrained(bundle), load_predictor(bundle, engine=engine)
    out = []
    for (first, second), answer in zip(pairs, predictor.predict(pairs), strict=True):
        with torch.inference_mode():
            logits = network(**theirs([first], [second], return_tensors="pt")).logits[0]
        expected = (logits / predictor.temperature).softmax(-1).tolist()
        out.append(abs(next(iter(answer.probabilities.values())) - expected[0]))
    return out


@pytest.mark.peer
@pytest.mark.parametrize("family", ["roberta", *(pytest.param(one, marks=pytest.mark.drill) for one in OTHERS)])
def test_a_bundle_of_pairs_answers_as_transformers(family: Family, tmp_path: Path) -> None:
    bundle = trained(family, tmp_path)
    pairs = [(row["text"], row["pair"]) for row in ROWS[:4]]
    for engine in ("fp32", "torch"):
        assert max(differences(bundle, [*pairs, ("  a  film", "É 🎬"), ("", "the")], engine)) < 1e-5


@pytest.mark.drill
@pytest.mark.parametrize("family", TOKENIZERS)
def test_eight_bits_are_close_to_transformers(family: Family, tmp_path: Path) -> None:
    bundle = trained(family, tmp_path)
    optimize(bundle, progress=False)
    each = differences(bundle, [(row["text"], row["pair"]) for row in ROWS], "int8")
    assert max(each) < 0.01


def test_a_bert_with_one_segment_reads_no_pairs(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    one_segment = replace(tiny_classifier(family="bert", labels=2, pooling="cls").config, segments=1)
    save_encoder(model, Encoder(one_segment))
    tiny_tokenizer().save(model)
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    message = (
        r"model has one segment \(type_vocab_size in config.json\), so it cannot read pairs of texts: give another"
    )
    settings = TrainSettings(model=str(model), max_tokens=32, text_pair_column="pair")
    with pytest.raises(CheckpointError, match=message):
        train(str(tmp_path / "table.jsonl"), tmp_path / "out", settings, Silent())
