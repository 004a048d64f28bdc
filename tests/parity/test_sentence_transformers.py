"""An embedder's bundle and sentence-transformers: the same vectors from the same directory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import bertline
from bertline.encoder.checkpoint import save_encoder
from bertline.encoder.embedder import save_embedder
from bertline.encoder.sentence import SentencePooling
from bertline.encoder.source import find_model
from bertline.testing.tiny import random_texts, tiny_embedder, tiny_tokenizer
from tests.parity.tolerances import TOLERANCES
from tests.unit.training.test_run_embedder import QUICK, triplets, write

TEXTS = [
    "A cat sat on the mat.",
    "The dog ran away because it was scared of the fireworks. " * 30,
    "",
    "Ünïcödé 東京 🙂",
]


@pytest.mark.drill  # on a tiny network, tests/contracts/test_bundles.py has it too
@pytest.mark.peer
def test_all_minilm_is_imported_with_the_vectors_of_transformers(tmp_path: Path) -> None:
    directory = find_model("all-MiniLM-L6-v2")
    model = bertline.import_model("all-MiniLM-L6-v2", out=tmp_path / "vectors")
    network, tokenizer = (
        one.from_pretrained(directory) for one in (transformers.AutoModel, transformers.AutoTokenizer)
    )
    batch = tokenizer(TEXTS, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        states = network.eval()(**batch).last_hidden_state
    attend = batch["attention_mask"].unsqueeze(-1)
    expected = torch.nn.functional.normalize((states * attend).sum(1) / attend.sum(1))
    assert np.abs(model.embed(TEXTS) - expected.numpy()).max() <= TOLERANCES["logits"]


@pytest.mark.drill
@pytest.mark.peer
@pytest.mark.parametrize("pooling", ["mean", "cls", "pooled"])
@pytest.mark.parametrize("normalised", [True, False])
def test_sentence_transformers_loads_a_bundle_with_equal_vectors(
    pooling: SentencePooling, normalised: bool, tmp_path: Path
) -> None:
    package = pytest.importorskip("sentence_transformers")
    network = tiny_embedder(family="bert", pooling=pooling)
    network.normalised = normalised
    (tmp_path / "checkpoint").mkdir()
    save_embedder(tmp_path / "checkpoint", network)
    tiny_tokenizer().save(tmp_path / "checkpoint", max_tokens=32)
    bundle, texts = tmp_path / "vectors", random_texts(12, seed=4)
    ours = bertline.import_model(str(tmp_path / "checkpoint"), out=bundle, max_tokens=16).embed(texts)
    theirs = package.SentenceTransformer(str(bundle), device="cpu")
    assert theirs.max_seq_length == 16
    assert np.abs(ours - theirs.encode(texts)).max() <= TOLERANCES["logits"]
    theirs.save(str(tmp_path / "again"))  # in its own newer spelling
    again = bertline.import_model(str(tmp_path / "again"), out=tmp_path / "back").embed(texts)
    assert np.abs(ours - again).max() <= TOLERANCES["logits"]


@pytest.mark.drill
@pytest.mark.peer
def test_sentence_transformers_loads_a_trained_bundle_with_equal_vectors(tmp_path: Path) -> None:
    """From an encoder that is no model of theirs, and with texts that are cut."""
    package = pytest.importorskip("sentence_transformers")
    (tmp_path / "base").mkdir()
    save_encoder(tmp_path / "base", tiny_embedder(family="bert").encoder)
    tiny_tokenizer().save(tmp_path / "base")
    table = write(tmp_path / "triplets.csv", triplets(), "anchor", "positive", "negative")
    bundle, texts = tmp_path / "vectors", random_texts(24, seed=4)
    bertline.train(table, out=bundle, model=str(tmp_path / "base"), matryoshka=(16,), **{**QUICK, "max_tokens": 8})
    theirs, ours = package.SentenceTransformer(str(bundle), device="cpu"), bertline.load(bundle)
    assert theirs.max_seq_length == 8
    assert np.abs(ours.embed(texts) - theirs.encode(texts)).max() <= TOLERANCES["logits"]
    cut = theirs.encode(texts, truncate_dim=16, normalize_embeddings=True)
    assert np.abs(ours.embed(texts, dimensions=16) - cut).max() <= TOLERANCES["logits"]
