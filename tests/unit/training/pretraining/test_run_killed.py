"""A real process of ``bertline pretrain``, killed and resumed: the same weights as without."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from bertline.training.checkpoint import STATE, working_directory
from tests.forked import Command
from tests.unit.training.test_run_killed import PATIENCE_S, finish, wait_for


def command(corpus: Path, vocabulary: Path, out: Path, *more: str) -> list[str]:
    shape = "--layers 1 --hidden 32 --heads 2 --feed-forward 64 --sequence-tokens 32 --batch-tokens 256 --accumulate 2"
    flags = f"--vocab {vocabulary} --out {out} {shape} --epochs 8 --dropout 0.1 --measurements 3 --seed 3"
    return ["pretrain", str(corpus), *flags.split(), *more]


@pytest.mark.drill
def test_killed_twice_and_resumed_it_ends_in_the_same_weights(corpus: Path, vocabulary: Path, tmp_path: Path) -> None:
    finish(command(corpus, vocabulary, tmp_path / "whole"), tmp_path)
    out = tmp_path / "encoder"
    state = working_directory(out) / STATE
    arguments = command(corpus, vocabulary, out, "--checkpoint-every-s", "0.01", "--resume")
    written = 0.0
    for _ in range(2):
        process = Command(arguments, tmp_path / "output.txt")
        before = written
        wait_for(lambda before=before: state.exists() and state.stat().st_mtime > before, process)
        time.sleep(0.02)  # somewhere between two checkpoints
        process.send(signal.SIGKILL)
        assert process.ended(PATIENCE_S)[0] == -signal.SIGKILL
        assert not out.exists()
        written = state.stat().st_mtime
    output = finish(arguments, tmp_path)
    assert "Resuming at step" in output
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not state.exists()
