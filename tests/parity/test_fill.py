"""Filled words equal those of ``pipeline("fill-mask")`` on the same checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from bertline.data.settings import EvaluateSettings
from bertline.errors import DataError, SettingsError
from bertline.evaluation.labelled_table import evaluate_table
from bertline.inference import load_predictor
from bertline.inference.predictor import TextClassifier
from bertline.tasks.fill.hidden import hidden
from bertline.tasks.fill.pipeline import entries
from bertline.tasks.fill.spec import Spec
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.parity.tolerances import TOLERANCES

pytestmark = pytest.mark.peer
TEXTS = [
    "a [MASK] is at!",
    "[MASK]",
    "An [MASK] at on [MASK], it is [MASK] !",
    "Ünïcödé [MASK] 東京 🙂[MASK]",
    "the [mask] [MASK].",
    "it[MASK]is",
]
CHOICES: list[dict[str, Any]] = [
    {},
    {"top_k": 3},
    {"top_k": 12},
    {"targets": ["a", "is", "##s"]},
    {"targets": ["filmy", "IS", "is", "z"], "top_k": 2},
    {"targets": "on"},
]


@pytest.fixture(scope="module", params=["bert", "distilbert"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[TextClassifier, Any]:
    bundle: Path = tmp_path_factory.mktemp("fill") / request.param
    how: dict[str, Any] = {"pooling": "none", "truncation": "window"}
    write_tiny_bundle(bundle, family=request.param, engine=True, task=Spec(temperature=1.5), **how)
    return load_predictor(bundle), transformers.pipeline("fill-mask", model=str(bundle), device="cpu")


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_words_scores_and_sequences(
    both: tuple[TextClassifier, Any], choice: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, pipeline = both
    monkeypatch.setattr(logging.getLogger("transformers"), "disabled", True)
    targets = [choice["targets"]] if isinstance(choice.get("targets"), str) else choice.get("targets")
    assert isinstance(predictor.spec, Spec)
    spec = predictor.spec.choosing(choice.get("top_k"), targets)
    readings, arrays = predictor.pieces(TEXTS, "vocabulary")
    for text, reading, rows in zip(TEXTS, readings, arrays, strict=True):
        ours: Any = entries(spec, reading, rows)
        theirs: Any = pipeline(text, **choice)
        if text.count("[MASK]") == 1:
            ours, theirs = [ours], [theirs]
        assert len(ours) == len(theirs) == text.count("[MASK]")
        for own, other in zip(ours, theirs, strict=True):
            assert [one["score"] for one in own] == pytest.approx(
                [one["score"] for one in other], abs=TOLERANCES["batch"]
            )
            kept = ("token", "token_str", "sequence")
            assert [[one[key] for key in kept] for one in own] == [[one[key] for key in kept] for one in other]


def test_a_text_without_a_mask_is_refused_by_both(both: tuple[TextClassifier, Any]) -> None:
    predictor, pipeline = both
    with pytest.raises(Exception, match=r"No mask_token \(\[MASK\]\) found"):
        pipeline("a film")
    [reading], _ = predictor.pieces(["a film"], "vocabulary")
    assert predictor.spec.fault(reading) == "has no [MASK]: write [MASK] where a word is to be filled in"


def test_figures_of_hidden_tokens_are_those_of_its_network(both: tuple[TextClassifier, Any], tmp_path: Path) -> None:
    predictor, pipeline = both
    texts = [*filter(None, map(str.strip, random_texts(30, seed=5))), "it [MASK]"]
    (tmp_path / "texts.txt").write_text("\n".join([*texts, *texts]), encoding="utf-8")
    measured = evaluate_table(tmp_path, predictor, tmp_path / "texts.txt", EvaluateSettings())
    found = measured.evaluation
    rows, truth = hidden([*dict.fromkeys(texts)], predictor.read, predictor.tokenizer.mask_id)
    losses, hits = [], []
    for row, ids in zip(rows, truth, strict=True):
        with torch.inference_mode():
            scores = pipeline.model(torch.tensor([row.piece.ids])).logits[0, [*row.piece.masked]]
        losses += torch.nn.functional.cross_entropy(scores / 1.5, torch.tensor(ids), reduction="none").tolist()
        hits += (scores.argmax(dim=1) == torch.tensor(ids)).tolist()
    (note,) = measured.notes
    assert note == f"{len(hits)} tokens are hidden in {len(rows)} of {len(texts)} texts, chosen at random"
    assert found.metrics()["perplexity"]["value"] == pytest.approx(np.exp(np.mean(losses)), rel=1e-4)
    assert found.metrics()["masked_accuracy"]["value"] == pytest.approx(np.mean(hits))


def test_what_cannot_be_evaluated_is_named(both: tuple[TextClassifier, Any], tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("it [MASK]\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"texts\.txt has no text to hide tokens in: give texts without \[MASK\]"):
        evaluate_table(tmp_path, both[0], tmp_path / "texts.txt", EvaluateSettings())
    with pytest.raises(SettingsError, match=r"slice_columns is set, but .* reads texts without columns: leave it out"):
        evaluate_table(tmp_path, both[0], tmp_path / "texts.txt", EvaluateSettings(slice_columns=("country",)))
