from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertline.bundle.reference import (
    ReferenceRows,
    read_reference,
    read_token_counts,
    write_reference,
    write_token_counts,
)
from bertline.errors import BundleError

LABELS = ("negative", "sehr gut", "東京")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(TEXTS, st.integers(0, 2)), max_size=8))
def test_rows_are_read_back_whatever_is_in_them(rows: list[tuple[str, int]]) -> None:
    written = ReferenceRows(tuple(text for text, _ in rows), tuple(label for _, label in rows))
    with tempfile.TemporaryDirectory() as folder:
        write_reference(Path(folder), "test", written, LABELS)
        assert read_reference(Path(folder), "test", LABELS) == written
        assert len(read_reference(Path(folder), "validation", LABELS)) == 0


def test_labels_are_written_by_name(tmp_path: Path) -> None:
    write_reference(tmp_path, "validation", ReferenceRows(("a film",), (1,)), LABELS)
    written = (tmp_path / "reference" / "validation.jsonl").read_text(encoding="utf-8")
    assert written == '{"text": "a film", "label": "sehr gut"}\n'


@pytest.mark.parametrize("line", ["", "[]", "null", '{"text": "a"}', '{"text": "a", "label": "bad"}', '{"text": "a'])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    write_reference(tmp_path, "test", ReferenceRows(("one", "two"), (0, 1)), LABELS)
    path = tmp_path / "reference" / "test.jsonl"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(BundleError, match=r"test\.jsonl line 3 is not a row of text and label \(.*write the bundle"):
        read_reference(tmp_path, "test", LABELS)


def test_tokens_are_counted_over_all_sequences(tmp_path: Path) -> None:
    write_token_counts(tmp_path, [[2, 7, 7, 3], [2, 9, 3], []])
    assert read_token_counts(tmp_path) == Counter({2: 2, 3: 2, 7: 2, 9: 1})


def test_a_bundle_without_counts_has_none(tmp_path: Path) -> None:
    assert read_token_counts(tmp_path) == Counter()


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"1": "x"}', '{"1": null}'])
def test_a_damaged_table_of_counts_is_a_bundle_error(tmp_path: Path, content: str) -> None:
    write_token_counts(tmp_path, [])
    (tmp_path / "reference" / "tokens.json").write_text(content)
    with pytest.raises(BundleError, match=r"tokens\.json is not a table of token counts \(.*write the bundle again"):
        read_token_counts(tmp_path)
