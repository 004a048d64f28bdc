"""Embedded texts in a program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bertline
from bertline.errors import DataError, UsageError
from bertline.testing.tiny import write_tiny_bundle

TEXTS = ["a film", "it is so", "a film", "one two ."]


def test_texts_are_embedded_and_asked(bundle: Path) -> None:
    index = bertline.index(bundle, TEXTS, progress=False)
    assert (len(index), index.vectors.shape) == (4, (4, 32))
    assert [dict(row) for row in index.rows()] == [{"text": text} for text in TEXTS]
    ((first, second), _) = index.nearest(["a film", "it is so"], top_k=2)
    assert [(one.text, one.line, one.similarity) for one in (first, second)] == [("a film", 1, 1.0), ("a film", 3, 1.0)]
    assert len(index.clusters(2).clusters) == 2
    assert [len(group) for group in index.duplicates(1.0).groups] == [2]
    np.testing.assert_allclose(index.vectors, bertline.load(bundle).embed(TEXTS, normalise=True), atol=1e-6)
    assert repr(index) == "<Index of 4 texts by reviews: 32 dimensions>"


def test_a_temporary_index_goes_with_its_object(bundle: Path) -> None:
    index = bertline.index(bundle, TEXTS, progress=False)
    place = index.path
    assert place.is_dir()
    del index
    assert not place.parent.exists()


def test_an_index_on_disk_is_opened_again(
    bundle: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = bertline.index(bundle, table, out=tmp_path / "index", text_column="text")
    assert "embedding: 90 of 90 rows" in capsys.readouterr().err
    again = bertline.index(bundle, tmp_path / "index")
    np.testing.assert_array_equal(made.vectors, again.vectors)
    write_tiny_bundle(tmp_path / "other", seed=1)
    with pytest.raises(DataError, match=r"was made with the model reviews, and .*/other embeds otherwise"):
        bertline.index(tmp_path / "other", tmp_path / "index")


def test_what_cannot_be_embedded_is_said(bundle: Path) -> None:
    with pytest.raises(UsageError, match=r"^texts\[1\] is empty: leave it out$"):
        bertline.index(bundle, ["a film", ""], progress=False)
    with pytest.raises(UsageError, match=r"^texts\[0\] is '3' \(int\), and index takes strings"):
        bertline.index(bundle, [3], progress=False)  # type: ignore[list-item]
    index = bertline.index(bundle, TEXTS, progress=False)
    with pytest.raises(UsageError, match=r"^nearest takes a list of texts and was given one string: write nearest"):
        index.nearest("a film")


PARCELS = ["The parcel never arrived.", "My package has still not been delivered.", "Where is my delivery?"]
FILMS = ["The film is slow and beautiful.", "A wonderful movie with great actors.", "The actors carry this film."]


@pytest.mark.drill
def test_a_real_encoder_finds_what_texts_mean(tmp_path: Path) -> None:
    bertline.import_model("all-MiniLM-L6-v2", out=tmp_path / "minilm")
    index = bertline.index(tmp_path / "minilm", [*PARCELS, *FILMS], progress=False)
    ((first, second, third),) = index.nearest(["I am waiting for a shipment."], top_k=3)
    assert {first.text, second.text, third.text} == {*PARCELS}
    of_parcel, *numbers = [number for number, _ in index.clusters(2).rows]
    assert [number == of_parcel for number in numbers] == [True, True, False, False, False]
    (group,) = index.duplicates(0.5).groups[:1]
    assert {one.text for one in group} <= {*PARCELS}
