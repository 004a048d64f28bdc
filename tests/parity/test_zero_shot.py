"""Labels of a request equal those of ``pipeline("zero-shot-classification")`` on the same checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers

from bertline.inference import TextClassifier, load_predictor
from bertline.inference.zero_shot import ZeroShotPredictor
from bertline.tasks.zero_shot import Candidates
from bertline.testing.tiny import write_tiny_bundle
from tests.parity.tolerances import TOLERANCES

pytestmark = pytest.mark.peer
TEXTS = ["it is a film", "Ünïcödé at 東京 🙂, is it?", "on"]
LABELS = ["film", "a , at", "is"]
SPELLINGS = [("contradiction", "entailment", "neutral"), ("ENTAILMENT", "NEUTRAL", "CONTRADICTION")]


@pytest.fixture(scope="module", params=SPELLINGS, ids=",".join)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[TextClassifier, Any]:
    bundle: Path = tmp_path_factory.mktemp("zero-shot") / "entailment"
    write_tiny_bundle(bundle, pairs=True, labels=request.param, temperature=1.5)
    pipeline = transformers.pipeline("zero-shot-classification", model=str(bundle), device="cpu")
    return load_predictor(bundle), pipeline


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("labels", [LABELS, LABELS[:1]], ids=["three labels", "one label"])
@pytest.mark.parametrize("template", ["a {} is it.", "{}"])
def test_labels_and_scores(both: tuple[TextClassifier, Any], several: bool, labels: list[str], template: str) -> None:
    predictor, pipeline = both
    ours = ZeroShotPredictor(predictor, Candidates.of(labels, template, several)).predict(TEXTS)
    theirs = pipeline(TEXTS, labels, hypothesis_template=template, multi_label=several)
    for one, other in zip(ours, theirs, strict=True):
        assert [label for label, _ in one.top()] == other["labels"]
        assert [score for _, score in one.top()] == pytest.approx(other["scores"], abs=TOLERANCES["logits"])
