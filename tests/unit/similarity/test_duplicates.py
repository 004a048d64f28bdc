"""Groups of texts that mean the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertline.data.settings import TableSettings
from bertline.errors import UsageError
from bertline.similarity.build import build_index
from bertline.similarity.duplicates import duplicates_of
from bertline.similarity.index import Index


def test_duplicates_are_groups_with_their_lines(index: Index) -> None:
    found = duplicates_of(index, 1.0)
    (group,) = found.groups
    assert [(one.line, one.text, one.nearest_line, one.similarity) for one in group] == [
        (62, "a film", 63, 1.0),
        (63, "a film", 62, 1.0),
    ]
    assert found.rows[60] == (1, group[0])
    assert [row for row, one in enumerate(found.rows) if one] == [60, 61]
    assert found.repeated == {61}
    assert found.to_json() == {
        "pairs": 1,
        "repeated_rows": 1,
        "groups": [
            [
                {"line": 62, "text": "a film", "nearest_line": 63, "similarity": 1.0},
                {"line": 63, "text": "a film", "nearest_line": 62, "similarity": 1.0},
            ]
        ],
    }


@pytest.mark.parametrize("threshold", [0, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(index: Index, threshold: float) -> None:
    with pytest.raises(UsageError, match=r"^threshold is .*: give a cosine above 0 and at most 1, such as 0\.9$"):
        duplicates_of(index, threshold)


def test_a_table_without_duplicates_has_no_groups(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a film\nit is so\n")
    found = duplicates_of(build_index(bundle, str(tmp_path / "in.txt"), tmp_path / "index", TableSettings()), 1.0)
    assert (found.groups, found.pairs, found.rows, found.repeated) == ((), 0, (None, None), frozenset())
