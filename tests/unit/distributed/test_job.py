"""A job under the same terms goes on; under any other it is refused, and the difference is named."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from bertline.data.settings import TableSettings
from bertline.distributed.job import Opened
from bertline.distributed.plan import NAME
from bertline.errors import DataError, UsageError
from bertline.testing.tiny import write_tiny_bundle
from tests.unit.distributed.conftest import job, rows_of, write_table


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_table(tmp_path / "in.csv", rows_of(200))


def test_shards_begin_where_windows_do_and_have_every_row(bundle: Path, source: Path, tmp_path: Path) -> None:
    plan = job(bundle, source, tmp_path / "out").plan
    assert [shard.rows for shard in plan.shards] == [64, 128, 8]
    assert [shard.window_rows for shard in plan.shards] == [64, 128, 256]
    assert plan.rows == 200
    assert [*plan.names] == [f"part-0000{number}-of-00003.csv" for number in (1, 2, 3)]
    assert plan.columns == ("id", "text")


@pytest.mark.parametrize(("workers", "shards"), [(1, 1), (2, 3)])
def test_workers_without_a_size_get_shards_each(
    bundle: Path, source: Path, tmp_path: Path, workers: int, shards: int
) -> None:
    assert len(job(bundle, source, tmp_path / "out", shard_rows=None, workers=workers).plan.shards) == shards


def test_the_plan_stays_whatever_later_starts_would_cut(bundle: Path, source: Path, tmp_path: Path) -> None:
    plan = job(bundle, source, tmp_path / "out", shard_rows=100).plan
    assert job(bundle, source, tmp_path / "out", shard_rows=None, workers=64).plan == plan
    assert (tmp_path / "out" / NAME).is_file()


def test_starts_at_the_same_time_have_one_plan(bundle: Path, source: Path, tmp_path: Path) -> None:
    opened: list[Opened] = []
    threads = [threading.Thread(target=lambda: opened.append(job(bundle, source, tmp_path / "out"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3
    assert len({one.plan.model_dump_json() for one in opened}) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"top_k": 2}, "its --top-k was not given, and now it is 2"),
        ({"settings": TableSettings(skip_bad_rows=True)}, "its --skip-bad-rows was not given, and now it is True"),
        ({"settings": TableSettings(text_column="text")}, "its --text-column was not given, and now it is text"),
        ({"engine": "torch"}, None),
        ({"engine": "other"}, "its engine was torch, and this one is other (give --engine torch)"),
        ({"format": "jsonl"}, "its format was csv, and this one is jsonl"),
        ({"shard_rows": 7}, "its --shard-rows was 1, and now it is 7"),
    ],
)
def test_other_flags_are_refused_by_name(
    bundle: Path, source: Path, tmp_path: Path, change: dict[str, Any], sentence: str | None
) -> None:
    out = tmp_path / "out"
    job(bundle, source, out)
    if sentence is None:
        job(bundle, source, out, **change)
        return
    with pytest.raises(UsageError) as caught:
        job(bundle, source, out, **change)
    assert str(caught.value) == (
        f"{out} holds shards of another job: {sentence}; choose another --output, or delete it to begin anew"
    )


def test_another_bundle_is_refused(bundle: Path, source: Path, tmp_path: Path) -> None:
    job(bundle, source, tmp_path / "out")
    write_tiny_bundle(tmp_path / "other", seed=5)
    with pytest.raises(UsageError, match=r"its bundle was tiny \([0-9a-f]{12}\), and this one is other \("):
        job(tmp_path / "other", source, tmp_path / "out")


def test_other_inputs_are_refused(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    first = write_table(folder / "a.csv", rows_of(20))
    job(bundle, folder, tmp_path / "out")
    second = write_table(folder / "b.csv", rows_of(20))
    with pytest.raises(UsageError, match=r"the input file b\.csv was added"):
        job(bundle, folder, tmp_path / "out")
    second.unlink()
    write_table(first, rows_of(21))
    with pytest.raises(UsageError, match=r"the input file a\.csv has changed"):
        job(bundle, folder, tmp_path / "out")


def test_a_directory_with_other_files_is_refused(bundle: Path, source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"has other files, such as thesis\.tex: give a new or an empty directory"):
        job(bundle, source, tmp_path / "out")


def test_a_damaged_plan_is_named(bundle: Path, source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / NAME).write_text('{"version": 9}', encoding="utf-8")
    with pytest.raises(UsageError, match=r"out/_job\.json is not the plan of a job that this bertline knows"):
        job(bundle, source, tmp_path / "out")


def test_tables_of_several_formats_are_refused(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_table(folder / "a.csv", rows_of(5))
    write_table(folder / "b.jsonl", rows_of(5))
    with pytest.raises(DataError, match="has tables of several formats, csv and jsonl: keep them apart"):
        job(bundle, folder, tmp_path / "out")


def test_parquet_is_made_of_parquet_alone(bundle: Path, source: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="shards of csv cannot be Parquet"):
        job(bundle, source, tmp_path / "out", format="parquet")


def test_bad_rows_are_found_before_any_work(bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,text\n1,good\n2,\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"has 1 bad row \(line 3: .*pass --skip-bad-rows to leave it out"):
        job(bundle, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    plan = job(bundle, source, tmp_path / "out", settings=TableSettings(skip_bad_rows=True)).plan
    assert plan.rows == 1
    assert sum(plan.left_out.values()) == 1
