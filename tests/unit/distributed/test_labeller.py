"""Shards, joined, are byte for byte what one process writes."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bertline.cli.predict_table import Table, label_table
from bertline.data.settings import TableSettings
from bertline.distributed.join import join
from bertline.distributed.labeller import Labeller, unwatched
from bertline.distributed.run import run_here
from bertline.errors import BundleError, DataError
from bertline.registry.fetch import parse_address, push
from bertline.testing.tiny import write_tiny_bundle
from tests.unit.distributed.conftest import job, rows_of, write_table

BAD = '{"text": 5}\n'


def sharded(bundle: Path, source: Path, target: Path, **how: Any) -> bytes:
    opened = job(bundle, source, target.with_suffix(".shards"), **how)
    numbers = opened.missing
    assert len(numbers) == 3
    run_here(opened, numbers[::-1], unwatched)  # in any order
    assert opened.missing == []
    assert join(opened.plan, opened.place, "shards", target) == 200
    return target.read_bytes()


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_text(bundle: Path, tmp_path: Path, name: str, mark: bytes) -> None:
    source = write_table(tmp_path / name, rows_of(200))
    source.write_bytes(mark + source.read_bytes())
    plain = tmp_path / f"plain{source.suffix}"
    label_table(bundle, Table(str(source), str(plain)))
    assert sharded(bundle, source, tmp_path / f"joined{source.suffix}") == plain.read_bytes()


def test_gzip(bundle: Path, tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.csv", rows_of(200))
    label_table(bundle, Table(str(source), str(tmp_path / "plain.csv")))
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(source.read_bytes()))
    joined = sharded(bundle, packed, tmp_path / "joined.csv.gz", format="csv")
    assert gzip.decompress(joined) == (tmp_path / "plain.csv").read_bytes()


def test_no_header(bundle: Path, tmp_path: Path) -> None:
    source, settings = tmp_path / "in.csv", TableSettings(no_header=True)
    source.write_text("".join(f"{row['text'].split()[0]}\n" for row in rows_of(200)), encoding="utf-8")
    label_table(bundle, Table(str(source), str(tmp_path / "plain.csv"), settings))
    joined = sharded(bundle, source, tmp_path / "joined.csv", settings=settings)
    assert joined == (tmp_path / "plain.csv").read_bytes()


def test_bad_rows_that_are_left_out(bundle: Path, tmp_path: Path) -> None:
    source, settings = write_table(tmp_path / "in.jsonl", rows_of(200)), TableSettings(skip_bad_rows=True)
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    for place in (190, 64, 63, 0):
        lines.insert(place, BAD)
    source.write_text("".join(lines), encoding="utf-8")
    label_table(bundle, Table(str(source), str(tmp_path / "plain.jsonl"), settings))
    joined = sharded(bundle, source, tmp_path / "joined.jsonl", settings=settings)
    assert joined == (tmp_path / "plain.jsonl").read_bytes()


def test_parquet(bundle: Path, tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.parquet", rows_of(200))
    label_table(bundle, Table(str(source), str(tmp_path / "plain.parquet")))
    sharded(bundle, source, tmp_path / "joined.parquet")
    plain, joined = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("plain", "joined"))
    assert joined.schema.equals(plain.schema)
    assert joined.equals(plain)


def test_several_labels_keep_their_columns(bundle: Path, tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.csv", rows_of(200))
    label_table(bundle, Table(str(source), str(tmp_path / "plain.csv")), 2)
    assert sharded(bundle, source, tmp_path / "joined.csv", top_k=2) == (tmp_path / "plain.csv").read_bytes()


def test_utf_16_is_one_shard(bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\n" + "a film\n" * 200, encoding="utf-16")
    opened = job(bundle, source, tmp_path / "out")
    assert [shard.rows for shard in opened.plan.shards] == [200]
    assert run_here(opened, [1], unwatched).texts == 200


def test_an_input_that_changed_is_refused_and_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.csv", rows_of(200))
    opened = job(bundle, source, tmp_path / "out")
    source.write_bytes(source.read_bytes().replace(b"a", b"b"))
    with pytest.raises(DataError, match=r"in\.csv has changed since its shards were cut"):
        Labeller(opened.work, opened.plan).shard(2)
    assert opened.missing == [1, 2, 3]


def test_an_input_that_changed_in_parquet_is_refused(bundle: Path, tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.parquet", rows_of(200))
    opened = job(bundle, source, tmp_path / "out")
    write_table(source, rows_of(199))
    with pytest.raises(DataError, match=r"in\.parquet has changed since its shards were cut"):
        Labeller(opened.work, opened.plan).shard(3)
    assert opened.missing == [1, 2, 3]


def test_a_bundle_that_took_its_place_is_refused(bundle: Path, tmp_path: Path) -> None:
    opened = job(bundle, write_table(tmp_path / "in.csv", rows_of(9)), tmp_path / "out")
    other = opened.plan.model_copy(update={"job": opened.plan.job.model_copy(update={"bundle": "0" * 64})})
    with pytest.raises(BundleError):
        Labeller(opened.work, other)


def test_a_machine_without_the_directory_fetches_the_bundle(bundle: Path, tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.csv", rows_of(200))
    label_table(bundle, Table(str(source), str(tmp_path / "plain.csv")))
    opened = job(bundle, source, tmp_path / "joined.shards")
    address = push(bundle, parse_address(f"file:{tmp_path}/store"))
    work = replace(opened.work, bundle=tmp_path / "cache of the driver", address=str(address))
    run_here(replace(opened, work=work), opened.missing, unwatched)
    join(opened.plan, opened.place, "shards", tmp_path / "joined.csv")
    assert (tmp_path / "joined.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()
    write_tiny_bundle(tmp_path / "other", seed=9)
    other = replace(work, address=str(push(tmp_path / "other", parse_address(f"file:{tmp_path}/others"))))
    with pytest.raises(BundleError, match="was replaced by another version"):
        Labeller(other, opened.plan)
