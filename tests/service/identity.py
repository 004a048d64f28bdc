"""An identity provider's discovery and keys on a real socket, which counts who asks, and can be taken away."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OIDC = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


class Identity:
    """What the provider says, by path: a document, bytes, or a status with headers and maybe bytes.

    Attributes:
        asked: paths, as they came.
        headers: of each answer with status 200.
        held: set while answers are given; clear it to keep askers waiting.
    """

    def __init__(self, url: str) -> None:
        self.url, self.asked = url, list[str]()
        self.said: dict[str, Any] = {OIDC: {"issuer": url, "jwks_uri": f"{url}/keys"}, "/keys": {"keys": []}}
        self.headers: dict[str, str] = {}
        self.held = threading.Event()
        self.held.set()

    def fetches(self) -> int:
        """How often the keys were asked for."""
        return self.asked.count("/keys")


@contextmanager
def identity(port: int = 0) -> Iterator[Identity]:
    """A provider on loopback until the block ends."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            one.asked.append(self.path)
            one.held.wait(30)
            said = one.said.get(self.path, (404, {}))
            status, headers, *sent = said if isinstance(said, tuple) else (200, one.headers, said)
            body = sent[0] if sent else b""
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:  # who asked had enough of it
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = False
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """A connection that was given up."""

    server = Listener(("127.0.0.1", port), Answers)
    one = Identity(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield one
    finally:
        one.held.set()
        server.shutdown()
        thread.join()
        server.server_close()
