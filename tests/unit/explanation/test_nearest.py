from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from bertline.bundle.reference import ReferenceRows, Split, read_reference
from bertline.data.entities import Entity
from bertline.data.targets import Target
from bertline.errors import UsageError
from bertline.explanation import nearest
from bertline.explanation.nearest import KeptRow, Near, kept_rows
from bertline.inference import load_predictor
from bertline.testing.tiny import write_tiny_bundle


def test_the_nearest_rows_by_the_cosine_of_their_embeddings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_bundle(tmp_path / "b", engine=True, rows=20)
    embedder = load_predictor(tmp_path / "b", output="embedding")
    kept = kept_rows(tmp_path / "b", embedder.spec, embedder.embed)
    rows = [read_reference(tmp_path / "b", split, embedder.labels) for split in get_args(Split)]
    texts = [str(one) for some in rows for one in some.inputs]
    assert len(kept.rows) == len(texts) == 40
    vectors = embedder.embed([*texts, "it is so"]).astype(np.float64)
    cosines = vectors[:-1] @ vectors[-1] / np.linalg.norm(vectors[:-1], axis=1) / np.linalg.norm(vectors[-1])
    found = kept.near(vectors[-1], 3)
    assert [one.similarity for one in found] == pytest.approx(np.sort(cosines)[::-1][:3], abs=1e-5)
    assert found[0].text == texts[int(cosines.argmax())]
    assert found[0].to_json().keys() == {"text", "target", "similarity", "split", "line"}
    row = found[0].row
    lines = (tmp_path / "b" / "reference" / f"{row.split}.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[row.line - 1]) == {"text": found[0].text, "label": found[0].target}
    assert found[0].target in embedder.labels
    monkeypatch.setattr(nearest, "MOST_ROWS", 7)
    assert len(kept_rows(tmp_path / "b", embedder.spec, embedder.embed).rows) == 7


def test_bundles_without_rows_and_embedders(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "b", engine=True)
    predictor = load_predictor(tmp_path / "b")
    with pytest.raises(UsageError, match=r"carries no rows to compare with: train it with --reference-rows, or leave"):
        kept_rows(tmp_path / "b", predictor.spec, predictor.embed)
    rows = ReferenceRows((("a film", "it is"),), (1.0,))
    write_tiny_bundle(tmp_path / "embedder", task={"task": "embed"}, pooling="mean", kept={"test": rows})
    predictor = load_predictor(tmp_path / "embedder")
    with pytest.raises(UsageError, match=r"^nearest texts are for models that answer, and this one embeds: index a"):
        kept_rows(tmp_path / "embedder", predictor.spec, predictor.embed)


def test_pairs_are_compared_with_pairs(tmp_path: Path) -> None:
    both = ("a film", "it is so"), ("it is so", "a film"), ("at on", "an is")
    rows = ReferenceRows(both, ("neutral", "positive", "negative"))
    write_tiny_bundle(tmp_path / "b", engine=True, pairs=True, kept={"test": rows})
    embedder = load_predictor(tmp_path / "b", output="embedding")
    kept = kept_rows(tmp_path / "b", embedder.spec, embedder.embed)
    first, second = kept.near(embedder.embed([both[1]])[0], 2)
    assert (first.text, first.text_pair, first.target) == ("it is so", "a film", "positive")
    assert first.to_json()["text_pair"] == "a film"
    assert first.similarity == pytest.approx(1, abs=1e-6)
    assert second.similarity < 1 - 1e-6, "the order of a pair counts"


@pytest.mark.parametrize(
    ("target", "label", "has"),
    [
        ("Good", "Good", True),
        ("bad", "good", False),
        (("a", "b"), "b", True),
        ((), "b", False),
        (2.5, "stars", None),
        ((Entity(0, 4, "person"),), "person", True),
    ],
)
def test_whether_a_label_is_true_of_a_row(target: Target, label: str, has: bool | None) -> None:
    assert Near(KeptRow("Anna", target, "test", 1), 0.5).has(label) is has
