"""What ``bertline top`` draws, at several widths."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from bertline.cli.top_frame import Frame, ModelLine, frame_of
from bertline.cli.top_screen import screen
from bertline.monitoring.metrics.registry import Metrics
from bertline.monitoring.metrics.snapshot import Snapshot
from tests.unit.monitoring.metrics.test_snapshot import taken

URL = "http://127.0.0.1:8000"
FRAME = Frame(
    release="0.1.0", ready=True, since_s=1, requests_per_s=412.3, texts_per_s=1530.0, in_progress=7, p50_s=0.0042,
    p99_s=0.0391, padding=0.08, refusals={"overloaded": 12}, refusals_in_all={"overloaded": 1204, "empty_text": 3},
    models=(
        ModelLine("reviews", "b3ccb544e92d", "int8", True, 1500, 2310, 0.034, 1),
        ModelLine("a-model-with-a-very-long-name-indeed", "0123456789ab", "fp32", False, 30, 0, 0, 0),
    ),
)  # fmt: skip


def drawn(frame: Frame | None, trouble: str | None = None, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    console.print(screen(URL, frame, trouble, width=width))
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_everything_is_on_80_columns() -> None:
    assert drawn(FRAME) == [
        "bertline 0.1.0  http://127.0.0.1:8000  ready",
        "",
        "texts/s     1,530  requests/s       412  open            7",
        "p50        4.2 ms  p99            39 ms  padding       8\u202f%",
        "",
        "model             version       engine  state  texts/s  queue   wait  lost",
        "reviews           b3ccb544e92d  int8    ready    1,500  2,310  34 ms     1",
        "a-model-with-a-…  0123456789ab  fp32    down      30.0      0   0 ms     0",
        "",
        "refused     per second  in all",
        "overloaded        12.0   1,204",
        "empty_text           0       3",
    ]


@pytest.mark.parametrize("width", [100, 80, 79, 60, 50, 46])
def test_no_line_is_wider_than_the_screen_and_every_figure_is_there(width: int) -> None:
    lines = drawn(FRAME, width=width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for figure in (
        "1,530",
        "412",
        "4.2 ms",
        "39 ms",
        "8\u202f%",
        "2,310",
        "34 ms",
        "overloaded",
        "1,204",
        "down",
    ):
        assert figure in text, text
    assert len(lines) == (12 if width >= 60 else 13), text  # nothing was folded


def test_trouble_is_shown_above_the_last_figures() -> None:
    sentence = "http://127.0.0.1:8000 does not answer (Connection refused): is it running there?"
    lines = drawn(FRAME, sentence)
    assert sentence in " ".join(lines[1:3])
    assert any("1,530" in line for line in lines)
    assert drawn(None, sentence)[0] == f"bertline  {URL}"


def test_a_server_that_nobody_asks_has_no_latency() -> None:
    metrics = Metrics()
    metrics.set("bertline_ready", 0)
    frame = frame_of(taken(metrics, 0), taken(metrics, 1))
    assert (frame.p50_s, frame.padding, frame.models, frame.ready) == (None, None, (), False)
    text = "\n".join(drawn(frame))
    assert "not ready" in text
    assert re.search(r"p50\s+–", text)
    assert "no model has answered yet" in text
    assert "no refusals" in text


def test_a_frame_is_the_difference_of_two_readings() -> None:
    metrics = Metrics()
    metrics.set("bertline_ready", 1)
    metrics.set("bertline_model_info", 1, model="a", version="1", engine="int8")
    metrics.count("bertline_problems", 5, code="overloaded")

    def reading(at_s: float) -> Snapshot:
        metrics.count("bertline_texts", 30, model="a", version="1", op="classify")
        metrics.count("bertline_http_requests", 10, route="/v1/predict", method="POST", status="200")
        metrics.count("bertline_http_requests", 99, route="/health/live", method="GET", status="200")
        metrics.count("bertline_computed_tokens", 75, model="a", kind="real")
        metrics.count("bertline_computed_tokens", 25, model="a", kind="padding")
        return taken(metrics, at_s)

    before = reading(10)
    metrics.count("bertline_problems", 2, code="deadline")
    frame = frame_of(before, reading(12))
    assert (frame.texts_per_s, frame.requests_per_s, frame.padding) == (15, 5, 0.25)
    assert frame.refusals == {"deadline": 2}
    assert frame.refusals_in_all == {"overloaded": 5, "deadline": 2}
    assert frame.models == (ModelLine("a", "1", "int8", None, 15, 0, 0, 0),)
    metrics.set("bertline_model_ready", 0, model="a", version="1")
    assert frame_of(before, reading(13)).models[0].ready is False
