"""Tokenizer, configuration and weights of one checkpoint are checked against each other before anything is trained."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bertline.encoder.agreement import load_tokenizer
from bertline.encoder.checkpoint import load_classifier, load_encoder, load_pretrained, save_classifier
from bertline.encoder.config import EncoderConfig
from bertline.encoder.heads import Classifier
from bertline.errors import CheckpointError, CheckpointWarning
from bertline.text import Reader, Truncation

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIALS, *(f"w{i}" for i in range(15))]  # as many as the small encoder has rows
LABELS = ("no", "ja")


@pytest.fixture
def saved(config: EncoderConfig, tmp_path: Path) -> Path:
    """A classifier and its vocabulary."""
    save_classifier(tmp_path, Classifier(config, 2), labels=LABELS)
    return vocabulary(tmp_path, WORDS)


def vocabulary(directory: Path, words: list[str], **files: Any) -> Path:
    (directory / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    for stem, content in files.items():
        (directory / f"{stem}.json").write_text(json.dumps(content))
    return directory


def configure(directory: Path, **changes: Any) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(directory: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    path = directory / "model.safetensors"
    save_file(change(load_file(path)), path)


def test_a_checkpoint_that_agrees(saved: Path) -> None:
    """T1: read without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_tokenizer(saved).vocab_size == 20
        load_pretrained(saved, labels=3)


@pytest.mark.parametrize(
    ("words", "files", "last"),
    [
        ([*WORDS, "one", "two", "three"], {}, "22 (three)"),
        ([*WORDS, *WORDS[5:8], "rare"], {}, "23 (rare)"),  # 21 different words
        (WORDS, {"added_tokens": {"[URL]": 20}}, "20 ([URL])"),
        (WORDS, {"tokenizer_config": {"additional_special_tokens": ["<a>", "<b>"]}}, "21 (<b>)"),
    ],
)
def test_an_id_without_a_row_of_the_embeddings(saved: Path, words: list[str], files: Any, last: str) -> None:
    """T1: the largest id counts, and not the number of words, which repeated lines make smaller."""
    vocabulary(saved, words, **files)
    sentence = (
        f"{saved} has a tokenizer with ids up to {last}, but its config.json says 20 rows of embeddings, 0 to 19: "
        "give the tokenizer that the weights were trained with"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_tokenizer(saved)


def test_rows_that_no_id_leads_to_are_fine(config: EncoderConfig, tmp_path: Path) -> None:
    """T1: embeddings padded to a multiple of 64, and repeated lines."""
    wide = EncoderConfig(family=config.family, vocab_size=64, hidden=12, heads=3, layers=1, segments=config.segments)
    save_classifier(tmp_path, Classifier(wide, 2), labels=LABELS)
    tokenizer = load_tokenizer(vocabulary(tmp_path, [*WORDS, *WORDS[5:8]]))
    (reading,) = Reader(tokenizer, Truncation()).read(["w0 w14"])
    assert reading.piece.ids == [2, 20, 19, 3]  # of equal lines the last counts


@pytest.mark.parametrize("missing", SPECIALS)
def test_a_special_token_that_transformers_would_add_untrained(saved: Path, missing: str) -> None:
    """T1: even where the embeddings have a row to spare."""
    vocabulary(saved, [word for word in WORDS if word != missing])
    with pytest.raises(CheckpointError, match=re.escape(f"vocab.txt has no {missing} in its vocabulary: bertline")):
        load_tokenizer(saved)


def test_two_tokens_to_pad_with(saved: Path) -> None:
    """T1: harmless, because padding is masked, and named."""
    configure(saved, pad_token_id=3)
    sentence = f"{saved / 'config.json'} sets pad_token_id to 3, but the tokenizer pads with the id 0: bertline pads"
    with pytest.warns(CheckpointWarning, match=re.escape(sentence)):
        assert load_tokenizer(saved).pad_id == 0


@pytest.mark.parametrize(
    "changes", [{"id2label": {str(i): f"label {i}" for i in range(5)}}, {"id2label": None, "num_labels": 5}]
)
@pytest.mark.parametrize("load", [load_classifier, lambda directory: load_pretrained(directory, labels=3)])
def test_labels_and_the_classification_layer(saved: Path, changes: dict[str, Any], load: Any) -> None:
    """T1: ``id2label``, else ``num_labels``."""
    configure(saved, **changes)
    sentence = (
        f"{saved}: config.json has 5 labels, but classifier.bias has 2 entries: "
        "the weights and config.json belong to different models"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load(saved)


@pytest.mark.parametrize(
    ("entry", "value", "weight", "shapes"),
    [
        ("max_position_embeddings", 64, "position_embeddings", "[10, 12], but config.json says [64, 12]"),
        ("vocab_size", 30, "word_embeddings", "[20, 12], but config.json says [30, 12]"),
    ],
)
def test_sizes_of_the_embeddings(saved: Path, entry: str, value: int, weight: str, shapes: str) -> None:
    """T1: positions and rows, with both numbers."""
    configure(saved, **{entry: value})
    sentence = (
        f"{saved}: embeddings.{weight}.weight has shape {shapes}: the weights and config.json belong to different"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_encoder(saved)


def test_segments(tmp_path: Path) -> None:
    """T1: with both numbers; DistilBERT has none."""
    save_classifier(tmp_path, Classifier(EncoderConfig(vocab_size=9, hidden=12, heads=3, layers=1), 2), labels=LABELS)
    configure(tmp_path, type_vocab_size=3)
    sentence = (
        "embeddings.token_type_embeddings.weight has shape [2, 12], but config.json says [3, 12]: the weights and"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_encoder(tmp_path)


def test_weights_in_eight_bits_are_not_taken_for_weights(saved: Path) -> None:
    """T1: bitsandbytes keeps a scale elsewhere; as numbers they would be read without an error."""
    name = next(
        name for name in load_file(saved / "model.safetensors") if name.endswith(("dense.weight", "lin1.weight"))
    )
    rewrite(saved, lambda tensors: tensors | {name: torch.ones_like(tensors[name], dtype=torch.int8)})
    plain = name.split(".", 1)[1]
    sentence = f"{saved}: {plain} has the type int8, so it is quantised: use the original checkpoint"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_encoder(saved)


def test_a_bundle_is_read_as_it_was_written(saved: Path) -> None:
    """T4: as the starting point of a training too."""
    tokenizer = load_tokenizer(saved)
    tokenizer.save(saved)
    path = saved / "tokenizer.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"normalizer": {"type": "NFKC"}}))
    with pytest.warns(CheckpointWarning, match="its normaliser has no effect"):
        load_tokenizer(saved)
    assert load_tokenizer(saved, bundle=True).vocab_size == 20
