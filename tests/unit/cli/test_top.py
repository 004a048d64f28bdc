"""Addresses, keys and what is said of a server that cannot be read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bertline.cli import top as module
from bertline.cli.top import ServerAddress, UnreadableMetrics, address, key_of, refreshes
from bertline.cli.top_frame import Frame
from bertline.errors import UsageError
from bertline.monitoring.metrics.registry import Metrics


class Answers(BaseHTTPRequestHandler):
    """What ``answers`` says next: a status and a body, or a place to go to; the last one again and again."""

    answers: list[tuple[int, bytes]]
    asked: list[str | None]

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Authorization"))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", body.decode())
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(*answers: tuple[int, bytes]) -> Iterator[tuple[str, list[str | None]]]:
    """A server's URL, and the credentials it was shown."""
    handler: Any = type("Handler", (Answers,), {"answers": list(answers), "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", handler.asked
        finally:
            server.shutdown()
            thread.join(timeout=30)


def well() -> tuple[int, bytes]:
    metrics = Metrics()
    metrics.set("bertline_ready", 1)
    return 200, metrics.text()


@pytest.mark.parametrize(
    ("answer", "key", "said"),
    [
        ((401, b""), None, "requires a key: pass --key-file"),
        ((401, b""), "secret", "rejects this key: create a new one"),
        ((403, b""), "secret", "does not allow this key to read metrics: use one with the scope metrics"),
        ((404, b""), None, "answers 404: is this the address of a bertline server?"),
        ((200, b"<html>hello"), None, "is not from a bertline server"),
        ((200, b"other_metric 1\n"), None, "is not from a bertline server"),
        ((200, b"\xff\xfe"), None, "is not from a bertline server"),
    ],
)
def test_an_unreadable_server_is_one_sentence(answer: tuple[int, bytes], key: str | None, said: str) -> None:
    with answering(answer) as (url, asked), pytest.raises(UnreadableMetrics) as caught:
        ServerAddress(url, key).read()
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert asked == [f"Bearer {key}" if key else None]


def test_an_unreachable_server_is_one_sentence() -> None:
    with answering(well()) as (url, _):
        pass
    with pytest.raises(UnreadableMetrics, match=r"does not answer \(Connection refused\): is it running there\?"):
        ServerAddress(url, None).read()


def test_a_key_is_not_taken_to_where_a_redirect_leads() -> None:
    with answering(well()) as (there, shown), answering((302, there.encode())) as (url, _):
        with pytest.raises(UnreadableMetrics, match="answers 302"):
            ServerAddress(url, "secret").read()
        assert shown == []


def test_it_retries_and_continues_once_the_server_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_S", 0.01)
    with answering(well(), well(), (503, b""), (401, b""), well()) as (url, _):
        frames = refreshes(ServerAddress(url, None))
        found = [next(frames) for _ in range(4)]
    assert [type(one) for one in found] == [Frame, str, str, Frame]


@pytest.mark.parametrize("url", ["", "ftp://a", "http://", "http://a:x", "http://a:99999", "http://me:secret@a"])
def test_an_invalid_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"write it as http://127.0.0.1:8000") as caught:
        address(url)
    assert "secret" not in str(caught.value)


def test_a_key_is_the_only_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("bl_abc\n")
    assert key_of(file) == "bl_abc"
    assert key_of(None) is None
    for content in ("", "two words", "two\nlines"):
        file.write_text(content)
        with pytest.raises(UsageError, match="put the key on its only line"):
            key_of(file)
    with pytest.raises(UsageError, match="cannot be read"):
        key_of(tmp_path / "nowhere")
