"""Where the encoder is in a state dict, as people publish them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bertline.encoder.checkpoint import load_classifier, load_encoder, load_pretrained, save_classifier
from bertline.encoder.config import EncoderConfig
from bertline.encoder.heads import Classifier
from bertline.errors import CheckpointError, CheckpointWarning

CRF = {"crf.transitions": (3, 3), "crf.start_transitions": (3,), "lstm.weight_ih_l0": (4, 12), "lstm.bias_ih_l0": (4,)}


@pytest.fixture
def classifier(config: EncoderConfig) -> Classifier:
    torch.manual_seed(0)
    return Classifier(config, 2)


@pytest.fixture
def saved(classifier: Classifier, tmp_path: Path) -> Path:
    """A classifier by the names of transformers: ``bert.`` or ``distilbert.``, and the head beside it."""
    save_classifier(tmp_path, classifier, labels=("no", "ja"))
    return tmp_path


def rewrite(directory: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    path = directory / "model.safetensors"
    save_file(change(load_file(path)), path)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("wrapper", ["module.", "model.", "_orig_mod.", "module._orig_mod.", "net.student."])
def test_prefixes_of_wrappers_in_saved_names(saved: Path, classifier: Classifier, wrapper: str) -> None:
    """T5: DataParallel, torch.compile, an attribute; the head is below the same wrapper."""
    rewrite(saved, lambda tensors: {wrapper + name: one for name, one in tensors.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(load_classifier(saved), classifier)
        assert same(load_encoder(saved), classifier.encoder)


@pytest.mark.parametrize("wrapper", ["module.", "model.", "_orig_mod.", "0.auto_model.", "backbone."])
def test_a_wrapped_encoder_without_its_family(saved: Path, classifier: Classifier, wrapper: str) -> None:
    """T5: and a head of its own making beside it."""
    family = f"{classifier.config.family}."

    def wrap(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        encoder = {wrapper + name.removeprefix(family): one for name, one in tensors.items() if name.startswith(family)}
        return encoder | {"classifier.weight": torch.ones(7, 12)}

    rewrite(saved, wrap)
    with pytest.warns(CheckpointWarning, match=r"weights beside its encoder that bertline does not use \(classifier\."):
        assert same(load_encoder(saved), classifier.encoder)


def test_a_complete_encoder_with_a_foreign_head(saved: Path, classifier: Classifier) -> None:
    """T6: the encoder is taken, the head is left out and named."""
    rewrite(saved, lambda tensors: tensors | {name: torch.ones(shape) for name, shape in CRF.items()})
    sentence = (
        f"{saved} has weights beside its encoder that bertline does not use (crf.start_transitions, crf.transitions, "
        "lstm.bias_ih_l0 and 1 more): only the encoder is read"
    )
    for load in (load_encoder, lambda directory: load_pretrained(directory, labels=4).encoder):
        with pytest.warns(CheckpointWarning, match=re.escape(sentence)):
            assert same(load(saved), classifier.encoder)
    with pytest.warns(CheckpointWarning, match=re.escape(sentence)):
        assert same(load_classifier(saved), classifier)


@pytest.mark.parametrize("foreign", ["ner_head.linear.weight", "lm_head.weight", "pooler.dense.weight", "log_vars"])
def test_other_heads_of_all_kinds(saved: Path, classifier: Classifier, foreign: str) -> None:
    """T6: below a wrapper too."""
    rewrite(
        saved, lambda tensors: {f"module.{name}": one for name, one in (tensors | {foreign: torch.ones(2)}).items()}
    )
    with pytest.warns(CheckpointWarning, match=re.escape(f"does not use (module.{foreign}): only the encoder is read")):
        assert same(load_encoder(saved), classifier.encoder)


@pytest.mark.parametrize("inside", ["adapter.down.weight", "encoder.layer.0.output.adapter.weight", "encoder.bias"])
def test_a_weight_inside_the_encoder_that_is_not_known_is_refused(
    saved: Path, config: EncoderConfig, inside: str
) -> None:
    """T6: it may change what the encoder computes."""
    rewrite(saved, lambda tensors: tensors | {f"{config.family}.{inside}": torch.ones(2)})
    with pytest.raises(
        CheckpointError, match=re.escape(f"does not have ({inside}): its config.json belongs to another")
    ):
        load_encoder(saved)


def test_two_encoders(saved: Path, config: EncoderConfig) -> None:
    """T5: which one is meant cannot be known."""
    rewrite(
        saved,
        lambda tensors: {f"{side}.{name}": one.clone() for side in ("query", "text") for name, one in tensors.items()},
    )
    sentence = (
        f"{saved} has 2 encoders (below query.{config.family}., text.{config.family}.): give a checkpoint with one"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_encoder(saved)


@pytest.mark.parametrize("prefix", ["roberta.", "electra.", "net."])
def test_an_encoder_below_another_name(saved: Path, config: EncoderConfig, prefix: str) -> None:
    """T5: RoBERTa has the names and shapes of BERT, and counts positions otherwise."""
    family = f"{config.family}."
    rewrite(saved, lambda tensors: {name.replace(family, prefix): one for name, one in tensors.items()})
    sentence = f"{saved} has its encoder below {prefix}, which is not a prefix of a {config.family} encoder: rename its"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_encoder(saved)


def test_a_norm_under_its_old_and_its_new_name(saved: Path, config: EncoderConfig) -> None:
    """T5."""
    name = f"{config.family}.embeddings.LayerNorm.weight"
    rewrite(saved, lambda tensors: tensors | {name.replace("weight", "gamma"): torch.ones(12)})
    with pytest.raises(CheckpointError, match=re.escape(f"has the weight {name} twice, once under its old name")):
        load_encoder(saved)
