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
from bertline.data.entities import Entity
from bertline.data.targets import Target
from bertline.errors import BundleError
from bertline.text.reading import Input

LABELS = ("negative", "sehr gut", "東京")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
INPUTS = TEXTS | st.tuples(TEXTS, TEXTS)
NAMES = st.sampled_from(LABELS)
TARGETS = (
    NAMES
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(NAMES).map(tuple)
    | st.lists(st.builds(Entity, st.integers(0, 9), st.integers(0, 9), NAMES)).map(tuple)
)


@given(st.lists(st.tuples(INPUTS, TARGETS), max_size=8))
def test_rows_are_read_back_whatever_is_in_them(rows: list[tuple[Input, Target]]) -> None:
    written = ReferenceRows(tuple(text for text, _ in rows), tuple(target for _, target in rows))
    with tempfile.TemporaryDirectory() as folder:
        write_reference(Path(folder), "test", written)
        assert read_reference(Path(folder), "test", LABELS) == written
        assert len(read_reference(Path(folder), "validation", LABELS)) == 0


def test_labels_are_written_by_name(tmp_path: Path) -> None:
    write_reference(tmp_path, "validation", ReferenceRows(("a film",), (LABELS[1],)))
    written = (tmp_path / "reference" / "validation.jsonl").read_text(encoding="utf-8")
    assert written == '{"text": "a film", "label": "sehr gut"}\n'


def test_a_label_that_an_older_bundle_spells_with_a_space_is_the_same(tmp_path: Path) -> None:
    written = ReferenceRows(("a film",), ("good",))
    write_reference(tmp_path, "test", written)
    assert read_reference(tmp_path, "test", ("good ", "bad")) == written


@pytest.mark.parametrize("line", ["", "[]", "null", '{"text": "a"}', '{"text": "a", "label": "bad"}', '{"text": "a'])
def test_a_line_that_is_not_a_row_is_named(tmp_path: Path, line: str) -> None:
    write_reference(tmp_path, "test", ReferenceRows(("one", "two"), (LABELS[0], LABELS[1])))
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
