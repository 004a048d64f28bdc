"""A small object server over HTTP for quick tests: what S3 answers to whole puts and to ranges, and faults on demand.

It checks no signatures. The drill in tests/stores has a real server.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Bucket:
    """The bucket ``models``: its objects by key, and what the server does instead of answering.

    Attributes:
        objects: bytes by key.
        refusal: status and code of every answer, in place of the object.
        cut_bytes: of a response's body, after which the connection is closed; None is none.
        received: requests as "GET key range".
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refusal: tuple[int, str] | None = None
        self.cut_bytes: int | None = None
        self.received: list[str] = []
        self.url = ""


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if (key := self._key("PUT")) is not None:
            self.bucket.objects[key] = content
            self._answer(200, b"", {"ETag": _tag(content)})

    def do_HEAD(self) -> None:
        self._send("HEAD")

    def do_GET(self) -> None:
        if "list-type=2" in self.path:
            self._list()
        else:
            self._send("GET")

    def _list(self) -> None:
        prefix = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
        entries = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(content)}</Size><ETag>{_tag(content)}</ETag>"
            f"<LastModified>2026-11-29T10:00:00.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>"
            for key, content in sorted(self.bucket.objects.items())
            if key.startswith(prefix)
        )
        listing = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        self._answer(200, listing.encode(), {})

    def log_message(self, format: str, *args: object) -> None: ...

    def _key(self, method: str) -> str | None:
        """The key, or None after a refusal."""
        _, bucket, key = self.path.split("?")[0].split("/", 2)
        self.bucket.received.append(f"{method} {key} {self.headers.get('Range', '')}".strip())
        refusal = self.bucket.refusal or ((404, "NoSuchBucket") if bucket != "models" else None)
        if refusal is None:
            return key
        self._refuse(*refusal)
        return None

    def _send(self, method: str) -> None:
        key = self._key(method)
        if key is None:
            return
        content = self.bucket.objects.get(key)
        if content is None:
            return self._refuse(404, "NoSuchKey")
        if self.headers.get("If-Match", _tag(content)) != _tag(content):
            return self._refuse(412, "PreconditionFailed")
        asked, start = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")), 0
        whole = len(content)
        headers = {"ETag": _tag(content), "Last-Modified": "Sun, 29 Nov 2026 10:00:00 GMT"}
        if asked:
            start = int(asked[1])
            if start >= whole:
                return self._refuse(416, "InvalidRange")
            content = content[: int(asked[2]) + 1] if asked[2] else content
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{whole}"
        return self._answer(206 if asked else 200, content[start:], headers)

    def _refuse(self, status: int, code: str) -> None:
        key = self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        content = f"<Error><Code>{code}</Code><AWSAccessKeyId>{key}</AWSAccessKeyId></Error>"
        self._answer(status, content.encode(), {})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        cut, has_body = self.bucket.cut_bytes, self.command != "HEAD"
        if cut is not None and len(content) > cut and status < 300 and has_body:
            self.wfile.write(content[:cut])
            self.close_connection = True
        elif has_body:
            self.wfile.write(content)


def _tag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


@contextmanager
def bucket_server(tls: ssl.SSLContext | None = None) -> Iterator[Bucket]:
    """A server of one's own on this machine."""
    bucket = Bucket()
    handler = type("Requests", (_Requests,), {"bucket": bucket})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        bucket.url = f"http{'s' * (tls is not None)}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield bucket
        finally:
            server.shutdown()
            thread.join(30)
