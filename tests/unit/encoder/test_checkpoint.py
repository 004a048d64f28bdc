"""What is refused, and why; the exchange with transformers itself is in tests/parity/test_exchange.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bertline.encoder.checkpoint import (
    load_classifier,
    load_encoder,
    load_pretrained,
    read_config,
    save_classifier,
    save_encoder,
)
from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import Encoder
from bertline.encoder.heads import Classifier, Pooling
from bertline.errors import CheckpointError

LABELS = ("no", "ja")


@pytest.fixture
def encoder(config: EncoderConfig) -> Encoder:
    torch.manual_seed(0)
    return Encoder(config)


@pytest.fixture
def saved(tmp_path: Path, encoder: Encoder) -> Path:
    save_encoder(tmp_path, encoder)
    return tmp_path


def rewrite(directory: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """Change the tensors of a saved checkpoint."""
    path = directory / "model.safetensors"
    save_file(change(load_file(path)), path)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_an_encoder_comes_back_bit_by_bit(encoder: Encoder, saved: Path) -> None:
    found = load_encoder(saved)
    assert found.config == encoder.config
    assert same(found, encoder)


@pytest.mark.parametrize("pooling", ["cls", "mean", "normalised"])
def test_a_classifier_comes_back_bit_by_bit(config: EncoderConfig, pooling: Pooling, tmp_path: Path) -> None:
    classifier = Classifier(config, 2, pooling)
    save_classifier(tmp_path, classifier, labels=LABELS)
    found = load_classifier(tmp_path)
    assert (found.labels, found.pooling, found.config) == (2, pooling, config)
    assert same(found, classifier)


def test_the_family_may_prefix_the_names(encoder: Encoder, saved: Path) -> None:
    rewrite(saved, lambda tensors: {f"{encoder.config.family}.{name}": one for name, one in tensors.items()})
    assert same(load_encoder(saved), encoder)


def test_the_old_names_of_the_norms_are_read(tmp_path: Path) -> None:
    config = EncoderConfig(vocab_size=9, hidden=8, layers=2, heads=2, feed_forward=8, max_positions=4)
    encoder = Encoder(config)
    save_encoder(tmp_path, encoder)

    def age(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        return {re.sub("|".join(old), lambda found: old[found[0]], name): one for name, one in tensors.items()}

    rewrite(tmp_path, age)
    assert len([name for name in load_file(tmp_path / "model.safetensors") if "gamma" in name]) == 5
    assert same(load_encoder(tmp_path), encoder)


def test_heads_and_buffers_of_other_tasks_are_left_aside(encoder: Encoder, saved: Path) -> None:
    own = encoder.config.description.other_heads
    aside = (*(f"{head}projector.bias" for head in own), "qa_outputs.bias", "classifier.bias")
    buffers = ("embeddings.position_ids", "bert.embeddings.token_type_ids", "classifier.weight", "pooler.dense.bias")
    rewrite(saved, lambda tensors: tensors | {name: torch.ones(3) for name in (*aside, *buffers)})
    assert same(load_encoder(saved), encoder)


def test_missing_weights_are_named(saved: Path, config: EncoderConfig) -> None:
    up = "encoder.layer.{}.intermediate.dense" if config.family == "bert" else "transformer.layer.{}.ffn.lin1"
    parts = [f"{up.format(layer)}.{part}" for layer in (0, 1) for part in ("weight", "bias")]
    rewrite(saved, lambda tensors: {name: one for name, one in tensors.items() if name not in parts})
    sentence = f"{saved} lacks 4 weights of the encoder ({', '.join(parts[:3])} and 1 more): use a complete checkpoint"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_encoder(saved)


def test_unknown_weights_are_named(saved: Path, config: EncoderConfig) -> None:
    rewrite(saved, lambda tensors: tensors | {"adapter.down.weight": torch.ones(2)})
    sentence = (
        f"{saved} has weights that a {config.family} encoder of 2 layers does not have (adapter.down.weight): "
        "its config.json belongs to another model"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_encoder(saved)


def test_a_deeper_model_than_config_json_says_is_refused(saved: Path) -> None:
    path = saved / "config.json"
    content = json.loads(path.read_text())
    depth = "num_hidden_layers" if "num_hidden_layers" in content else "n_layers"
    path.write_text(json.dumps(content | {depth: 1}))
    with pytest.raises(CheckpointError, match=r"of 1 layers does not have \(.*layer\.1\..* and 13 more\)"):
        load_encoder(saved)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("embeddings.word_embeddings.weight", (21, 12), "[20, 12]"),
        ("embeddings.LayerNorm.bias", (1,), "[12]"),
        ("{layer}.0.{query}.weight", (6, 12), "[12, 12]"),
        ("{layer}.1.{query}.bias", (), "[12]"),
    ],
)
def test_a_wrong_shape_is_named_even_within_query_key_and_value(
    saved: Path, config: EncoderConfig, name: str, shape: tuple[int, ...], expected: str
) -> None:
    bert = config.family == "bert"
    name = name.format(
        layer="encoder.layer" if bert else "transformer.layer",
        query="attention.self.query" if bert else "attention.q_lin",
    )
    rewrite(saved, lambda tensors: tensors | {name: torch.ones(shape)})
    sentence = f"{name} has shape {list(shape)}, but config.json says {expected}: the weights and config.json belong to"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_encoder(saved)


def test_a_classifier_without_its_head_is_refused(saved: Path, config: EncoderConfig) -> None:
    dense = "pooler.dense" if config.family == "bert" else "pre_classifier"
    named = f"{dense}.weight, {dense}.bias, classifier.weight and 1 more"
    sentence = f"{saved} lacks 4 weights of the classification head ({named}): use a complete"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_classifier(saved)


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [(torch.ones(2, 8), "[2, 12]"), (torch.ones(3, 12), "[2, 12]"), (torch.tensor(1.0), "[2, 12]")],
)
def test_a_head_of_the_wrong_shape_is_named(
    config: EncoderConfig, tmp_path: Path, tensor: Tensor, expected: str
) -> None:
    save_classifier(tmp_path, Classifier(config, 2), labels=LABELS)
    rewrite(tmp_path, lambda tensors: tensors | {"classifier.weight": tensor})
    sentence = f"classifier.weight has shape {list(tensor.shape)}, but config.json says {expected}"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_classifier(tmp_path)


def test_a_head_to_fine_tune_is_fresh_and_the_seed_decides(saved: Path, encoder: Encoder) -> None:
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        classifier = load_pretrained(saved, labels=4, dropout=0.0)
        assert same(classifier.encoder, encoder)
        assert classifier.config.dropout == classifier.config.head_dropout == 0.0
        heads.append(classifier.head)
    assert same(heads[0], heads[1])
    assert not same(heads[0], heads[2])


def test_a_pooler_of_the_wrong_shape_is_named(tmp_path: Path) -> None:
    config = EncoderConfig(vocab_size=9, hidden=8, layers=1, heads=2, feed_forward=8, max_positions=4)
    save_encoder(tmp_path, Encoder(config))
    pooler = {"pooler.dense.weight": torch.ones(8, 7), "pooler.dense.bias": torch.ones(8)}
    rewrite(tmp_path, lambda tensors: tensors | pooler)
    with pytest.raises(CheckpointError, match=r"pooler\.dense\.weight has shape \[8, 7\], but config\.json says"):
        load_pretrained(tmp_path, labels=2)
    load_pretrained(tmp_path, labels=2, pooling="mean")  # does not look at it


def test_labels_are_written_as_they_are(config: EncoderConfig, tmp_path: Path) -> None:
    save_classifier(tmp_path, Classifier(config, 2), labels=("schön", "nicht schön"))
    content = read_config(tmp_path)[1]
    assert content["id2label"] == {"0": "schön", "1": "nicht schön"}
    assert content["label2id"] == {"schön": 0, "nicht schön": 1}
    assert "schön" in (tmp_path / "config.json").read_text(encoding="utf-8")


def test_a_directory_without_config_json(tmp_path: Path) -> None:
    sentence = f"{tmp_path} has no config.json: give a directory with an HF checkpoint"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_encoder(tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"model_type": "bert", ', "is not valid JSON (Expecting property name"),
        (b"\xff\xfe", "is not valid JSON ('utf-8' codec can't decode"),
        (b"", "is not valid JSON (Expecting value"),
        (b'["bert"]', "is not a JSON object: copy it again from the model's source"),
    ],
)
def test_a_damaged_config_json(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(f"{tmp_path / 'config.json'} {sentence}")):
        load_encoder(tmp_path)


def test_another_architecture(saved: Path) -> None:
    (saved / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(
        CheckpointError, match=r"config\.json has the model_type 'gpt2': bertline reads bert, distilbert, roberta,"
    ):
        load_encoder(saved)
