"""Every command that writes tries its place before the work, and one command at a time writes there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from bertline.cli.main import main
from bertline.testing.tiny import write_tiny_bundle
from tests.disks import disk, fill
from tests.unit.destination.test_claim import holding
from tests.unit.training.conftest import model, sentences, write_csv

__all__ = ["model"]

# The command by its name: its words, and what it must not reach when its place cannot be written.
WORK = {
    "train": ("train {table} --model {model} --max-tokens 32 --out {out}", "bertline.training.run.prepare"),
    "distill": ("distill {bundle} {table} --layers 1 --out {out}", "bertline.training.distillation.run.read_transfer"),
    "predict": (
        "predict {bundle} --input {table} --output {out} --format csv",
        "bertline.cli.predict_table.load_with_labels",
    ),
    "evaluate": ("evaluate {bundle} {rows} --report {out}", "bertline.inference.load_predictor"),
    "observe": ("observe {out}", "bertline.destination.folder.replace_file"),
    "tls": ("tls dev --out {out}", "bertline.cli.tls._authority"),
}


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "teacher"
    write_tiny_bundle(target, engine=True, rows=30)
    return target


@pytest.fixture
def command(
    model: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs a command of ``WORK``, whose work must not begin; gives its exit code and what it said."""
    tables = tmp_path / "tables"
    tables.mkdir()
    known = {
        "model": model,
        "bundle": teacher,
        "table": write_csv(tables / "table.csv", sentences(60)),
        "rows": write_csv(tables / "rows.csv", [("is it", "positive"), ("on", "negative")]),
    }

    def begun(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the work began")

    def run(name: str, out: Path) -> tuple[int, str]:
        words, work = WORK[name]
        arguments = [one.format(**known, out=out) if "{" in one else one for one in words.split()]
        monkeypatch.setattr(sys, "argv", ["bertline", *arguments])
        monkeypatch.setattr(work, begun)
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


def one_sentence(found: tuple[int, str]) -> str:
    code, said = found
    assert code != 0
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize("name", WORK)
def test_below_a_file(command: Any, name: str, tmp_path: Path) -> None:
    """T12."""
    (tmp_path / "file").touch()
    assert "file" in one_sentence(command(name, tmp_path / "file" / "out"))


@pytest.mark.parametrize("name", WORK)
def test_a_name_that_is_too_long(command: Any, name: str, tmp_path: Path) -> None:
    """T12."""
    said = one_sentence(command(name, tmp_path / ("x" * 300)))
    assert "has 300 bytes" in said
    assert "choose a shorter" in said


@pytest.mark.parametrize("name", WORK)
def test_a_full_disk_and_one_that_is_read_only(command: Any, name: str, tmp_path: Path) -> None:
    """T12."""
    with disk(tmp_path / "full", megabytes=1) as place:
        fill(place)
        if name != "tls":  # four small files, too few bytes to ask for room
            assert "free there: free some space" in one_sentence(command(name, place / "out"))
        assert os.listdir(place) == ["filler"]  # noqa: PTH208 - hidden ones too
    with disk(tmp_path / "fixed", megabytes=1, read_only=True) as place:
        assert "Read-only file system; choose another place" in one_sentence(command(name, place / "out"))


@pytest.mark.parametrize("name", WORK)
def test_a_second_command_is_refused_at_the_start(command: Any, name: str, tmp_path: Path) -> None:
    """T13: the first one's process is named."""
    out = tmp_path / "out"
    within = {"evaluate": out / "report", "observe": out / "bertline", "tls": out / "bertline"}
    with holding(within.get(name, out)) as process:
        said = one_sentence(command(name, out))
    assert f"is being written by process {process.pid} (" in said
    assert not out.exists()


@pytest.mark.parametrize("name", ["train", "distill"])
@pytest.mark.parametrize("called", ["a\tb", "a\\b", "a\nb", "x" * 201, "\udcff"])
def test_a_name_that_no_bundle_can_have(command: Any, name: str, called: str, tmp_path: Path) -> None:
    """T12: the manifest says the name too, and refused it after the training."""
    said = one_sentence(command(name, tmp_path / called))
    assert "is not a valid name for a bundle: use 1 to 200 UTF-8 characters without control characters" in said
    assert [path.name for path in tmp_path.iterdir()] == ["tables"]


def test_optimize_is_refused_while_another_process_writes_the_bundle(
    teacher: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """T13."""
    monkeypatch.setattr(sys, "argv", ["bertline", "optimize", str(teacher)])
    monkeypatch.setattr("bertline.optimization.run.Bench", None)
    with holding(teacher) as process, pytest.raises(SystemExit):
        main()
    assert f"is being written by process {process.pid} (" in capsys.readouterr().err


def test_optimize_asks_for_room_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """T12: where the bundle lies, and where engines are built."""
    monkeypatch.setattr("bertline.optimization.run.Bench", None)
    with disk(tmp_path / "disk", megabytes=8) as place:
        write_tiny_bundle(place / "tiny", engine=True, rows=30)
        monkeypatch.setattr(sys, "argv", ["bertline", "optimize", str(place / "tiny")])
        for temporary, what in ((place, "the files of the engines"), (tmp_path, "the bundle with its engines")):
            monkeypatch.setattr("tempfile.tempdir", str(temporary))
            with pytest.raises(SystemExit):
                main()
            assert f"error: {what} needs about 1" in capsys.readouterr().err


def test_figures_are_printed_before_the_report_is_written(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """T12: a disk that fills meanwhile takes the report and not the figures."""
    rows = write_csv(tmp_path / "rows.csv", [("is it", "positive"), ("on", "negative")])

    def full(*_: Any, **__: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bertline.evaluation.report.replace_file", full)
    monkeypatch.setattr(
        sys, "argv", ["bertline", "evaluate", str(teacher), str(rows), "--report", str(tmp_path / "report")]
    )
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr()
    assert "accuracy" in told.out
    assert told.err == (
        f"error: the report cannot be written to {tmp_path / 'report'}: No space left on device; "
        "free some space, or choose another place\n"
    )


@pytest.mark.parametrize("words", ["predict {bundle} it", "evaluate {bundle} {rows}", "--help"])
def test_a_standard_output_that_is_full_is_a_sentence(words: str, teacher: Path, tmp_path: Path) -> None:
    """T12."""
    rows = write_csv(tmp_path / "rows.csv", [("is it", "positive"), ("on", "negative")])
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bertline.cli.main", *words.format(bundle=teacher, rows=rows).split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "error: standard output cannot be written: No space left on device; free some space, or choose another place\n"
    )
