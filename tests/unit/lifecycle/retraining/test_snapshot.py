from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertline import tasks
from bertline.errors import DataError
from bertline.lifecycle.retraining.corpus import collect
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.lifecycle.retraining.snapshot import take

SPEC = tasks.read_spec({"task": "classify", "labels": ["bad", "good"]})


def write(path: Path, content: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return str(path)


def test_the_same_rows_are_one_snapshot_whatever_their_table_was(tmp_path: Path) -> None:
    comma = write(tmp_path / "a.csv", "review,label\nfine,good\npoor,bad\n")
    tabs = write(tmp_path / "a.tsv", "label\tcomment\ngood\tfine\nbad\tpoor\n")
    frozen = write(tmp_path / "f.csv", "text,label\nother,bad\n")
    one, same, other = (
        take(collect(tmp_path, SPEC, RetrainSettings(data=data, frozen=judges)), tmp_path / "snapshots")
        for data, judges in (((comma,), (frozen,)), ((tabs,), (frozen,)), ((comma,), ()))
    )
    assert one.path == same.path
    assert other.path != one.path
    assert other.facts["frozen_sha256"] != one.facts["frozen_sha256"]
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == sorted({one.path.name, other.path.name})
    rows = [json.loads(line) for line in one.rows.read_text().splitlines()]
    assert rows == [{"text": "fine", "label": "good"}, {"text": "poor", "label": "bad"}]
    assert one.names == {str(one.path / "frozen" / "f.jsonl"): "f.csv"}
    assert (one.facts["rows"], one.facts["sources"][0]["source"]) == (2, "a.csv")


def test_tables_with_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    data = write(tmp_path / "a.csv", "text,label\nfine,good\npoor,bad\n")
    judges = tuple(write(tmp_path / name / "f.csv", f"text,label\n{name},bad\n") for name in ("x", "y"))
    taken = take(collect(tmp_path, SPEC, RetrainSettings(data=(data,), frozen=judges)), tmp_path / "snapshots")
    assert [json.loads(Path(path).read_text())["text"] for path in taken.frozen] == ["x", "y"]
    assert list(taken.names.values()) == ["f.csv", "f.csv"]


def test_a_snapshot_without_rows_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "a.csv", "text,label\nfine,good\n")
    with pytest.raises(DataError) as raised:
        take(collect(tmp_path, SPEC, RetrainSettings(data=(data,), frozen=(data,))), tmp_path / "snapshots")
    assert str(raised.value) == (
        "no rows to train on are left without those that judge: give further tables with --data, or feedback"
    )
