"""A ranker's bundle as a cross-encoder of sentence-transformers: the same scores and the same order."""

from __future__ import annotations

from pathlib import Path

import pytest

import bertline
from bertline.tasks.rank.spec import Spec
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.parity.tolerances import TOLERANCES


@pytest.mark.drill
@pytest.mark.peer
@pytest.mark.parametrize("spec", [Spec(), Spec(highest=3.0)])
def test_it_has_the_scores_and_the_order_of_a_cross_encoder(spec: Spec, tmp_path: Path) -> None:
    package = pytest.importorskip("sentence_transformers")
    write_tiny_bundle(tmp_path / "ranker", task=spec)
    theirs = package.CrossEncoder(str(tmp_path / "ranker"), device="cpu", max_length=32)
    ours, texts = bertline.load(tmp_path / "ranker"), random_texts(12, seed=4)
    ranking = ours.rank("is it a film", texts)
    expected = theirs.rank("is it a film", texts)
    assert [one.index for one in ranking] == [one["corpus_id"] for one in expected]
    scores = [float(one["score"]) for one in expected]
    assert [one.score for one in ranking] == pytest.approx(scores, abs=TOLERANCES["logits"])
