"""Real processes that a launcher starts, watches and starts again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from bertline.errors import BertlineWarning, DataError, SettingsError
from bertline.training.checkpoint import STATE, working_directory
from bertline.training.parallel.job import Failed, Job
from bertline.training.parallel.join import current
from bertline.training.parallel.launch import Launcher, carry_out
from bertline.training.progress import Progress, Silent
from bertline.training.settings import LoopSettings
from tests.ranks import die
from tests.unit.training.conftest import sentences, write_csv

ROOT = Path(__file__).parents[4]
PATIENCE_S = 300.0


class Noted(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def recipe(*, folder: Path, settings: LoopSettings, progress: Progress, resume: bool) -> list[tuple[Any, ...]]:
    """What each rank sees; the follower dies in the first attempt."""
    ranks = current()
    if ranks.rank == 1 and not resume:
        die()
    ranks.any(False)
    progress.note(f"by rank {ranks.rank}")
    warnings.warn("from everyone", BertlineWarning, stacklevel=1)
    return ranks.gather((ranks.rank, resume, os.environ["OMP_NUM_THREADS"], sys.stdin.read()))


def failing(*, progress: Progress, resume: bool) -> None:
    """The leader finds a fault; the follower waits for it in vain."""
    if current().leads:
        raise DataError("rows.csv has no rows: give some")
    current().any(False)


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Launcher(2, Noted())


@pytest.mark.usefixtures("launcher")
def test_a_killed_process_ends_the_attempt_and_the_next_one_resumes(tmp_path: Path) -> None:
    progress, settings = Noted(), LoopSettings(processes=2, restarts=1)
    with pytest.warns(BertlineWarning, match="from everyone") as warned:
        result = carry_out(recipe, settings, progress, resume=False, folder=tmp_path)
    assert result == [(0, True, "1", ""), (1, True, "1", "")]
    assert len(warned) == 1
    assert progress.notes == [
        "Process 1 was killed by signal 9 (Killed): all start again from the last checkpoint (1 of 1)",
        "by rank 0",
    ]


@pytest.mark.drill
def test_a_users_mistake_ends_all_processes_with_its_sentence(launcher: Launcher) -> None:
    outcome = launcher(Job(failing, {}, False))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, DataError)
    assert str(outcome.error) == "rows.csv has no rows: give some"
    assert "in failing" in outcome.error.__notes__[0], "--debug shows where"


def test_several_processes_are_not_started_where_they_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    two = LoopSettings(processes=2)
    with pytest.raises(SettingsError, match="standard input can be read by one process only: give a file"):
        carry_out(recipe, two, Silent(), resume=False, source="-")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(
        SettingsError, match=r"--processes starts .* this one is already one of 4 \(WORLD_SIZE\): leave"
    ):
        carry_out(recipe, two, Silent(), resume=False, source="rows.csv")


def command(folder: Path, model: Path, out: Path, *more: str) -> list[str]:
    flags = f"--model {model} --epochs 3 --batch-tokens 512 --max-tokens 32 --precision fp32 --seed 3"
    every = ["--out", str(out), "--checkpoint-every-s", "0.05", *more]
    return [sys.executable, "-m", "bertline.cli.main", "train", str(folder / "rows.csv"), *flags.split(), *every]


def children(pid: int) -> list[int]:
    """Those that have not ended."""
    every = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [one for one in every if "State:\tZ" not in Path(f"/proc/{one}/status").read_text()]


def finished(arguments: list[str]) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.drill
@pytest.mark.usefixtures("launcher")
def test_ranks_killed_at_random_leave_the_bundle_of_an_undisturbed_run(tmp_path: Path, model: Path) -> None:
    """Any rank, three times in one run, at any time from the first checkpoint to the writing of the bundle."""
    rng, kills = random.Random(8), 3
    write_csv(tmp_path / "rows.csv", sentences(1_500))
    finished(command(tmp_path, model, tmp_path / "whole", "--processes", "2"))
    out = tmp_path / "words"
    arguments = command(tmp_path, model, out, "--processes", "2", "--restarts", str(kills))
    state = working_directory(out) / STATE
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as launcher:
        written, began, killed = 0.0, time.monotonic(), 0
        while launcher.poll() is None and killed < kills:
            assert time.monotonic() - began < PATIENCE_S
            if state.exists() and state.stat().st_mtime > written and len(ranks := children(launcher.pid)) == 2:
                time.sleep(rng.uniform(0.0, 0.6))
                written = state.stat().st_mtime if state.exists() else written
                os.kill(rng.choice(ranks), signal.SIGKILL)
                killed += 1
            time.sleep(0.02)
        output = launcher.communicate(timeout=PATIENCE_S)[1]
    assert launcher.returncode == 0, output
    assert killed == kills
    restarts = output.count("was killed by signal 9 (Killed): all start again from the last checkpoint")
    assert kills - 1 <= restarts <= kills, "a follower may have done its part in the instant before"
    assert "Resuming at step" in output
    whole, own = (one / "model.safetensors" for one in (tmp_path / "whole", out))
    assert own.read_bytes() == whole.read_bytes()
    assert not state.exists()


@pytest.mark.drill
@pytest.mark.usefixtures("launcher")
def test_ctrl_c_stops_all_at_a_checkpoint_and_a_dead_launcher_takes_its_processes_along(
    tmp_path: Path, model: Path
) -> None:
    write_csv(tmp_path / "rows.csv", sentences(1_500))
    out = tmp_path / "words"
    state = working_directory(out) / STATE
    arguments = command(tmp_path, model, out, "--processes", "2", "--epochs", "40", "--patience", "40", "--resume")
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        state.unlink(missing_ok=True)
        with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as launcher:
            began = time.monotonic()
            while not state.exists():
                assert time.monotonic() - began < PATIENCE_S
                time.sleep(0.02)
            ranks = children(launcher.pid)
            launcher.send_signal(number)
            output = launcher.communicate(timeout=PATIENCE_S)[1]
        assert launcher.returncode == code, output
        if number == signal.SIGINT:
            assert "error: training stopped at step" in output
            assert "run the same command with --resume to continue" in output
        while any(Path(f"/proc/{one}").exists() for one in ranks):
            assert time.monotonic() - began < PATIENCE_S
            time.sleep(0.05)
