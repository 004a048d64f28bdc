"""Checkpoints go both ways: what transformers saves we load, what we save it loads, and nothing changes by a bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForTokenClassification,
    BertModel,
    CamembertForTokenClassification,
    DistilBertForMaskedLM,
    DistilBertModel,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    RobertaForMaskedLM,
    XLMRobertaForQuestionAnswering,
)

from bertline.encoder.checkpoint import (
    load_classifier,
    load_encoder,
    load_pretrained,
    save_classifier,
    save_encoder,
)
from bertline.encoder.config import ACTIVATIONS, EncoderConfig
from bertline.encoder.description import DESCRIPTIONS
from bertline.encoder.encoder import Encoder
from bertline.encoder.heads import Classifier
from bertline.errors import CheckpointWarning
from tests.parity.peers import FAMILIES, Sample, hf_classifier, hf_config, hf_encoder, widen
from tests.parity.tolerances import TOLERANCES, difference

pytestmark = pytest.mark.peer

LABELS = ("negative", "neutral", "positive")
BATCH = Sample(
    ids=torch.tensor([[2, 7, 9, 4, 3], [2, 8, 3, 0, 0]]),
    attend=torch.tensor([[True] * 5, [True] * 3 + [False] * 2]),
    segments=torch.zeros(2, 5, dtype=torch.long),
)


def config_of(family: str) -> Any:
    sizes = {"vocab_size": 20, "hidden": 24, "heads": 3, "layers": 2, "feed_forward": 40, "max_positions": 12}
    return hf_config(family, sizes)


def states(encoder: Encoder) -> torch.Tensor:
    with torch.no_grad():
        return encoder.eval()(BATCH.ids, BATCH.attend).last[BATCH.attend]


def logits(classifier: Classifier) -> torch.Tensor:
    with torch.no_grad():
        return classifier.eval()(BATCH.ids, BATCH.attend)


def their_states(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(**BATCH.hf()).last_hidden_state[BATCH.attend]


def their_logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(**BATCH.hf()).logits


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_that_transformers_saved(family: str, tmp_path: Path) -> None:
    model = hf_classifier(config_of(family), labels=3)
    model.save_pretrained(tmp_path)
    ours = load_classifier(tmp_path)
    assert ours.labels == 3
    assert ours.config == EncoderConfig.from_hf(model.config.to_dict())
    assert difference(logits(ours), their_logits(model)) <= TOLERANCES["logits"]


@pytest.mark.parametrize(
    "activation", ["gelu_python", "gelu_fast", "gelu_accurate", "gelu_python_tanh", "swish", *ACTIVATIONS]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_name_of_an_activation(family: str, activation: str, tmp_path: Path) -> None:
    """T5: the values of transformers, also after the checkpoint is written again under the current name."""
    config = config_of(family)
    setattr(config, DESCRIPTIONS[family].entries["activation"], activation)  # type: ignore[index]
    model = hf_classifier(config, labels=3)
    source, again = tmp_path / "source", tmp_path / "again"
    again.mkdir()
    model.save_pretrained(source)
    ours = load_classifier(source)
    save_classifier(again, ours, labels=LABELS)
    theirs = AutoModelForSequenceClassification.from_pretrained(again)
    assert difference(logits(ours), their_logits(model)) <= TOLERANCES["logits"]
    assert difference(their_logits(theirs), their_logits(model)) <= TOLERANCES["logits"]


@pytest.mark.parametrize("wrapper", ["module.", "model.", "_orig_mod."])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrapped_checkpoint_without_model_type(family: str, wrapper: str, tmp_path: Path) -> None:
    """T5: as a training script saves it, in a pickle, with a foreign head (T6); transformers computed its states."""
    model = hf_classifier(config_of(family), labels=3)
    content = model.config.to_dict()
    del content["model_type"]
    content["architectures"] = [type(model).__name__]
    (tmp_path / "config.json").write_text(json.dumps(content))
    tensors = {wrapper + name: one for name, one in model.state_dict().items()}
    head = {f"{wrapper}crf.transitions": torch.ones(3, 3)}
    torch.save({"state_dict": tensors | head, "epoch": 1}, tmp_path / "pytorch_model.bin")
    with pytest.warns(
        CheckpointWarning, match=rf"does not use \({wrapper}crf\.transitions\): only the encoder is read"
    ):
        ours = load_classifier(tmp_path)
    assert difference(logits(ours), their_logits(model)) <= TOLERANCES["logits"]


@pytest.mark.parametrize("family", FAMILIES)
def test_token_classification_round_trips(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = config_of(family)
    config.num_labels = 3
    model = widen(AutoModelForTokenClassification.from_config(config))
    source, again = tmp_path / "source", tmp_path / "again"
    again.mkdir()
    model.save_pretrained(source)
    ours = load_classifier(source)
    assert (ours.pooling, ours.output, ours.labels) == ("none", "tags", 3)
    assert difference(logits(ours)[BATCH.attend], their_logits(model)[BATCH.attend]) <= TOLERANCES["logits"]
    assert ours.head.dropout.p == model.dropout.p

    save_classifier(again, ours, labels=LABELS)
    theirs, report = AutoModelForTokenClassification.from_pretrained(again, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert theirs.config.id2label == dict(enumerate(LABELS))
    assert torch.equal(their_logits(theirs), their_logits(model))
    before, after = load_file(source / "model.safetensors"), load_file(again / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_that_transformers_saved(family: str, tmp_path: Path) -> None:
    model = hf_encoder(config_of(family))
    model.save_pretrained(tmp_path)
    assert difference(states(load_encoder(tmp_path)), their_states(model)) <= TOLERANCES["hidden states"]


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_loads_our_classifier_whole(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = EncoderConfig.from_hf(config_of(family).to_dict())
    ours: Any = widen(Classifier(config, len(LABELS)))
    save_classifier(tmp_path, ours, labels=LABELS)
    theirs, report = AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert theirs.config.id2label == dict(enumerate(LABELS))
    assert difference(logits(ours), their_logits(theirs)) <= TOLERANCES["logits"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rates_of_dropout_survive_the_exchange(family: str, tmp_path: Path) -> None:
    config = EncoderConfig.from_hf(config_of(family).to_dict()).with_dropout(0.3)
    save_classifier(tmp_path, Classifier(config, 2), labels=("a", "b"))
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    rates = {module.p for module in theirs.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.3}
    assert load_classifier(tmp_path).config == config


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_loads_our_encoder(family: str, tmp_path: Path) -> None:
    ours: Any = widen(Encoder(EncoderConfig.from_hf(config_of(family).to_dict())))
    save_encoder(tmp_path, ours)
    theirs, report = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["unexpected_keys"]
    assert {key.partition(".")[0] for key in report["missing_keys"]} <= {"pooler"}  # an encoder has no head
    assert difference(states(ours), their_states(theirs)) <= TOLERANCES["hidden states"]


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_loads_the_encoder_below_a_mean_head(family: str, tmp_path: Path) -> None:
    config = EncoderConfig.from_hf(config_of(family).to_dict())
    ours: Any = widen(Classifier(config, len(LABELS), pooling="mean"))
    save_classifier(tmp_path, ours, labels=LABELS)
    theirs = AutoModel.from_pretrained(tmp_path)
    assert difference(states(ours.encoder), their_states(theirs)) <= TOLERANCES["hidden states"]
    assert torch.equal(logits(load_classifier(tmp_path)), logits(ours))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_written_again_has_the_same_names_and_bits(family: str, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    after.mkdir()
    hf_classifier(config_of(family), labels=3).save_pretrained(before)
    save_classifier(after, load_classifier(before), labels=LABELS)
    theirs, ours = (load_file(directory / "model.safetensors") for directory in (before, after))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert difference(tensor, theirs[name]) <= TOLERANCES["round trip"], name
    assert not [name for name in ours if not torch.equal(ours[name], theirs[name])]


@pytest.mark.parametrize(
    "kind",
    [
        BertModel,
        BertForMaskedLM,
        BertForPreTraining,
        BertForQuestionAnswering,
        BertForTokenClassification,
        DistilBertModel,
        DistilBertForMaskedLM,
        RobertaForMaskedLM,
        XLMRobertaForQuestionAnswering,
        CamembertForTokenClassification,
        ElectraForPreTraining,
        ElectraForMaskedLM,
    ],
)
def test_heads_that_we_do_not_use_are_left_aside(kind: Any, tmp_path: Path) -> None:
    model = widen(kind(config_of(kind.config_class.model_type)))
    model.save_pretrained(tmp_path)
    bare = getattr(model, model.base_model_prefix, model)
    assert difference(states(load_encoder(tmp_path)), their_states(bare)) <= TOLERANCES["hidden states"]


@pytest.mark.parametrize("kind", [BertModel, BertForPreTraining])
def test_fine_tuning_starts_from_the_pooler_of_the_checkpoint(kind: Any, tmp_path: Path) -> None:
    model: Any = widen(kind(config_of("bert")))
    model.save_pretrained(tmp_path)
    pooler = getattr(model, "bert", model).pooler.dense
    head: Any = load_pretrained(tmp_path, labels=2).head
    assert torch.equal(head.dense.weight, pooler.weight)
    assert torch.equal(head.dense.bias, pooler.bias)
    assert not head.out.bias.any()


def test_a_sharded_checkpoint_of_transformers(tmp_path: Path) -> None:
    model = hf_encoder(config_of("bert"))
    model.save_pretrained(tmp_path, max_shard_size="8KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    assert difference(states(load_encoder(tmp_path)), their_states(model)) <= TOLERANCES["hidden states"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_of_half_precision_are_read_as_fp32(dtype: torch.dtype, tmp_path: Path) -> None:
    model: Any = hf_encoder(config_of("bert")).to(dtype)
    model.save_pretrained(tmp_path)
    encoder = load_encoder(tmp_path)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    assert difference(states(encoder), their_states(model.float())) <= TOLERANCES["hidden states"]
