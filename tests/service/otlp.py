"""A collector of spans: an HTTP server that reads what OTLP/HTTP says it gets, protobuf and gzip included."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What came.

    Attributes:
        url: its address, as an endpoint is set.
        bodies: of the requests, unpacked, in the order in which they came.
        headers: of the same requests.
        paths: of the same requests.
        status: that requests are answered with.
        answer: and the body; None is OTLP's own.
        answer_headers: beside those of every answer.
        connections: by which requests came.
        hold: while it is not set, requests are not answered.
        asked: a request came.
    """

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.status = 200
        self.answer: bytes | None = None
        self.answer_headers: dict[str, str] = {}
        self.connections: set[Any] = set()
        self.hold, self.asked = threading.Event(), threading.Event()
        self.hold.set()

    @property
    def messages(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def spans(self) -> list[Span]:
        """Of all messages, in the order in which they begin and end."""
        found = [
            span
            for one in self.messages
            for by in one.resource_spans
            for scope in by.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: (span.start_time_unix_nano, span.end_time_unix_nano))

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    @property
    def resource(self) -> dict[str, Any]:
        """Attributes of the one that sent the spans."""
        [found] = {
            tuple((one.key, one.value.string_value) for one in by.resource.attributes)
            for message in self.messages
            for by in message.resource_spans
        }
        return dict(found)


def attributes(span: Span) -> dict[str, Any]:
    """Names and values."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value") for one in span.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free loopback port, until the block ends; what it got can be looked at afterwards."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.asked.set()
            assert collector.hold.wait(timeout=60)
            if collector.status == 200:
                collector.bodies.append(body)
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                collector.paths.append(self.path)
            collector.connections.add(self.client_address)
            answer = ExportTraceServiceResponse().SerializeToString() if collector.answer is None else collector.answer
            self.send_response(collector.status)
            self.send_header("Content-Type", "application/x-protobuf")
            for name, value in {**collector.answer_headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """The one who sent has not waited for the answer."""

    with Server(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield collector
        finally:
            collector.hold.set()
            server.shutdown()
            thread.join(timeout=30)
