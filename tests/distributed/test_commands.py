"""What a drill started is ended, wherever it went."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.distributed.commands import kill_with, processes_with
from tests.distributed.slurm import Slurm

# A child in a session of its own, whose parent ends: only its environment tells where it came from.
ORPHAN = """
import subprocess, sys
subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
"""


def test_processes_in_other_sessions_are_ended_and_no_others(tmp_path: Path) -> None:
    mark, other = f"DRILL={tmp_path / 'one'}".encode(), f"DRILL={tmp_path / 'other'}".encode()
    for name in ("one", "other"):
        environment = {**os.environ, "DRILL": str(tmp_path / name)}
        subprocess.run([sys.executable, "-c", ORPHAN], env=environment, check=True, timeout=60)
    try:
        assert len(processes_with(mark)) == len(processes_with(other)) == 1
        kill_with(mark)
        assert (len(processes_with(mark)), len(processes_with(other))) == (0, 1)
        kill_with(other, besides=b"sleep")
        assert len(processes_with(other)) == 1
    finally:
        kill_with(mark)
        kill_with(other)


def test_a_node_ends_with_its_tasks(tmp_path: Path) -> None:
    made = Slurm(tmp_path)
    conf = f"SLURM_CONF={tmp_path / 'slurm.conf'}".encode()
    made._daemon = subprocess.Popen(["sleep", "600"], env=made.environment)
    subprocess.run([sys.executable, "-c", ORPHAN], env=made.environment, check=True, timeout=60)
    try:
        assert len(processes_with(conf)) == 2
        made.stop_node()
        assert processes_with(conf) == []
    finally:
        kill_with(conf)
        made._daemon.wait()
