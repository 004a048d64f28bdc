"""``bertline top``: a running server, live, in a terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Annotated
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import typer
from rich.console import Console
from rich.live import Live

from bertline.cli.top_frame import Frame, frame_of
from bertline.cli.top_screen import screen
from bertline.errors import BertlineError, UsageError, needing
from bertline.monitoring.metrics.snapshot import Snapshot

EPILOG = "Examples: bertline top http://127.0.0.1:8000 · bertline top https://models.example --key-file key --once"
REFRESH_S = 1.0
TIMEOUT_S = 5.0
MOST_BYTES = 32 * 2**20


class UnreadableMetrics(BertlineError):
    """The metrics could not be read this time; the next time may be better."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(top)


def top(
    url: Annotated[str, typer.Argument(metavar="URL", help="URL of the server, as in http://127.0.0.1:8000.")],
    key_file: Annotated[Path | None, typer.Option(help="File with a key or token that may read the metrics.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Show one second and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON per second.")] = False,
) -> None:
    """Show throughput, latency, queues, models and refusals of a running server, updated every second.

    All figures come from GET /metrics. Ctrl+C ends it.
    """
    with needing("reading metrics needs prometheus-client", "prometheus_client", extra="serve"):
        import bertline.monitoring.metrics.registry  # noqa: F401  # what is read below
    server = ServerAddress(address(url), key_of(key_file))
    frames = refreshes(server)
    if once:
        refresh = next(frames)
        if isinstance(refresh, str):
            raise BertlineError(refresh)
        _print(server.url, refresh, as_json=as_json)
    elif as_json:
        for refresh in frames:
            line = {"error": refresh} if isinstance(refresh, str) else refresh.as_json
            print(json.dumps(line, ensure_ascii=False), flush=True)
    else:
        _live(server.url, frames)


def _print(url: str, frame: Frame, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(frame.as_json, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        console.print(screen(url, frame, None, width=console.width))


def _live(url: str, frames: Iterator[Frame | str]) -> None:
    """Draw each refresh over the last; a server that cannot be read keeps its last figures, and the reason above."""
    console = Console(highlight=False)
    last: Frame | None = None
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        for refresh in frames:
            trouble, last = (refresh, last) if isinstance(refresh, str) else (None, refresh)
            live.update(screen(url, last, trouble, width=console.width), refresh=True)


class ServerAddress:
    """Where metrics are read.

    Args:
        url: from ``address``.
        key: sent as a bearer token; never to another host, for a redirect is not followed.
    """

    def __init__(self, url: str, key: str | None) -> None:
        self.url, self._key = url, key
        self._opener = build_opener(_Stay)

    def read(self) -> Snapshot:
        """All metrics, now.

        Raises:
            Unreadable: the server does not answer, refuses, or answers something else.
        """
        from bertline.monitoring.metrics.registry import samples_of

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            with self._opener.open(Request(f"{self.url}/metrics", headers=headers), timeout=TIMEOUT_S) as answer:
                text = answer.read(MOST_BYTES).decode()
            snapshot = Snapshot(time.monotonic(), tuple(samples_of(text)))
        except HTTPError as error:
            error.close()
            raise UnreadableMetrics(self._refused(error.code)) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
            raise UnreadableMetrics(f"{self.url} does not answer ({why}): is it running there?") from None
        except (ValueError, KeyError):
            snapshot = Snapshot(0, ())
        if not snapshot.series("bertline_ready"):
            raise UnreadableMetrics(f"{self.url}/metrics is not from a bertline server: give the server's own address")
        return snapshot

    def _refused(self, status: int) -> str:
        if status == 401:
            said = "rejects this key: create a new one" if self._key else "requires a key: pass --key-file"
            return f"{self.url} {said}"
        if status == 403:
            return f"{self.url} does not allow this key to read metrics: use one with the scope metrics"
        return f"{self.url}/metrics answers {status}: is this the address of a bertline server?"


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: urllib would take the key along to another host."""

    def redirect_request(self, *_: object) -> None:
        return None


def refreshes(server: ServerAddress) -> Iterator[Frame | str]:
    """A frame each second, or the sentence that says why there is none; it never ends."""
    before: Snapshot | None = None
    due_s = time.monotonic()
    while True:
        try:
            now = server.read()
        except UnreadableMetrics as error:
            before = None
            yield str(error)
        else:
            if before is not None:
                yield frame_of(before, now)
            before = now
        due_s = max(due_s + REFRESH_S, time.monotonic())
        time.sleep(max(0.0, due_s - time.monotonic()))


def address(url: str) -> str:
    """The URL of a server without its last slash; http where no scheme is named.

    Raises:
        UsageError: it is no address.

    >>> address("127.0.0.1:8000"), address("https://models.example/")
    ('http://127.0.0.1:8000', 'https://models.example')
    """
    whole = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(whole)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or "@" in whole:
        raise UsageError("this is not a server's address: write it as http://127.0.0.1:8000")
    return whole.rstrip("/")


def key_of(key_file: Path | None) -> str | None:
    """What the file holds.

    Raises:
        UsageError: it cannot be read, or holds no key.
    """
    if key_file is None:
        return None
    try:
        key = key_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        raise UsageError(f"{key_file} cannot be read as a key file: pass another with --key-file") from None
    if not key or not key.isprintable() or " " in key:
        raise UsageError(f"{key_file} does not contain a single key: put the key on its only line")
    return key
