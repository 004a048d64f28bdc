"""The health check of an image against a real listener."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import trustme

from bertline.deploy import health


@contextmanager
def server(status: int, context: ssl.SSLContext | None = None) -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/ready" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as listening:
        if context is not None:
            listening.socket = context.wrap_socket(listening.socket, server_side=True)
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield listening.server_port
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_it_is_the_readiness_of_the_server(status: int, ready: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(status) as port:
        monkeypatch.setenv("BERTLINE_SERVE_PORT", str(port))
        assert health.ready() is ready


def test_a_certificate_of_any_name_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("api.example").configure_cert(context)
    with server(200, context) as port:
        monkeypatch.setenv("BERTLINE_SERVE_PORT", str(port))
        monkeypatch.setenv("BERTLINE_TLS_CERTIFICATE", "server.pem")
        assert health.ready()


def test_nobody_listens() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bertline.deploy.health"], env=os.environ | {"BERTLINE_SERVE_PORT": "1"}, check=False
    )
    assert done.returncode == 1


def test_it_imports_nothing_but_the_standard_library() -> None:
    program = "import sys, bertline.deploy.health; print(*{one.partition('.')[0] for one in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"numpy", "pydantic", "typer"} & set(done.stdout.split())
