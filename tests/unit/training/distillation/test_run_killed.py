"""A second distillation, killed and resumed as processes: the weights are those of a run that nothing happened to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bertline.testing.tiny import random_texts, write_tiny_bundle
from bertline.training.checkpoint import STATE, working_directory
from bertline.training.distillation.run import distill
from bertline.training.distillation.settings import DistillSettings
from bertline.training.progress import Silent

PATIENCE_S = 120.0


def settings(directory: Path) -> DistillSettings:
    return DistillSettings(
        unlabelled=(str(directory / "texts.txt"),),
        start=directory / "start",
        feed_forward=24,
        epochs=2,
        batch_tokens=256,
        dropout=0.1,
        seed=3,
        precision="fp32",
    )


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The verb with these settings, without --out; beside it a teacher, a start with weights of its own, and texts."""
    write_tiny_bundle(tmp_path / "teacher", rows=16)
    write_tiny_bundle(tmp_path / "start", seed=5)
    (tmp_path / "texts.txt").write_text("\n".join(random_texts(1_500, seed=9)))
    asked = settings(tmp_path)
    flags = {name: getattr(asked, name) for name in asked.model_fields_set} | {"unlabelled": asked.unlabelled[0]}
    typed = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return [sys.executable, "-m", "bertline.cli.main", "distill", str(tmp_path / "teacher"), *typed]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def finish(arguments: list[str]) -> str:
    process = start(arguments)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    return output


def test_killed_and_resumed_it_ends_in_the_same_weights(command: list[str], tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    arguments = [*command, "--out", str(cut), "--checkpoint-every-s", "0.05", "--resume"]
    process, state, began = start(arguments), working_directory(cut) / STATE, time.monotonic()
    while not state.exists():
        assert process.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.01)
    time.sleep(0.1)  # somewhere between two checkpoints
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGKILL
    assert not cut.exists()
    output = finish(arguments)
    assert "Resuming at step" in output
    assert "Choosing 24 of 64 feed-forward neurons in each layer" in output
    assert not state.exists()
    distill(tmp_path / "teacher", None, tmp_path / "whole", settings(tmp_path), Silent())
    assert (cut / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
