"""Training from checkpoints as people publish them: what does not fit is refused, what fits is served the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer as Library
from tokenizers import normalizers, pre_tokenizers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from bertline.errors import CheckpointError
from bertline.inference import load_predictor
from bertline.training.progress import Plan, Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings


class Planned(Silent):
    """Keeps the plan, which comes right before training."""

    plan: Plan | None = None

    def planned(self, plan: Plan) -> None:
        self.plan = plan


def settings(model: Path) -> TrainSettings:
    quick = {"epochs": 2, "max_tokens": 32, "batch_tokens": 512, "precision": "fp32", "lr": 2e-3}
    return TrainSettings(model=str(model), **quick)


def test_a_tokenizer_with_more_ids_than_the_model_has_rows(model: Path, table: Path, tmp_path: Path) -> None:
    """T1: refused before anything is trained."""
    other, progress = tmp_path / "model", Planned()
    shutil.copytree(model, other)
    (other / "tokenizer.json").unlink()
    with (other / "vocab.txt").open("a") as words:
        words.write("one\ntwo\nthree\n")
    with pytest.raises(
        CheckpointError, match=r"has a tokenizer with ids up to 92 \(three\), but .* says 90 rows of emb"
    ):
        train(str(table), tmp_path / "out", settings(other), progress)
    assert progress.plan is None
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lowercase", [True, False])
def test_transformers_answers_as_we_do_whatever_the_tokenizer(
    model: Path, table: Path, tmp_path: Path, lowercase: bool
) -> None:
    """T4: "AN AWFUL FILM" was negative here and positive there."""
    other, out = tmp_path / "model", tmp_path / "out"
    shutil.copytree(model, other)
    library = Library.from_file(str(other / "tokenizer.json"))
    library.normalizer = normalizers.Sequence([normalizers.NFKC(), *([normalizers.Lowercase()] if lowercase else [])])
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.save(str(other / "tokenizer.json"))
    (other / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    train(str(table), out, settings(other), Silent())
    assert json.loads((out / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"
    predictor, theirs = load_predictor(out), AutoTokenizer.from_pretrained(out)
    network: Any = AutoModelForSequenceClassification.from_pretrained(out).eval()
    for text in ("IT IS AT US, ﬁ!", "on an um or", "It's ＯＮ"):
        batch = theirs(text, return_tensors="pt")
        with torch.inference_mode():
            scores = (network(**batch).logits[0] / predictor.temperature).softmax(-1)
        (answer,) = predictor.predict([text])
        assert list(answer.probabilities.values()) == pytest.approx(scores.tolist(), abs=1e-5)
