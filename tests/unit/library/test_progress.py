"""Progress without a terminal library: lines in a file or a notebook, one line written again on a terminal."""

from __future__ import annotations

import io

import pytest

from bertline.library import progress
from bertline.library.progress import Lines, listener
from bertline.tasks.history import EpochRecord
from bertline.training.progress import Silent, Step

STEP = Step(step=3, steps=40, epoch=1, epochs=2, loss=0.5, tokens_per_s=1234.0, seconds_left=65.0)
RECORD = EpochRecord(
    epoch=1,
    steps=40,
    seconds=61.0,
    tokens=900,
    train_loss=0.5,
    validation_loss=0.4,
    figures={"accuracy": 0.9, "macro_f1": 0.8},
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_on_a_terminal_a_step_is_written_over_the_last_one(clock: list[float]) -> None:
    stream = Terminal()
    lines = Lines(stream)
    for seconds in (1.0, 1.1, 2.0):
        clock[0] = seconds
        lines.stepped(STEP)
    lines.epoch_ended(RECORD, best=True)
    step = "epoch 1 of 2, step 3 of 40: loss 0.500  1,234 tokens/s  1 min 5 s left"
    first, again, epoch = stream.getvalue().split("\r\x1b[K")
    assert (first, again) == (step, step)
    assert epoch.startswith("Epoch 1: train loss 0.500")
    assert epoch.endswith("1 min 1 s  best so far\n")


def test_elsewhere_a_step_is_a_line_now_and_then(clock: list[float]) -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    for seconds in (1.0, 14.0, 16.0, 20.0):
        clock[0] = seconds
        lines.stepped(STEP)
    assert stream.getvalue() == "epoch 1 of 2, step 3 of 40: loss 0.500  1,234 tokens/s  1 min 5 s left\n"


def test_a_silent_run_has_a_listener_that_prints_nothing() -> None:
    assert isinstance(listener(False), Silent)
    assert isinstance(listener(True), Lines)
