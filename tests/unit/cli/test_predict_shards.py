"""Jobs of shards by the command: shares, files joined at the end, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bertline.cli.main import application
from tests.unit.distributed.conftest import rows_of, write_table


def run(*arguments: object) -> str:
    result = CliRunner().invoke(application(), [str(one) for one in arguments], catch_exceptions=True)
    return result.output + (f"{type(result.exception).__name__}: {result.exception}" if result.exception else "")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_table(tmp_path / "in.csv", rows_of(300))


def test_shares_of_an_array_are_joined_into_what_one_process_writes(bundle: Path, source: Path, tmp_path: Path) -> None:
    run("predict", bundle, "--input", source, "--output", tmp_path / "plain.csv")
    out = tmp_path / "out"
    first = run("predict", bundle, "--input", source, "--output", out, "--shard", "1/2")
    assert "2 of 3 shards" in first
    assert "1 of 3 shards of" in first
    assert "part-00002-of-00003.csv is missing" in run("join", out, "--output", tmp_path / "joined.csv")
    assert "all 3 shards are done" in run("predict", bundle, "--input", source, "--output", out, "--shard", "2/2")
    assert "300 rows of 3 shards" in run("join", out, "--output", tmp_path / "joined.csv")
    assert (tmp_path / "joined.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()
    assert "exists: name another file, or pass --overwrite" in run("join", out, "--output", tmp_path / "joined.csv")


def test_a_directory_becomes_a_file_and_its_shards_go(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_table(folder / "a.jsonl", rows_of(100, 1))
    write_table(folder / "b.jsonl", rows_of(50, 2))
    said = run("predict", bundle, "--input", folder, "--output", tmp_path / "out.jsonl")
    assert "150 rows: " in said
    parts = []
    for name in ("a", "b"):
        run("predict", bundle, "--input", folder / f"{name}.jsonl", "--output", tmp_path / f"{name}.jsonl")
        parts.append((tmp_path / f"{name}.jsonl").read_bytes())
    assert (tmp_path / "out.jsonl").read_bytes() == b"".join(parts)
    assert not (tmp_path / "out.jsonl.shards").exists()


def test_a_second_start_does_what_is_not_done(bundle: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("predict", bundle, "--input", source, "--output", out, "--shard-rows", "1")
    lost = out / "part-00002-of-00003.csv"
    before = lost.read_bytes()
    lost.unlink()
    assert "1 of 3 shards" in run("predict", bundle, "--input", source, "--output", out)
    assert lost.read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--shard", "1/2"], "shards are of files and in files: name a file, a directory or an s3:// address"),
        (["--shard", "1/2", "--output", "none/out.csv"], "has no directory: create"),
        (["--shard", "1/2", "--ray", "local", "--output", "out"], "--ray and --shard were both given"),
        (["--shard", "1/2", "--output", "out/", "--overwrite"], "--overwrite is for a file: delete out/"),
        (["--ray", "nowhere", "--output", "out"], "nowhere is not the address of a Ray cluster"),
    ],
)
def test_flags_that_make_no_sense_together(bundle: Path, source: Path, flags: list[str], sentence: str) -> None:
    assert sentence in run("predict", bundle, "--input", source, *flags)


def test_shards_go_with_an_input(bundle: Path) -> None:
    assert "--shard goes with --input" in run("predict", bundle, "a film", "--shard", "1/2")


def test_a_file_that_exists_is_replaced_on_request(bundle: Path, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old", encoding="utf-8")
    command = ("predict", bundle, "--input", source, "--output", target, "--shard-rows", "50")
    assert "exists: name another file, or pass --overwrite" in run(*command)
    assert "300 rows: " in run(*command, "--overwrite")


def test_lines_of_text_are_no_shards(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a film\n", encoding="utf-8")
    said = run("predict", bundle, "--input", tmp_path / "in.txt", "--output", tmp_path / "out", "--shard", "1/2")
    assert said.endswith("in.txt has one text per line, and shards are of tables: leave out the flags of shards")
