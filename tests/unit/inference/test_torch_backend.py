"""The back end against transformers, which loads the same bundle."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from bertline.data.batching import Batch, pad
from bertline.encoder.config import Family
from bertline.encoder.encoder import Encoder
from bertline.encoder.heads import Pooling
from bertline.errors import SettingsError
from bertline.inference import load_predictor
from bertline.inference.torch_backend import TorchBackend, _multiplies_bf16
from bertline.testing.tiny import TEXTS, VOCABULARY, write_tiny_bundle

SHORT = [text for text in TEXTS if len(text) < 30]
BF16_OF_SPREAD = 0.04  # of the range of each logit over the texts; 0.008 to 0.021 was measured


def random_batch(*, padded: bool) -> Batch:
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 32, 64) if padded else np.full(64, 31)
    return pad([rng.integers(5, len(VOCABULARY), length).tolist() for length in lengths], pad_id=0)


@pytest.mark.peer
@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_transformers_computes_our_logits_from_the_bundle(tmp_path: Path, family: Family) -> None:
    target = tmp_path / "tiny"
    write_tiny_bundle(target, family=family)
    tokenizer = AutoTokenizer.from_pretrained(target)
    model, info = AutoModelForSequenceClassification.from_pretrained(target, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    batch = tokenizer(SHORT, padding=True, return_tensors="pt")
    if family == "distilbert":
        batch.pop("token_type_ids", None)
    with torch.inference_mode():
        theirs = model.eval()(**batch).logits.numpy()
    ours = load_predictor(target, device="cpu").score(SHORT).logits
    assert np.ptp(ours, axis=0).min() > 0.1, "the texts must have different answers"
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert [model.config.id2label[i] for i in range(3)] == ["negative", "neutral", "positive"]


@pytest.mark.peer
@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_the_cards_code_gives_our_probabilities(
    tmp_path: Path, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_bundle(tmp_path / "tiny", family=family)
    monkeypatch.chdir(tmp_path)
    card = (tmp_path / "tiny" / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert code
    names: dict[str, torch.Tensor] = {}
    exec(code[1], names)
    (ours,) = load_predictor(tmp_path / "tiny", device="cpu").predict(["a text"])
    np.testing.assert_allclose(names["probabilities"][0], list(ours.probabilities.values()), atol=1e-5)


@pytest.mark.peer
def test_with_mean_pooling_transformers_gets_the_encoder_and_no_false_promise(tmp_path: Path) -> None:
    target = tmp_path / "tiny"
    write_tiny_bundle(target, pooling="mean")
    predictor = load_predictor(target, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, info = AutoModel.from_pretrained(target, add_pooling_layer=False, output_loading_info=True)
    assert model.config.architectures == ["BertModel"]
    assert not info["missing_keys"]
    batch = AutoTokenizer.from_pretrained(target)(SHORT, padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = model.eval()(**batch).last_hidden_state
    real = batch["attention_mask"].unsqueeze(-1)
    head = predictor.backend._network.head.out  # type: ignore[attr-defined]
    theirs = head((states * real).sum(1) / real.sum(1)).numpy()
    np.testing.assert_allclose(predictor.score(SHORT).logits, theirs, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "distilbert"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("padded", [False, True])
def test_bf16_gives_nearly_the_logits_of_fp32(tmp_path: Path, family: Family, pooling: Pooling, padded: bool) -> None:
    target, batch = tmp_path / "tiny", random_batch(padded=padded)
    write_tiny_bundle(target, family=family, pooling=pooling)
    exact = TorchBackend(target, device="cpu", precision="fp32").compute(batch)
    rounded = TorchBackend(target, device="cpu", precision="bf16").compute(batch)
    assert exact.dtype == rounded.dtype == np.float32
    error = np.abs(rounded - exact).max(axis=0) / np.ptp(exact, axis=0)
    assert (error < BF16_OF_SPREAD).all()
    assert (error > 0).all(), "it did not compute in bf16"


def test_rounding_the_matrices_beforehand_changes_no_bit_of_autocast(bundle: Path) -> None:
    batch = random_batch(padded=True)
    each_time = TorchBackend(bundle, device="cpu", precision="fp32")
    each_time._bf16 = True
    once = TorchBackend(bundle, device="cpu", precision="bf16")
    np.testing.assert_array_equal(once.compute(batch), each_time.compute(batch))


def test_by_default_a_cpu_computes_in_fp32(bundle: Path) -> None:
    batch = random_batch(padded=True)
    exact = TorchBackend(bundle, device="cpu", precision="fp32").compute(batch)
    np.testing.assert_array_equal(TorchBackend(bundle, device="cpu").compute(batch), exact)


@pytest.mark.parametrize("hardware", [False, True])
def test_by_default_a_gpu_computes_in_bf16_unless_emulated(monkeypatch: pytest.MonkeyPatch, hardware: bool) -> None:
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or hardware
    )
    assert _multiplies_bf16(torch.device("cuda")) is hardware
    assert not _multiplies_bf16(torch.device("cpu"))


def test_a_device_without_room_for_the_network_is_a_settings_error(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("out of memory\nmore of it")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(SettingsError, match=r"cannot use the device 'cpu' \(out of memory\): choose cpu, cuda or auto"):
        TorchBackend(bundle, device="cpu")


@pytest.mark.parametrize("padded", [False, True])
def test_the_encoder_gets_no_mask_if_no_text_is_padded(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, padded: bool
) -> None:
    told, forward = [], Encoder.forward
    monkeypatch.setattr(
        Encoder,
        "forward",
        lambda self, ids, attend, **more: told.append(attend is None) or forward(self, ids, attend, **more),
    )
    TorchBackend(bundle, device="cpu").compute(random_batch(padded=padded))
    assert told == [not padded]
