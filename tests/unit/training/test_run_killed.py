"""A real process, killed and resumed: the weights are those of a run that nothing happened to."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bertline.training.checkpoint import STATE, working_directory
from tests.forked import Command
from tests.unit.training.conftest import sentences, write_csv

PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("tables") / "rows.csv", sentences(1_500))


def command(data: Path, model: Path, out: Path, *more: str) -> list[str]:
    flags = f"--model {model} --out {out} --epochs 2 --batch-tokens 512 --max-tokens 32 --precision bf16"
    return ["train", str(data), *flags.split(), "--seed", "3", *more]


def finish(arguments: list[str], folder: Path) -> str:
    code, output = Command(arguments, folder / "output.txt").ended(PATIENCE_S)
    assert code == 0, output
    return output


def wait_for(condition: Callable[[], bool], process: Command) -> None:
    began = time.monotonic()
    while not condition():
        assert process.runs(), "it ended before it could be stopped"
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.01)


@pytest.fixture(scope="module")
def uninterrupted(data: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("whole") / "words"
    finish(command(data, model, out), out.parent)
    return (out / "model.safetensors").read_bytes()


def test_killed_twice_and_resumed_it_ends_in_the_same_weights(
    data: Path, model: Path, tmp_path: Path, uninterrupted: bytes
) -> None:
    out = tmp_path / "words"
    state = working_directory(out) / STATE
    arguments = command(data, model, out, "--checkpoint-every-s", "0.05", "--resume")
    written = 0.0
    for _ in range(2):
        process = Command(arguments, tmp_path / "output.txt")
        before = written
        wait_for(lambda before=before: state.exists() and state.stat().st_mtime > before, process)
        time.sleep(0.1)  # somewhere between two checkpoints
        process.send(signal.SIGKILL)
        assert process.ended(PATIENCE_S)[0] == -signal.SIGKILL
        assert not out.exists()
        written = state.stat().st_mtime
    output = finish(arguments, tmp_path)
    assert "Resuming at step" in output
    assert (out / "model.safetensors").read_bytes() == uninterrupted
    assert not state.exists()


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(
    data: Path, model: Path, tmp_path: Path, uninterrupted: bytes
) -> None:
    out = tmp_path / "words"
    state = working_directory(out) / STATE
    process = Command(command(data, model, out, "--checkpoint-every-s", "0.05"), tmp_path / "output.txt")
    wait_for(state.exists, process)
    process.send(signal.SIGINT)
    code, output = process.ended(PATIENCE_S)
    assert code == 130
    assert "error: training stopped at step" in output
    assert "run the same command with --resume to continue" in output
    finish(command(data, model, out, "--resume"), tmp_path)
    assert (out / "model.safetensors").read_bytes() == uninterrupted


@pytest.mark.drill
def test_killed_while_it_adapts_and_while_it_learns(data: Path, model: Path, tmp_path: Path) -> None:
    flags = ["--adapt", str(data), "--adapt-epochs", "4", "--checkpoint-every-s", "0.05", "--resume"]
    finish(command(data, model, tmp_path / "whole", *flags), tmp_path)
    out = tmp_path / "words"
    learning = working_directory(out) / STATE
    adapting = working_directory(working_directory(out) / "adapted") / STATE
    arguments = command(data, model, out, *flags)
    for state in (adapting, learning):
        process = Command(arguments, tmp_path / "output.txt")
        wait_for(state.exists, process)
        time.sleep(0.1)  # somewhere between two checkpoints
        process.send(signal.SIGKILL)
        assert process.ended(PATIENCE_S)[0] == -signal.SIGKILL
        assert not out.exists()
    output = finish(arguments, tmp_path)
    assert "Already adapted to the training rows" in output
    assert "Resuming at step" in output
    assert (out / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
