"""The guide's command for torchrun, on one machine: two processes by gloo, one of which is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bertline.training.checkpoint import STATE, working_directory
from tests.distributed.commands import bertline, kill_with, path_with_bertline
from tests.distributed.trainings import prepare, weights
from tests.docs.markdown import ROOT, commands

pytestmark = pytest.mark.drill

PATIENCE_S = 1_200.0
FLAGS = "--epochs 3 --batch-tokens 512 --max-tokens 32 --precision fp32 --seed 3 --checkpoint-every-s 0.05"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--local-addr=127.0.0.1"]


def launch(folder: Path, out: str) -> list[str]:
    """The guide's command, for one machine and two processes."""
    [line] = [one for one in commands(ROOT / "docs/guide/deploy/training-in-parallel.md") if one.startswith("torchrun")]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for old, new in (
        ("--nnodes 2 --nproc-per-node 4", "--nnodes 1 --nproc-per-node 2"),
        ("node1:29400", f"127.0.0.1:{port}"),
        ("reviews.csv", f"{folder}/reviews.csv"),
        ("/shared/reviews", f"{folder}/{out}"),
    ):
        assert old in line
        line = line.replace(old, new)
    return [*TORCHRUN, *line.split()[1:], "--model", f"{folder}/model", *FLAGS.split()]


def ranks_of(launcher: int) -> list[int]:
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    return [int(one) for one in children if b"train" in Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")]


def test_torchrun_trains_what_two_processes_train_also_when_one_is_killed(tmp_path: Path) -> None:
    prepare(tmp_path, "reviews.csv", rows=500)
    environment = {**os.environ, "PATH": path_with_bertline(tmp_path), "GLOO_SOCKET_IFNAME": "lo"}
    environment |= {"OMP_NUM_THREADS": "1", "DRILL": str(tmp_path)}
    table, out = tmp_path / "reviews.csv", tmp_path / "there"
    here = ("train", table, "--out", tmp_path / "here", "--model", tmp_path / "model", "--processes", "2")
    bertline(*here, *FLAGS.split(), environment=environment)
    state = working_directory(out) / STATE
    with subprocess.Popen(
        launch(tmp_path, "there"), env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as run:
        try:
            deadline_s = time.monotonic() + PATIENCE_S
            while not state.exists():
                assert run.poll() is None, run.communicate()[1]
                assert time.monotonic() < deadline_s
                time.sleep(0.02)
            ranks = ranks_of(run.pid)
            assert len(ranks) == 2
            os.kill(ranks[1], signal.SIGKILL)
            said = run.communicate(timeout=PATIENCE_S)[1]
        finally:
            run.kill()  # ``with`` waits for it without limit
            kill_with(f"DRILL={tmp_path}".encode())  # the ranks, each in a session of its own
    assert run.returncode == 0, said
    assert "Signal 9 (SIGKILL)" in said or "exitcode: -9" in said, said
    assert "Resuming at step" in said
    assert weights(out) == weights(tmp_path / "here")
