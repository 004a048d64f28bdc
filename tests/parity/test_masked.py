"""The masked-language-model head of both families, and its checkpoints, are those of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import AutoModelForMaskedLM, AutoTokenizer

from bertline.encoder.checkpoint import load_pretrained
from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import Encoder
from bertline.encoder.keys import Table, masked_head_table, to_ours, whole_table
from bertline.encoder.masked import MaskedLanguageModel, load_masked, save_masked
from bertline.encoder.source import find_model
from bertline.errors import CheckpointError
from bertline.testing.tiny import random_texts, tiny_tokenizer
from bertline.training.pretraining.run import pretrain
from bertline.training.pretraining.settings import PretrainSettings
from bertline.training.progress import Silent
from tests.parity.peers import FAMILIES, gradients, hf_configs, hf_masked, samples, widen
from tests.parity.tolerances import TOLERANCES, difference, relative_difference

pytestmark = pytest.mark.peer


def table_of(config: EncoderConfig) -> Table:
    return whole_table(config, masked_head_table(config))


def our_masked(model: Any) -> MaskedLanguageModel:
    config = EncoderConfig.from_hf(model.config.to_dict())
    ours = MaskedLanguageModel(config)
    ours.load_state_dict(to_ours(model.state_dict(), table_of(config)))
    return ours.eval()


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=15)
@given(data=st.data())
def test_logits_and_the_gradient_of_every_parameter(family: str, data: st.DataObject) -> None:
    config = data.draw(hf_configs(family))
    sample = data.draw(samples(config))
    model = hf_masked(config)
    ours = our_masked(model)
    truth = sample.ids.masked_fill(~sample.attend, -100)
    theirs = model(**sample.hf(), labels=truth)
    at = sample.attend.flatten().nonzero()[:, 0]
    logits = ours(sample.ids, sample.attend, at=at)
    assert difference(logits, theirs.logits[sample.attend]) <= TOLERANCES["logits"]
    assert difference(ours(sample.ids, sample.attend)[sample.attend], logits) <= TOLERANCES["batch"]
    theirs.loss.backward()
    functional.cross_entropy(logits, sample.ids.flatten()[at]).backward()
    expected = to_ours(gradients(model), table_of(ours.config))
    computed = gradients(ours)
    assert computed.keys() == expected.keys()
    for name, gradient in computed.items():
        assert relative_difference(gradient, expected[name]) <= TOLERANCES["gradients"], name


@pytest.mark.parametrize("family", FAMILIES)
def test_checkpoints_go_both_ways(family: str, tmp_path: Path) -> None:
    shape = {"hidden": 16, "layers": 2, "heads": 2, "feed_forward": 24, "vocab_size": 30, "max_positions": 12}
    segments = {"segments": 0} if family == "distilbert" else {}
    torch.manual_seed(0)
    config = EncoderConfig(family=family, **shape, **segments)  # type: ignore[arg-type]
    ours = widen(MaskedLanguageModel(config))
    save_masked(tmp_path, ours)  # type: ignore[arg-type]
    theirs = AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    ids = torch.randint(3, 30, (3, 9))
    attend = torch.ones_like(ids, dtype=torch.bool)
    assert difference(ours(ids, attend), theirs(input_ids=ids).logits) <= TOLERANCES["logits"]
    theirs.save_pretrained(tmp_path / "again")
    back, has_head = load_masked(tmp_path / "again")
    assert has_head
    assert all(torch.equal(one, back.state_dict()[name]) for name, one in ours.state_dict().items())


def test_a_checkpoint_without_the_head_gets_a_new_one() -> None:
    directory = find_model("all-MiniLM-L6-v2")
    model, has_head = load_masked(directory)
    assert not has_head
    assert torch.equal(model.head.bias, torch.zeros(30_522))
    first = model(torch.tensor([[101, 103, 102]]), None, at=torch.tensor([1]))
    assert first.shape == (1, 30_522)
    assert float(functional.cross_entropy(first.detach(), torch.tensor([2143]))) < 15  # log 30,522 is 10.3


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_that_are_not_whole_or_not_tied_are_refused(family: str, tmp_path: Path) -> None:
    segments = {"segments": 0} if family == "distilbert" else {}
    config = EncoderConfig(
        family=family,  # type: ignore[arg-type]
        hidden=8,
        layers=1,
        heads=2,
        feed_forward=8,
        vocab_size=9,
        max_positions=4,
        **segments,
    )
    save_masked(tmp_path, MaskedLanguageModel(config))
    path = tmp_path / "model.safetensors"
    saved = load_file(path)
    names = config.description.masked
    output = f"{names.output}.weight"
    save_file({**saved, output: torch.ones(9, 8)}, path)
    with pytest.raises(CheckpointError, match=r"has an output matrix .* in which the two are tied"):
        load_masked(tmp_path)
    save_file({name: one for name, one in saved.items() if name != names.bias}, path)
    with pytest.raises(CheckpointError, match=r"lacks 1 weights of the masked-language-model head"):
        load_masked(tmp_path)


def test_the_encoder_is_the_same_with_and_without_the_head(tmp_path: Path) -> None:
    directory = find_model("all-MiniLM-L6-v2")
    model, _ = load_masked(directory)
    assert isinstance(model.encoder, Encoder)
    save_masked(tmp_path, model)
    again, has_head = load_masked(tmp_path)
    assert has_head
    assert all(torch.equal(one, again.state_dict()[name]) for name, one in model.state_dict().items())


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_what_is_pre_trained_has_the_logits_of_transformers_and_is_fine_tuned(family: str, tmp_path: Path) -> None:
    (tmp_path / "vocabulary").mkdir()
    tiny_tokenizer().save(tmp_path / "vocabulary")
    texts = tmp_path / "texts.txt"
    texts.write_text("".join(f"{text}\n" for text in random_texts(100)))
    chosen = PretrainSettings(
        vocab=tmp_path / "vocabulary",
        family=family,  # type: ignore[arg-type]
        layers=2,
        hidden=16,
        heads=2,
        feed_forward=32,
        sequence_tokens=32,
        batch_tokens=256,
        lr=1e-2,
        precision="fp32",
    )
    pretrain([str(texts)], tmp_path / "out", chosen, Silent())
    theirs = AutoModelForMaskedLM.from_pretrained(tmp_path / "out").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    inputs = tokenizer(["a film is [MASK] .", "on [MASK]"], padding=True, return_tensors="pt")
    ours, _ = load_masked(tmp_path / "out")
    logits = ours.eval()(inputs["input_ids"], inputs["attention_mask"].bool())
    real = inputs["attention_mask"].bool()
    assert difference(logits[real], theirs(**inputs).logits[real]) <= TOLERANCES["logits"]
    classifier = load_pretrained(tmp_path / "out", labels=2)
    assert all(
        torch.equal(one, classifier.encoder.state_dict()[name]) for name, one in ours.encoder.state_dict().items()
    )
