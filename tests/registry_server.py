"""A small registry and hub over HTTP for quick tests: what the distribution specification asks of one repository.

The drill in tests/stores has a real registry.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Repository:
    """What lies in the registry, and how it behaves.

    Attributes:
        blobs: bytes by digest.
        manifests: bytes by tag or digest.
        files: of a hub's repository at its one commit.
        token: asked of every request, by the token protocol.
        lost_patches: how many uploads' pieces are taken and not answered.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.token: str | None = None
        self.lost_patches = 0
        self.host = ""


COMMIT = "c0ffee" * 6 + "c0ff"


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repository: Repository

    def __getattr__(self, name: str) -> Any:
        """``do_GET`` and the like."""
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None: ...

    def _handle(self) -> None:
        its, url = self.repository, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if url.path == "/token":
            return self._answer(200, json.dumps({"token": its.token}).encode())
        if its.token and self.headers.get("Authorization") != f"Bearer {its.token}":
            challenge = f'Bearer realm="http://{its.host}/token",service="drill"'
            return self._answer(401, b"", {"WWW-Authenticate": challenge})
        if url.path.startswith("/api/models/"):
            return self._answer(200, json.dumps({"id": "team/reviews", "sha": COMMIT}).encode())
        if hub := re.fullmatch(rf"/team/reviews/resolve/{COMMIT}/(.+)", url.path):
            return self._content(its.files.get(hub[1]))
        place = url.path.removeprefix("/v2/team/reviews/")
        if place.startswith("blobs/uploads/"):
            return self._upload(place.removeprefix("blobs/uploads/"), parse_qs(url.query), body)
        if self.command == "PUT":
            its.manifests[place.removeprefix("manifests/")] = body
            return self._answer(201, b"")
        if place.startswith("manifests/"):
            return self._content(its.manifests.get(place.removeprefix("manifests/")))
        return self._content(its.blobs.get(place.removeprefix("blobs/")))

    def _upload(self, id_: str, query: dict[str, list[str]], body: bytes) -> None:
        its = self.repository
        if self.command == "POST":
            id_ = str(len(its.uploads))
            its.uploads[id_] = b""
        if self.command == "PUT":
            content = its.uploads[id_]
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == query["digest"][0]
            its.blobs[query["digest"][0]] = content
            return self._answer(201, b"")
        if self.command == "PATCH":
            assert self.headers["Content-Range"].startswith(f"{len(its.uploads[id_])}-")
            its.uploads[id_] += body
            if its.lost_patches:
                its.lost_patches -= 1
                self.close_connection = True
                return None
        where = {"Location": f"/v2/team/reviews/blobs/uploads/{id_}", "Range": f"0-{len(its.uploads[id_]) - 1}"}
        return self._answer(204 if self.command == "GET" else 202, b"", where)

    def _content(self, content: bytes | None) -> None:
        if content is None:
            return self._answer(404, b"")
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return self._answer(206 if asked else 200, content[int(asked[1]) if asked else 0 :])

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def registry_server() -> Iterator[Repository]:
    """A server of one's own on this machine."""
    repository = Repository()
    handler = type("Requests", (_Requests,), {"repository": repository})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        repository.host = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield repository
        finally:
            server.shutdown()
            thread.join(30)
