from __future__ import annotations

import pytest

from bertline.cli import predict_screen
from bertline.cli.predict_screen import PredictScreen, skipped_sentence
from bertline.data.rows import BadRow, BadRows


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_left_out_rows_are_counted_by_reason() -> None:
    bad = BadRows("in.csv")
    assert skipped_sentence(bad) is None
    for reason in ("empty", "short", "empty"):
        bad.add(BadRow(1, reason))
    assert skipped_sentence(bad) == "note: left out 3 bad rows: 2 × empty, 1 × short"


def test_pace_and_time_left_describe_this_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(predict_screen, "time", clock)
    screen = PredictScreen()
    screen.begin("checking")
    clock.now += 1000
    screen.begin("labelling", 300)
    for _ in range(100):
        clock.now += 0.5
        screen.advance()
    assert screen.summary() == "100 rows, 2 rows/s"
    assert screen._figures() == "100 of 300 rows, 2 rows/s, 0:01:40 left"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_is_for_terminals_only(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if terminal else "0")
    monkeypatch.setenv("TERM", "xterm")
    with PredictScreen() as screen:
        screen.begin("labelling", 32)
        for _ in range(32):
            screen.advance()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("32 of 32 rows" in captured.err) == terminal


def test_the_time_left_is_that_of_the_last_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """T17: what was disturbed at first, or is disturbed now, says nothing about the rest."""
    clock = Clock()
    monkeypatch.setattr(predict_screen, "time", clock)
    screen = PredictScreen()
    screen.begin("labelling", 3200)
    for seconds, rows in ((4.0, 160), (0.5, 1440)):
        for _ in range(rows):
            clock.now += seconds
            screen.advance()
    assert screen._figures() == "1,600 of 3,200 rows, 2 rows/s, 0:13:20 left"
