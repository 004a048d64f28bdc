"""The loop's rows, its clients and its page; ``make loop`` plays all of it."""

from __future__ import annotations

import csv
import functools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from examples.loop import rows
from examples.loop.page import Chapter, clock, write_page
from examples.loop.server import Server
from examples.loop.traffic import Sent, Traffic, accuracy


def read(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [tuple(row) for row in csv.reader(stream)][1:]


def test_no_text_is_in_two_tables_and_wrong_labels_are_the_same_ones_shuffled(tmp_path: Path) -> None:
    story = rows.prepare(tmp_path, 500)
    train, frozen, wrong = read(story.train), read(story.frozen), read(story.wrong)
    assert (len(train), len(frozen), len(wrong)) == (500, 500, 500)
    assert {text for text, _ in train}.isdisjoint(text for text, _ in (*frozen, *story.sentences))
    assert [text for text, _ in wrong] == [text for text, _ in train]
    assert sorted(label for _, label in wrong) == sorted(label for _, label in train)
    same = sum(one == other for one, other in zip(train, wrong, strict=True)) / len(train)
    assert 0.45 < same < 0.55
    assert rows.prepare(tmp_path, 500) == story
    assert len(story.reviews) == 25_000


class Answers(BaseHTTPRequestHandler):
    """Answers "positive" to everything, and notes the keys and the feedback."""

    keys: ClassVar[set[str]] = set()
    items: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/feedback":
            self.items.extend(body["items"])
            answer: Any = {"items": []}
        else:
            self.keys.add(self.headers["X-Rollout-Key"])
            answer = {"model": {"name": "m", "version": "abc"}, "predictions": [{"label": "positive"}]}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("X-Request-Id", "r")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def answering() -> Iterator[Server]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{server.server_port}", None)  # type: ignore[arg-type]
    finally:
        server.shutdown()
        server.server_close()


def test_clients_know_what_was_right_and_people_label_some() -> None:
    with answering() as server, Traffic(server, [("fine", "positive"), ("poor", "negative")], 500.0) as traffic:
        assert accuracy(traffic.wait_for(50, 0)[:50]) == 0.5
        traffic.turn_to([("fine", "positive")])
        traffic.labelling = True
        start = len(traffic.sent) + 1
        assert accuracy(traffic.wait_for(120, start)) == 1.0
    assert traffic.lost == []
    assert traffic.labelled >= 100
    assert {one["correct"] for one in Answers.items[10:]} == {"positive"}
    assert len(Answers.keys) == 100


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    sent = [Sent(0.5 * i, str(i), "t", i % 3 > 0, "x", "v", 0.01) for i in range(400)]
    chapters = [Chapter("First", 0.0, [("accuracy", "80 %")], ["it <learned>"]), Chapter("Then", 90.0)]
    write_page(tmp_path / "loop.html", chapters, sent, "2 steps", "http://127.0.0.1:8000")
    page = (tmp_path / "loop.html").read_text(encoding="utf-8")
    assert "it &lt;learned&gt;" in page
    assert "2 · Then" in page
    assert "1:30" in page
    assert page.count("<svg") == 1
    assert page.count('class="first curve"') == 1
    own = ("http://127.0.0.1:8000", "http-equiv", "http://www.w3.org/2000/svg")
    assert "http" not in functools.reduce(lambda text, part: text.replace(part, ""), own, page)
    assert clock(61.9) == "1:01"


@pytest.mark.drill
def test_the_loop_is_played_to_its_end(tmp_path: Path) -> None:
    """With few rows: found, retrained, rolled out, and a bad model rolled back, with no request lost."""
    command = [sys.executable, "-m", "examples.loop", "--small", "--no-serve", "--directory", str(tmp_path / "loop")]
    subprocess.run(command, check=True, timeout=1800)
    measured = json.loads((tmp_path / "loop" / "loop.json").read_text(encoding="utf-8"))
    assert measured["p_changed_2"] < 0.05
    assert (measured["rollout"], measured["bad_model"]) == ("promoted", "rolled_back")
    assert (measured["lost"], measured["log_faults"]) == (0, 0)
    assert measured["requests"] > 500
    assert (tmp_path / "loop" / "loop.html").exists()
