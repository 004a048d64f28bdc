"""A second distillation, killed and resumed as processes: the weights are those of a run that nothing happened to."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from bertline.testing.tiny import random_texts, write_tiny_bundle
from bertline.training.checkpoint import STATE, working_directory
from bertline.training.distillation.run import distill
from bertline.training.distillation.settings import DistillSettings
from bertline.training.progress import Silent
from tests.forked import Command

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
    return ["distill", str(tmp_path / "teacher"), *typed]


@pytest.mark.drill
def test_killed_and_resumed_it_ends_in_the_same_weights(command: list[str], tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    arguments = [*command, "--out", str(cut), "--checkpoint-every-s", "0.05", "--resume"]
    output = tmp_path / "output.txt"
    process, state, began = Command(arguments, output), working_directory(cut) / STATE, time.monotonic()
    while not state.exists():
        assert process.runs(), "it ended before it could be stopped"
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.01)
    time.sleep(0.1)  # somewhere between two checkpoints
    process.send(signal.SIGKILL)
    assert process.ended(PATIENCE_S)[0] == -signal.SIGKILL
    assert not cut.exists()
    code, printed = Command(arguments, output).ended(PATIENCE_S)
    assert code == 0, printed
    assert "Resuming at step" in printed
    assert "Choosing 24 of 64 feed-forward neurons in each layer" in printed
    assert not state.exists()
    distill(tmp_path / "teacher", None, tmp_path / "whole", settings(tmp_path), Silent())
    assert (cut / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
