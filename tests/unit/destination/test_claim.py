"""One writer at a time, whoever it is; and no lock outlives its process."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bertline.destination import claim
from bertline.errors import DestinationError

HOLD = """
import sys
from pathlib import Path
from bertline.destination import claim

with claim(Path(sys.argv[1]), "the bundle"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that claims ``path``."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.communicate()


def test_the_second_writer_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    """T13."""
    out = tmp_path / "out"
    with (
        holding(out) as process,
        pytest.raises(DestinationError, match=rf"out is being written by process {process.pid} \(-c .*, since 20"),
        claim(out, "the bundle"),
    ):
        pass
    with claim(out, "the bundle"):  # the first one has ended
        assert [path.name for path in tmp_path.iterdir()] == [".out.lock"]
    assert list(tmp_path.iterdir()) == []


def test_a_link_and_a_path_with_dots_are_the_same_place(tmp_path: Path) -> None:
    """T13."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with claim(tmp_path / "real", "the bundle"):
        for same in (tmp_path / "link", tmp_path / "real" / ".." / "real"):
            with pytest.raises(DestinationError, match=f"process {os.getpid()}"), claim(same, "the bundle"):
                pass
        with claim(tmp_path / "other", "the bundle"):
            pass


@pytest.mark.parametrize(
    "left",
    [
        json.dumps({"pid": 2**22 + 1, "host": socket.gethostname(), "command": "train", "since": "2026-01-01"}),
        json.dumps({"pid": os.getppid(), "host": socket.gethostname(), "command": "train", "since": "2026-01-01"}),
        json.dumps({"pid": 1, "host": "another", "command": "train", "since": "2026-01-01"}),
        '{"pid": 1, "ho',
        "",
    ],
    ids=["dead process", "process id used again", "another host", "power cut", "empty"],
)
def test_a_stale_lock_does_not_lock(tmp_path: Path, left: str) -> None:
    """T13: whatever a crash left in the file, its process no longer holds it."""
    (tmp_path / ".out.lock").write_text(left)
    with claim(tmp_path / "out", "the bundle"):
        assert json.loads((tmp_path / ".out.lock").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_releases_the_lock(tmp_path: Path) -> None:
    """T13."""
    with holding(tmp_path / "out") as process:
        process.kill()
        process.wait()
        assert (tmp_path / ".out.lock").exists()
        with claim(tmp_path / "out", "the bundle"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_holder_that_is_on_another_machine_or_unreadable_is_named_so(tmp_path: Path) -> None:
    """T13."""
    out, lock = tmp_path / "out", tmp_path / ".out.lock"
    with claim(out, "the bundle"):
        known = json.loads(lock.read_text())
        for content, said in ((json.dumps({**known, "host": "gpu-7"}), "on gpu-7"), ("", "by another process:")):
            lock.write_text(content)
            with pytest.raises(DestinationError, match=said), claim(out, "the bundle"):
                pass


def test_directories_that_nothing_was_written_into_are_removed(tmp_path: Path) -> None:
    """T13."""
    with claim(tmp_path / "a" / "b" / "out", "the bundle"):
        pass
    assert list(tmp_path.iterdir()) == []
    with claim(tmp_path / "a" / "b" / "out", "the bundle"):
        (tmp_path / "a" / "b" / "out").mkdir()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["out"]


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory like /tmp: everyone may write there, and remove what is theirs."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o1777)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_lock_that_another_user_left_behind_is_taken_and_stays(shared: Path) -> None:
    """T13: it cannot be removed, which is no reason to fail after the work."""
    lock = shared / ".out.lock"
    lock.write_text("left by root")
    os.seteuid(65534)
    try:
        for _ in range(2):
            with (
                claim(shared / "out", "the bundle"),
                pytest.raises(DestinationError, match="another process"),
                claim(shared / "out", "the bundle"),
            ):
                pass
    finally:
        os.seteuid(0)
    assert lock.read_text() == "left by root"
