"""Each term of the glossary has a home in the code, and the terms are in order."""

from __future__ import annotations

import re

import pytest

from tests.docs.markdown import ROOT

ROW = re.compile(r"^\| (?P<term>[^|]+?) \| (?P<meaning>[^|]+?) \| `(?P<home>[^`|]+)` \|$", re.MULTILINE)
ROWS = [
    (row["term"], row["meaning"], row["home"])
    for row in ROW.finditer((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))
]


def test_every_row_is_read() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    assert len(ROWS) == len([line for line in lines if line.startswith("| ")]) - 2 >= 25


def test_the_terms_are_in_order() -> None:
    terms = [term for term, _, _ in ROWS]
    assert terms == sorted(set(terms))


@pytest.mark.parametrize(("term", "meaning", "home"), ROWS, ids=[term for term, _, _ in ROWS])
def test_a_term_has_a_home(term: str, meaning: str, home: str) -> None:
    path = ROOT / "src" / "bertline" / home
    assert path.is_dir() if home.endswith("/") else path.is_file()
    assert meaning.endswith(".")
