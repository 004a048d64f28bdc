"""The real server on a free loopback port, in a thread, for tests that need a socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvicorn

from bertline.inference.predictor import Predictor
from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.service.run import listen, page_url


@contextmanager
def live(models: Mapping[str, Predictor], settings: ServeSettings | None = None) -> Iterator[str]:
    """Serve the models until the block ends; gives the URL."""
    app = create_app(models, settings or ServeSettings())
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
    with listen("127.0.0.1", 0) as listener:
        url = page_url(listener)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join(timeout=30)
    assert not thread.is_alive(), "the server did not stop"
