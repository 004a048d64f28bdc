"""The back end against transformers, which loads the same bundle."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from bertline.encoder.config import Family
from bertline.inference import load_predictor
from tests.unit.inference.tiny import TEXTS, write_tiny_bundle

SHORT = [text for text in TEXTS if len(text) < 30]


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
    head = predictor._backend._classifier.head.out  # type: ignore[attr-defined]
    theirs = head((states * real).sum(1) / real.sum(1)).numpy()
    np.testing.assert_allclose(predictor.score(SHORT).logits, theirs, atol=1e-5)
