from __future__ import annotations

from pathlib import Path

import pytest

from bertline.distributed.join import join, plan_at
from bertline.distributed.labeller import unwatched
from bertline.distributed.places import Folder
from bertline.distributed.run import run_here
from bertline.errors import DataError, UsageError
from tests.unit.distributed.conftest import job, rows_of, write_table


@pytest.mark.parametrize(
    ("done", "sentence"),
    [
        ([1, 3], "out is not complete: part-00002-of-00003.csv is missing; start the same bertline predict again"),
        ([], "part-00001-of-00003.csv, part-00002-of-00003.csv, part-00003-of-00003.csv are missing"),
    ],
)
def test_a_missing_shard_is_named(bundle: Path, tmp_path: Path, done: list[int], sentence: str) -> None:
    opened = job(bundle, write_table(tmp_path / "in.csv", rows_of(200)), tmp_path / "out")
    run_here(opened, done, unwatched)
    with pytest.raises(DataError, match=sentence):
        join(opened.plan, opened.place, "out", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_directory_without_a_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no job: give the directory that bertline predict"):
        plan_at(Folder(tmp_path), str(tmp_path))


def test_another_format_is_refused(bundle: Path, tmp_path: Path) -> None:
    opened = job(bundle, write_table(tmp_path / "in.csv", rows_of(9)), tmp_path / "out")
    run_here(opened, [1], unwatched)
    with pytest.raises(UsageError, match=r"out\.jsonl would be jsonl, and the shards are csv: name it \.csv"):
        join(opened.plan, opened.place, "out", tmp_path / "out.jsonl")


def test_a_header_with_a_line_break_is_left_out_whole(bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text('text,"two\nlines ""quoted"""\n' + "a film,1\n" * 200, encoding="utf-8")
    opened = job(bundle, source, tmp_path / "out")
    run_here(opened, opened.missing, unwatched)
    join(opened.plan, opened.place, "out", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("quoted") == 1
