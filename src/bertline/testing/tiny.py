"""A whole bundle with a tiny random network, for tests that need a real one."""

from __future__ import annotations

import itertools
import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from bertline.bundle import Manifest
from bertline.bundle.compose import Parts, compose
from bertline.bundle.engine import FULL
from bertline.bundle.probes import Probes
from bertline.bundle.reference import ReferenceRows, Split
from bertline.data.batching import Batch, pad
from bertline.encoder.config import EncoderConfig, Family
from bertline.encoder.description import DESCRIPTIONS
from bertline.encoder.embedder import Embedder
from bertline.encoder.heads import Classifier, Pooling
from bertline.encoder.masked import MaskedLanguageModel
from bertline.encoder.network import AnyNetwork, save_network
from bertline.encoder.outputs import stacked
from bertline.encoder.sentence import SentencePooling
from bertline.export.exporter import FP32, write_embedding, write_fp32_engine
from bertline.export.inside import write_attentions
from bertline.text import Reader, Reading, Tokenizer, Truncation

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


def tiny_classifier(*, family: Family, labels: int, pooling: Pooling, seed: int = 0, **sizes: Any) -> Classifier:
    """Two layers, 32 wide, unless ``sizes`` says otherwise; random weights large enough for answers to differ."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        classifier = Classifier(replace(_config(family), **sizes), labels, pooling)
    if pooling == "normalised":
        with torch.no_grad():
            classifier.head.out.weight.mul_(4.0)
    return classifier


def tiny_masked(*, family: Family, seed: int = 0) -> MaskedLanguageModel:
    """The same with a head for masked words."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MaskedLanguageModel(_config(family))
    model.mask_id = VOCABULARY.index("[MASK]")
    return model


def tiny_embedder(*, family: Family, pooling: SentencePooling = "mean", seed: int = 0) -> Embedder:
    """The same whose output is an embedding."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Embedder(_config(family), pooling)


def _config(family: Family) -> EncoderConfig:
    sizes = {"vocab_size": len(VOCABULARY), "hidden": 32, "layers": 2, "heads": 4, "feed_forward": 64, "embedding": 16}
    own = DESCRIPTIONS[family]
    entries: dict[str, Any] = {**own.defaults, **{name: one for name, one in sizes.items() if name in own.entries}}
    entries |= {"pad_id": 0, "init_std": 0.3}
    config = EncoderConfig(family=family, max_positions=64, **entries)
    return replace(config, max_positions=64 + config.first_position)


def logits_of(classifier: AnyNetwork, batch: Batch) -> np.ndarray[Any, Any]:
    """What PyTorch computes."""
    with torch.inference_mode():
        logits = classifier.eval()(torch.from_numpy(batch.ids), torch.from_numpy(batch.attend))
    return np.asarray(logits.numpy())


def random_texts(number: int, seed: int = 0) -> list[str]:
    """Texts of the vocabulary's words, short and long."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 24))) for _ in range(number)]


def write_tiny_bundle(
    target: Path,
    *,
    family: Family = "bert",
    seed: int = 0,
    overwrite: bool = False,
    engine: bool = False,
    embedding: bool = True,
    attentions: bool = True,
    pairs: bool = False,
    rows: int = 0,
    kept: Mapping[Split, ReferenceRows] | None = None,
    seen: Sequence[str] | None = None,
    network: AnyNetwork | None = None,
    **changes: Any,
) -> Manifest:
    """Write a bundle to ``target``; ``changes`` go to its manifest.

    Args:
        target: where it goes.
        family: of the encoder.
        seed: of its weights.
        overwrite: replace a bundle that is there.
        engine: also the fp32 engine, with probes, and the graphs of embeddings and attentions.
        embedding: False leaves that graph out, as earlier versions did.
        attentions: likewise.
        pairs: it reads pairs of texts.
        rows: reference rows of each split; the network has three of four right.
        kept: the reference rows themselves, instead.
        seen: texts that it says it was trained on; None: it does not say.
        network: what is written instead of a tiny network of the family.
        changes: entries of the manifest.
    """
    manifest = _manifest(target.name, changes, engine=engine)
    if pairs and not manifest.task.pairs:
        manifest = manifest.model_copy(update={"task": manifest.task.model_copy(update={"reads": "pair"})})
    pairs = manifest.task.pairs
    classifier = _network(manifest, family, seed) if network is None else network

    def write(staging: Path) -> None:
        save_network(staging, classifier, manifest.labels, manifest.task.problem_type)
        if engine:
            write_fp32_engine(staging, classifier, pairs=pairs)
        if engine and embedding:
            write_embedding(staging, classifier, pairs=pairs)
        if engine and attentions:
            write_attentions(staging, classifier, pairs=pairs)

    parts = Parts(
        network=write,
        tokenizer=tiny_tokenizer(),
        probes=_probes(classifier, manifest) if engine else None,
        reference=_reference(classifier, manifest, rows) if rows else kept or {},
        trained=_ids(_read(random_texts(rows, seed=2), manifest)) if rows else None,
        seen=seen,
    )
    compose(target, manifest, parts, overwrite=overwrite)
    return manifest


def _manifest(name: str, changes: dict[str, Any], *, engine: bool) -> Manifest:
    entries: dict[str, Any] = {
        "name": name,
        **({} if "task" in changes else {"labels": ("negative", "neutral", "positive"), "temperature": 1.5}),
        "max_tokens": 32,
        "truncation": "head_tail",
        "pooling": "cls",
        "engines": (FP32,) if engine else (),
        **changes,
    }
    return Manifest(**entries)


def _network(manifest: Manifest, family: Family, seed: int) -> AnyNetwork:
    pooling: Any = manifest.pooling
    if manifest.task.output == "vocabulary":
        return tiny_masked(family=family, seed=seed)
    if manifest.task.output == "embedding":
        return tiny_embedder(family=family, pooling=pooling, seed=seed)
    return tiny_classifier(family=family, labels=len(manifest.labels), pooling=pooling, seed=seed)


def _probes(classifier: AnyNetwork, manifest: Manifest) -> Probes:
    required = manifest.task.with_tokenizer(tiny_tokenizer()).required
    texts = tuple(f"{text} {required}" if required else text for text in TEXTS)
    return Probes(texts, {FULL: _rows(classifier, texts, manifest)}, classifier.output)


def _reference(classifier: AnyNetwork, manifest: Manifest, rows: int) -> dict[Split, ReferenceRows]:
    out: dict[Split, ReferenceRows] = {}
    splits: tuple[Split, ...] = ("validation", "test")
    for seed, split in enumerate(splits):
        texts = random_texts(rows, seed)
        answers = _rows(classifier, texts, manifest).argmax(axis=1)
        truth = (answers + (np.arange(rows) % 4 == 0)) % len(manifest.labels)
        out[split] = ReferenceRows(tuple(texts), tuple(manifest.labels[i] for i in truth))
    return out


def _rows(classifier: AnyNetwork, texts: Sequence[str], manifest: Manifest) -> np.ndarray[Any, Any]:
    readings = _read(texts, manifest)
    return stacked(classifier.output, logits_of(classifier, pad(_ids(readings), 0)), readings)


def _ids(readings: Sequence[Reading]) -> list[list[int]]:
    return [piece.ids for one in readings for piece in one.pieces]


def _read(texts: Sequence[str], manifest: Manifest) -> list[Reading]:
    return Reader(tiny_tokenizer(), Truncation(manifest.max_tokens, manifest.truncation)).read(texts)
