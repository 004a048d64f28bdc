from __future__ import annotations

import pytest

from bertline.cli import shards_screen
from bertline.cli.shards_screen import ShardsScreen


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_rate_time_left_and_cost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    monkeypatch.setattr(shards_screen, "time", clock)
    with ShardsScreen((0.5, "EUR")) as screen:
        screen.cores = 4
        screen.begin("labelling", 10_000)
        clock.now += 20
        screen.advance(1_000)
        clock.now += 1780
        screen.advance(4_000)
        screen.advance(0)
    assert capsys.readouterr().err.splitlines() == [
        "labelling: 5,000 of 10,000 rows, 3 rows/s, 0:30:00 left, cost 1.00 of about 2.00 EUR"
    ]
    assert screen.summary() == "5,000 rows, 3 rows/s, cost 1.00 EUR"


def test_without_a_price_there_is_no_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(shards_screen, "time", clock)
    screen = ShardsScreen()
    screen.begin("checking")
    clock.now += 10
    screen.advance(50)
    assert screen.figures() == "50 rows, 5 rows/s"
