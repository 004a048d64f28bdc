from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from bertline.bundle.reference import Split, read_reference
from bertline.errors import UsageError
from bertline.explanation import nearest
from bertline.explanation.nearest import kept_rows
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
    assert found[0].to_json().keys() == {"text", "target", "similarity"}
    assert found[0].target in embedder.labels
    monkeypatch.setattr(nearest, "MOST_ROWS", 7)
    assert len(kept_rows(tmp_path / "b", embedder.spec, embedder.embed).rows) == 7


def test_bundles_without_rows_or_of_pairs(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "b", engine=True)
    predictor = load_predictor(tmp_path / "b")
    with pytest.raises(UsageError, match=r"carries no rows to compare with: train it with --reference-rows, or leave"):
        kept_rows(tmp_path / "b", predictor.spec, predictor.embed)
    write_tiny_bundle(tmp_path / "pairs", engine=True, pairs=True)
    predictor = load_predictor(tmp_path / "pairs")
    with pytest.raises(UsageError, match="nearest texts are for models that read single texts: leave them out"):
        kept_rows(tmp_path / "pairs", predictor.spec, predictor.embed)
