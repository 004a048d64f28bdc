"""The list of VADER, and its licence."""

from __future__ import annotations

from importlib.resources import files

from bertline.explanation.anatomy.lexicon import valence


def test_words_have_their_values_without_regard_to_case() -> None:
    assert (valence("good"), valence("Good"), valence("GOOD")) == (1.9, 1.9, 1.9)
    assert (valence("hated"), valence("horrible")) == (-3.2, -2.5)
    assert valence(":D") == 2.3, "an emoticon as it is written"
    assert valence("projector") is None


def test_the_whole_list_is_there_within_its_range() -> None:
    folder = files("bertline.explanation.anatomy")
    rows = [line.split("\t") for line in (folder / "vader.tsv").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 7_520
    assert all(-4 <= float(value) <= 4 for _, value in rows)
    licence = (folder / "vader.LICENSE").read_text(encoding="utf-8")
    assert "MIT License" in licence
    assert "C.J. Hutto" in licence
