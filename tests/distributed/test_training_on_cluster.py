"""Training on a real cluster of two nodes: the weights of processes started here, also when a node dies."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bertline.training.checkpoint import STATE, working_directory
from tests.distributed.cluster import nodes
from tests.distributed.trainings import prepare, weights

pytestmark = pytest.mark.drill

PATIENCE_S = 600.0


def command(folder: Path, out: str, *more: str) -> list[str]:
    flags = "--epochs 6 --batch-tokens 512 --max-tokens 32 --precision fp32 --seed 3 --checkpoint-every-s 0.05"
    place = ["--model", str(folder / "model"), "--out", str(folder / out), "--processes", "2"]
    return [
        sys.executable, "-m", "bertline.cli.main", "train", str(folder / "rows.csv"), *flags.split(), *place, *more,
    ]  # fmt: skip


def test_two_nodes_learn_what_two_processes_here_learn_also_when_one_dies(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    prepare(tmp_path, "rows.csv", rows=1_500)
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command(tmp_path, "here"), check=True, env=one_thread, timeout=PATIENCE_S)
    with nodes(tmp_path) as there:
        there.add("head", 0)
        there.add("first", 1)
        there.add("second", 1)
        environment = {**there.environment, "OMP_NUM_THREADS": "1"}
        on_cluster = command(tmp_path, "there", "--ray", there.address)
        ran = subprocess.run(
            on_cluster, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert "2 processes on 2 machines, 1 core each" in ran.stderr
        assert weights(tmp_path / "there") == weights(tmp_path / "here")

        out = tmp_path / "again"
        state, began = working_directory(out) / STATE, time.monotonic()
        again = command(tmp_path, "again", "--ray", there.address)
        with subprocess.Popen(again, env=environment, stderr=subprocess.PIPE, text=True) as driver:
            while not state.exists():
                assert driver.poll() is None, driver.communicate()[1]
                assert time.monotonic() - began < PATIENCE_S
                time.sleep(0.02)
            there.add("spare", 1)
            there.kill("second")
            output = driver.communicate(timeout=PATIENCE_S)[1]
        assert driver.returncode == 0, output
        assert "all start again from the last checkpoint (1 of 3)" in output
        assert "Resuming at step" in output
        assert weights(out) == weights(tmp_path / "here")
