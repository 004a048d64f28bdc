"""Filled words equal those of ``pipeline("fill-mask")`` on the same checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import transformers

from bertline.inference import load_predictor
from bertline.inference.predictor import TextClassifier
from bertline.tasks.fill.pipeline import entries
from bertline.tasks.fill.spec import Spec
from bertline.testing.tiny import write_tiny_bundle
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
