from __future__ import annotations

from pathlib import Path

import pytest

from bertline.database.database import Database
from bertline.errors import DataError
from bertline.lifecycle.predictions.figures import Counts, counts
from bertline.lifecycle.predictions.imported import import_feedback
from bertline.tasks.tag.spec import Spec as TagSpec
from tests.kept import NEW, keep, sure


def table(folder: Path, content: str, name: str = "labelled.csv") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_rows_are_kept_once_and_blank_ones_are_left_out(store: Database, tmp_path: Path) -> None:
    keep(store, [sure("good")] * 3)
    path = table(
        tmp_path,
        "Request_ID,index,label,annotator,time\nr0,0,good,ana,2026-01-02\nr1,,bad,ben,\nr2,0,,,\nno,0,good,,\n",
    )
    found = import_feedback(store, path, source="desk")
    assert (dict(found.counts), found.blank, found.faults) == ({"counted": 2, "unknown": 1}, 1, [])
    assert found.error("it") is None
    assert dict(import_feedback(store, path, source="desk").counts) == {"duplicate": 2, "unknown": 1}
    assert counts(store, "reviews") == {NEW: Counts(right=1, wrong=1)}


def test_rows_that_cannot_be_kept_are_named_and_the_others_are_kept(store: Database, tmp_path: Path) -> None:
    keep(store, [sure("good")] * 2)
    rows = ["r0,0,good,", "r1,0,fine,", "r1,first,good,", ",0,good,", "r1,0,good,yesterday"]
    found = import_feedback(store, table(tmp_path, "\n".join(["request_id,index,correct,time", *rows])))
    error = found.error("labelled.csv")
    assert str(error) == (
        "4 rows were not kept of labelled.csv (line 4: index is not an index, 0 or higher; line 5: request_id is "
        "empty; line 6: time is not in ISO 8601, as in 2026-11-30T12:00:00Z; and 1 more): correct them and import the "
        "table again, which changes nothing of the others"
    )
    assert counts(store, "reviews") == {NEW: Counts(right=1)}


def test_entities_come_as_json(store: Database, tmp_path: Path) -> None:
    spec: TagSpec = TagSpec(types=("person",))
    keep(store, [{"entities": [{"start": 0, "end": 3, "label": "person", "score": 0.9}]}] * 2, spec=spec)
    path = table(tmp_path, 'request_id,correct\nr0,"[{""start"":0,""end"":3,""label"":""person""}]"\nr1,[]\n')
    import_feedback(store, path)
    assert counts(store, "reviews") == {NEW: Counts(right=1, wrong=1)}


def test_a_table_without_the_columns_is_refused(store: Database, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no column request_id: name the columns request_id and correct"):
        import_feedback(store, table(tmp_path, "text,label\na,b\n"))
