"""A whole bundle with a tiny random network, for tests that need a real one."""

from __future__ import annotations

import itertools
import string
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from bertline.bundle import Manifest, model_card, writing
from bertline.encoder.checkpoint import save_classifier
from bertline.encoder.config import EncoderConfig, Family
from bertline.encoder.heads import Classifier, Pooling
from bertline.text import Tokenizer

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*string.ascii_lowercase, *(a + b for a, b in itertools.product("aeiou", "lmnrst")), ".", ",", "!"]
VOCABULARY = [*SPECIALS, *WORDS, *(f"##{letter}" for letter in string.ascii_lowercase)]
TEXTS = [
    "a film",
    "an is at on",
    "",
    "it is a long text , as long as it is , and it is longer still ! " * 6,
    "one .",
    "Ünïcödé 東京 🙂",
    "is it so ? it is !",
]


def tiny_tokenizer() -> Tokenizer:
    """Words of one and two letters; the rest in pieces."""
    pieces = BertWordPieceTokenizer(vocab={word: id_ for id_, word in enumerate(VOCABULARY)}, lowercase=True)
    return Tokenizer(tokenizers.Tokenizer.from_str(pieces.to_str()), lowercase=True)


def tiny_classifier(*, family: Family, labels: int, pooling: Pooling, seed: int = 0) -> Classifier:
    """Two layers, 32 wide; random weights large enough for answers to differ."""
    config = EncoderConfig(
        family=family,
        vocab_size=len(VOCABULARY),
        hidden=32,
        layers=2,
        heads=4,
        feed_forward=64,
        max_positions=64,
        segments=2 if family == "bert" else 0,
        init_std=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Classifier(config, labels, pooling)


def write_tiny_bundle(
    target: Path, *, family: Family = "bert", seed: int = 0, overwrite: bool = False, **changes: Any
) -> Manifest:
    """Write a bundle to ``target``; ``changes`` go to its manifest."""
    entries: dict[str, Any] = {
        "name": target.name,
        "labels": ("negative", "neutral", "positive"),
        "max_tokens": 32,
        "truncation": "head_tail",
        "pooling": "cls",
        "temperature": 1.5,
        **changes,
    }
    manifest = Manifest(**entries)
    classifier = tiny_classifier(family=family, labels=len(manifest.labels), pooling=manifest.pooling, seed=seed)
    with writing(target, manifest, overwrite=overwrite) as staging:
        save_classifier(staging, classifier, labels=manifest.labels)
        tiny_tokenizer().save(staging, max_tokens=manifest.max_tokens)
        (staging / "README.md").write_text(model_card(manifest), encoding="utf-8")
    return manifest
