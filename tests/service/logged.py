"""Apps and servers whose log a test reads."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import uvicorn
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from bertline.monitoring.logs.logger import configure
from bertline.monitoring.logs.settings import LogSettings
from bertline.service.app import create_app
from bertline.service.edge.http1.connection import Http1Connection
from bertline.service.exchange import log_context
from bertline.service.perimeter import Perimeter, PerimeterSettings
from bertline.service.run import listen, page_url
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.fronted import fronted
from tests.service.live import warm
from tests.unit.monitoring.log_lines import read

# A field that the table lacks is an error here.
SETTINGS: Mapping[str, object] = {"format": "json", "strict": True}


class Log(io.StringIO):
    """What was logged, once the log is closed."""

    def lines(self, path: str | None = None) -> list[dict[str, object]]:
        """The lines of requests, of those to one route where it is named; checked against the table."""
        found = [one for one in read(self.getvalue()) if one["event.dataset"] == "bertline.access"]
        return [one for one in found if path in (None, one.get("url.path"))]


@contextmanager
def logged(app: ASGIApp, out: Log, **settings: object) -> Iterator[ASGIApp]:
    """An app of a test's own, with a log around it."""
    chosen = LogSettings.model_validate({**SETTINGS, **settings})
    with configure(chosen, out, log_context) as logs:
        yield fronted(app, logs=logs, settings=chosen)


@contextmanager
def real_app(model: WordCounter, out: Log, **settings: object) -> Iterator[ASGIApp]:
    """The real one around a double, with a log."""
    chosen = LogSettings.model_validate({**SETTINGS, **settings})
    with configure(chosen, out, log_context) as logs:
        perimeter = Perimeter(PerimeterSettings(logs=chosen), logs=logs)
        yield create_app(serving_of({"reviews": model}), perimeter)


@contextmanager
def client_of(model: WordCounter, out: Log, **settings: object) -> Iterator[TestClient]:
    """The real app, asked without a socket."""
    with real_app(model, out, **settings) as app, TestClient(app, client=("10.1.2.3", 4)) as client:
        yield until_ready(client)


@contextmanager
def socket_of(model: WordCounter, out: Log, **settings: object) -> Iterator[str]:
    """The real app behind the real connections on a socket; gives the URL once it is ready."""
    with real_app(model, out, **settings) as app, listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, http=Http1Connection, access_log=False, proxy_headers=False)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield warm(page_url(listener))
        finally:
            server.should_exit = True
            thread.join(timeout=30)
        assert not thread.is_alive(), "the server did not stop"


def until(holds: Callable[[], object]) -> None:
    """Wait for it."""
    deadline_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
