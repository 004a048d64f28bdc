"""The lines that people read."""

from __future__ import annotations

import re

from bertline.monitoring.logs.console import LEVELS, SHOWN, console_line
from bertline.monitoring.logs.table import LOGGED

HEAD = {"@timestamp": "2026-11-24T12:00:00.123Z", "log.level": "info", "log.logger": "bertline.access"}
REQUEST = {
    **HEAD,
    "message": "POST /v1/predict 200",
    "event.duration": 3_240_000,
    "bertline.model.name": "reviews",
    "bertline.texts": 2,
    "bertline.tokens.read": 31,
    "bertline.tokens.cut": 0,
    "bertline.time.queue_ms": 0.123,
    "http.request.id": "5f1c",
}


def test_a_request_is_one_log_line_with_the_fields_that_operators_search() -> None:
    line = console_line(False)(REQUEST)
    assert re.fullmatch(
        r"\d\d:00:00\.123 info     POST /v1/predict 200                    3\.2 ms "
        r"model=reviews texts=2 tokens=31 queue_ms=0\.1 id=5f1c",
        line,
    )


def test_columns_stand_below_each_other() -> None:
    render = console_line(False)
    other = {**REQUEST, "message": "GET /v1/models 404", "log.level": "error", "event.duration": 123_456_000_000}
    assert len({render(one).index(" ms ") for one in (REQUEST, other)}) == 1


def test_colours_change_nothing_but_the_colours() -> None:
    coloured = console_line(True)(REQUEST)
    assert coloured != console_line(False)(REQUEST)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == console_line(False)(REQUEST)


def test_nobody_can_write_a_line_or_a_colour_of_their_own() -> None:
    line = console_line(False)({**REQUEST, "bertline.model.name": "a\n12:00 \x1b[31m", "message": "GET \x1b[2J"})
    assert "\n" not in line
    assert "\x1b" not in line
    assert r"\x1b[2J" in line


def test_the_path_of_an_error_is_shown_below() -> None:
    line = console_line(False)({**HEAD, "message": "it failed", "error.stack_trace": "a.B\n  c.py:1 in d"})
    first, *below = line.splitlines()
    assert first.endswith("[bertline.access]")
    assert below == ["a.B", "  c.py:1 in d"]


def test_a_multi_line_message_continues_below() -> None:
    first, *below = console_line(False)(
        {**HEAD, "message": "it failed\n  a.py:1", "http.request.id": "5f"}
    ).splitlines()
    assert first.endswith("id=5f [bertline.access]")
    assert below == ["  a.py:1"]


def test_every_shown_value_is_in_the_table() -> None:
    assert set(SHOWN) <= LOGGED
    assert {"debug", "info", "warning", "error", "critical"} == set(LEVELS)
