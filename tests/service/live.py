"""The real server on a free loopback port, in a thread, for tests that need a socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from bertline.service import ServeSettings
from bertline.service.following import Following
from bertline.service.perimeter import Perimeter
from bertline.service.run import Server, listen, page_url
from bertline.testing.words import WordCounter, serving_of


@contextmanager
def live(
    models: Mapping[str, WordCounter],
    settings: ServeSettings | None = None,
    perimeter: Perimeter | None = None,
    port: int = 0,
    following: Following | None = None,
) -> Iterator[str]:
    """Serve the models until the block ends, on a free port unless one is given; gives the URL, at once.

    Rollouts of ``following`` are shown and ended; nobody takes their steps.
    """
    settings = settings or ServeSettings(drain_s=0)
    server = Server(serving_of(models, settings), lambda: None, perimeter)
    if following is not None:
        state = server.config.app.state  # type: ignore[union-attr]
        state.rollouts.leave(following.models, following.shown())
        state.verdicts = following.verdicts()
    with listen("127.0.0.1", port) as listener:
        url = page_url(listener)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join(timeout=30)
    assert not thread.is_alive(), "the server did not stop"


def warm(url: str) -> str:
    """The URL, once the server there is ready."""
    deadline_s = time.monotonic() + 30
    while httpx.get(f"{url}/health/ready", timeout=30).status_code != 200:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    return url
