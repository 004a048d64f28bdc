"""Inputs and shards at ``s3://`` addresses, through a small server; ``tests/stores`` has a real one."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.distributed.inputs import find_inputs
from bertline.distributed.job import open_job
from bertline.distributed.join import join
from bertline.distributed.labeller import unwatched
from bertline.distributed.places import Folder, find_place
from bertline.distributed.run import run_here
from bertline.errors import DataError, DestinationError
from tests.bucket_server import Bucket, bucket_server
from tests.unit.distributed.conftest import job, rows_of, write_table


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with bucket_server() as bucket:
        monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        yield bucket


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.csv.gz"])
def test_a_job_from_a_bucket_into_a_bucket(bundle: Path, tmp_path: Path, bucket: Bucket, name: str) -> None:
    plain = write_table(tmp_path / name.removesuffix(".gz"), rows_of(200))
    content = plain.read_bytes()
    bucket.objects[f"new/{name}"] = gzip.compress(content) if name.endswith(".gz") else content
    bucket.objects["newer/other.csv"] = b"text\nnot read\n"
    opened = job(bundle, "s3://models/new", "s3://models/scored")
    run_here(opened, opened.missing, unwatched)
    here = job(bundle, plain, tmp_path / "here")
    run_here(here, here.missing, unwatched)
    assert [opened.plan.name(number) for number in (1, 2, 3)] == [
        key.removeprefix("scored/") for key in sorted(bucket.objects) if key.startswith("scored/part")
    ]
    for shard in here.plan.names:
        assert bucket.objects[f"scored/{shard}"] == (tmp_path / "here" / shard).read_bytes()
    target = tmp_path / f"joined{plain.suffix}"
    assert join(opened.plan, opened.place, "s3://models/scored", target) == 200
    assert open_job(opened.work, watch=unwatched).missing == []


def test_one_object_of_a_bucket(bucket: Bucket) -> None:
    bucket.objects.update({"new/a.csv": b"text\nx\n", "new/b.csv": b"text\n"})
    assert [one.name for one in find_inputs("s3://models/new/a.csv").files()] == ["a.csv"]
    with pytest.raises(DataError, match=r"^s3://models/new/c\.csv has no tables"):
        find_inputs("s3://models/new/c.csv").files()


def test_a_file_in_the_way_of_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DestinationError, match=r"the shards cannot be written to .*file is not a directory"):
        find_place(str(tmp_path / "file" / "out"))


def test_a_finished_directory_is_removed_with_what_killed_writers_left(tmp_path: Path) -> None:
    place = Folder(tmp_path / "out")
    with place.alone():
        place.put("part-00001-of-00001.csv", b"x")
        place.put(".part-00001-of-00001.csv.12.part", b"half")
    assert place.read("none") is None
    place.remove()
    assert not (tmp_path / "out").exists()
