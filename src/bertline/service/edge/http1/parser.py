"""A strict parser for HTTP/1.1 (RFC 9112), one request at a time.

When a proxy and a server parse the same bytes differently, a client can hide one request inside another (request
smuggling). So anything that a conforming sender would not write is rejected, and nothing after it is read. Every part
before the body has a limit, and so have the lines around chunks.

No sockets and no event loop: bytes in, callbacks out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from bertline.service.edge.http1.grammar import (
    ALSO_CODED,
    BARE,
    BEGINNING,
    CHUNK,
    CHUNK_SIZE_BYTES,
    END,
    FIELD,
    FRAMING,
    HOST,
    LENGTH,
    REQUEST_LINE,
    HeadLimits,
    malformed,
    origin_form,
    too_large,
    too_long,
)
from bertline.serving.problems import Code, Problem


class Events(Protocol):
    """The callbacks for each request, in this order."""

    def on_message_begin(self) -> None:
        """The first byte has come."""

    def on_url(self, url: bytes) -> None:
        """Path and query."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, its name in lower case and its value stripped."""

    def on_headers_complete(self) -> None:
        """The head has ended."""

    def on_body(self, body: bytes) -> None:
        """A part of the body, never empty."""

    def on_message_complete(self) -> None:
        """The request has ended."""


class RequestParser:
    """Parses the requests of one connection. It has the methods of httptools' parser that uvicorn calls.

    Attributes:
        reading: whether a request has begun and not ended.
        held: whether parsing is paused until ``resume``.
    """

    def __init__(self, events: Events, limits: HeadLimits) -> None:
        self._events, self._limits = events, limits
        self._buffer = bytearray()
        self._step: Callable[[], bool] = self._begin
        self.held = self._advancing = False
        self.reading = False

    # ----------------------------------------------------------------------------------------- called by uvicorn

    def get_method(self) -> bytes:
        """The method of the latest request."""
        return self._method

    def get_http_version(self) -> str:
        """1.1 or 1.0."""
        return self._version

    def should_keep_alive(self) -> bool:
        """Whether the connection stays open for another request (RFC 9112, section 9.3)."""
        return self._keep_alive

    def should_upgrade(self) -> bool:
        """Never: a server may ignore an offer of another protocol (RFC 9110, section 7.8)."""
        return False

    # ------------------------------------------------------------------------------------------------- the bytes

    @property
    def reading_body(self) -> bool:
        """Whether a request's head has ended and the request has not."""
        return self.reading and self._step not in (self._empty_line, self._head)

    @property
    def unread(self) -> int:
        """Number of buffered bytes."""
        return len(self._buffer)

    def feed_data(self, data: bytes) -> None:
        """Parse received bytes.

        Raises:
            Problem: the request is malformed or exceeds a limit. Feed nothing after that.
        """
        self._buffer += data
        self._advance()

    def hold(self) -> None:
        """Pause parsing until ``resume``."""
        self.held = True

    def resume(self) -> None:
        """Continue with the buffered bytes. Raises like ``feed_data``."""
        self.held = False
        self._advance()

    def _advance(self) -> None:
        if self._advancing:  # called from an event: the outer loop continues
            return
        self._advancing = True
        try:
            while self._buffer and not self.held and self._step():
                pass
        finally:
            self._advancing = False

    # -------------------------------------------------------------------------------------------------- the head

    def _begin(self) -> bool:
        self.reading = True
        self._events.on_message_begin()
        self._go_on(self._empty_line)
        return True

    def _go_on(self, step: Callable[[], bool]) -> None:
        self._step = step
        self._scanned = self._line_start = 0

    def _empty_line(self) -> bool:
        """Skip an empty line before the request (RFC 9112, section 2.2)."""
        if self._buffer == b"\r":
            return False
        if self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
        self._step = self._head
        return True

    def _head(self) -> bool:
        block = self._until(END, self._limits.head_bytes, "head")
        if block is None:
            self._check_beginning()
            return False
        line, _, rest = block.partition(b"\r\n")
        host = self._request_line(line)
        fields = self._fields(rest, host)
        self._go_on(self._body_of(fields))
        self._events.on_headers_complete()
        return self._step != self._end or self._end()

    def _until(self, end: bytes, most_bytes: int, what: str) -> bytes | None:
        """The bytes up to ``end``, removed from the buffer; None while the end has not come.

        It scans each byte once, however many pieces they come in.
        """
        buffer = self._buffer
        place = buffer.find(end, max(0, self._scanned - len(end) + 1))
        if place > most_bytes or (place < 0 and len(buffer) > most_bytes + len(end)):
            raise too_large(self._limits, what)
        if place >= 0:
            block = bytes(buffer[:place])
            del buffer[: place + len(end)]
            return block
        if BARE.search(buffer, max(0, self._scanned - 1)):
            raise malformed("one of its lines does not end with CR LF")
        self._line_start = max(self._line_start, buffer.rfind(b"\r\n", self._line_start) + 2)
        if self._line_start > 1 and len(buffer) - self._line_start > self._limits.header_bytes + 2:
            raise too_large(self._limits, "header")
        self._scanned = len(buffer)
        return None

    def _check_beginning(self) -> None:
        """Reject at once what cannot become a request line (such as TLS), without waiting for its end."""
        if not BEGINNING.fullmatch(self._buffer[:34]):
            raise malformed("it does not begin with a method")
        if self._line_start < 2 and len(self._buffer) > self._limits.target_bytes + 64:
            raise too_long(self._limits)

    def _request_line(self, line: bytes) -> bytes | None:
        """Report the target; returns the host if the target names one."""
        found = REQUEST_LINE.fullmatch(line)
        if found is None:
            raise malformed("its first line is not a method, a path and a version separated by single spaces")
        self._method, target, major, minor = found.groups()
        if len(target) > self._limits.target_bytes:
            raise too_long(self._limits)
        if (major, minor) not in ((b"1", b"1"), (b"1", b"0")):
            raise Problem(Code.UNSUPPORTED_VERSION, "This server supports only HTTP/1.1 and HTTP/1.0: use one of them.")
        self._version = f"1.{minor.decode()}"
        host = None
        if not target.startswith(b"/") and not (target == b"*" and self._method == b"OPTIONS"):
            target, host = origin_form(target)
        self._events.on_url(target)
        return host

    def _fields(self, block: bytes, host: bytes | None) -> dict[bytes, list[bytes]]:
        """Report the headers; returns those that affect framing.

        A ``host`` from the target replaces the header Host (RFC 9112, section 3.2.2).
        """
        framing: dict[bytes, list[bytes]] = {}
        for name, value in self._lines(block):
            if name in FRAMING:
                framing.setdefault(name, []).append(value)
            self._events.on_header(name, value if host is None or name != b"host" else host)
        return framing

    def _lines(self, block: bytes) -> Iterator[tuple[bytes, bytes]]:
        if not block:
            return
        lines = block.split(b"\r\n")
        if len(lines) > self._limits.headers:
            raise too_large(self._limits, "number of headers")
        for line in lines:
            if len(line) > self._limits.header_bytes:
                raise too_large(self._limits, "header")
            found = FIELD.fullmatch(line)
            if found is None:
                raise malformed("one of its headers is not a name, a colon and a value on one line")
            yield found[1].lower(), found[2].strip(b" \t")

    def _body_of(self, fields: Mapping[bytes, Sequence[bytes]]) -> Callable[[], bool]:
        """The next step, by the kind of body (RFC 9112, section 6.3)."""
        hosts = fields.get(b"host", ())
        if len(hosts) > 1 or (not hosts and self._version == "1.1"):
            raise malformed("it must have exactly one Host header")
        if hosts and not HOST.fullmatch(hosts[0]):
            raise malformed("its Host header is not a name with an optional port")
        if any(one.lower() != b"100-continue" for one in fields.get(b"expect", ())):
            raise Problem(
                Code.EXPECTATION_FAILED,
                "This server supports only Expect: 100-continue: leave the header out.",
                "Expect",
            )
        options = b",".join(fields.get(b"connection", ())).lower().split(b",")
        self._keep_alive = self._version == "1.1" and b"close" not in [one.strip(b" \t") for one in options]
        codings, lengths = fields.get(b"transfer-encoding"), fields.get(b"content-length")
        if codings is not None:
            self._check_codings(codings, lengths)
            self._overhead_left = self._limits.head_bytes
            return self._chunk
        if lengths is None:
            return self._end
        if len(lengths) > 1 or not LENGTH.fullmatch(lengths[0]):
            raise malformed("its Content-Length is not a single number of bytes")
        self._left = int(lengths[0])
        return self._fixed if self._left else self._end

    def _check_codings(self, codings: Sequence[bytes], lengths: Sequence[bytes] | None) -> None:
        if lengths is not None:
            raise malformed("it has both Transfer-Encoding and Content-Length")
        if self._version == "1.0":
            raise malformed("it has Transfer-Encoding, which HTTP/1.0 does not have")
        coding = codings[0].lower()
        if len(codings) == 1 and coding == b"chunked":
            return
        if len(codings) == 1 and ALSO_CODED.fullmatch(coding):
            raise Problem(
                Code.UNSUPPORTED_TRANSFER_ENCODING,
                "This server supports only Transfer-Encoding: chunked: compress with Content-Encoding instead.",
                "Transfer-Encoding",
            )
        raise malformed("its Transfer-Encoding does not end with a single chunked")

    # -------------------------------------------------------------------------------------------------- the body

    def _fixed(self) -> bool:
        self._take()
        return self._left > 0 or self._end()

    def _take(self) -> None:
        part = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(part)
        self._events.on_body(part)

    def _chunk(self) -> bool:
        """The line before a chunk (RFC 9112, section 7.1)."""
        line = self._until(b"\r\n", self._overhead_left + CHUNK_SIZE_BYTES, "sum of chunk extensions")
        if line is None:
            return False
        found = CHUNK.fullmatch(line)
        if found is None:
            raise malformed("the line before a chunk is not a size with optional extensions")
        self._overhead_left -= max(0, len(line) - CHUNK_SIZE_BYTES)
        self._left = int(found[1], 16)
        self._go_on(self._chunk_data if self._left else self._trailers)
        return True

    def _chunk_data(self) -> bool:
        self._take()
        if self._left == 0:
            self._go_on(self._chunk_end)
        return True

    def _chunk_end(self) -> bool:
        if not b"\r\n".startswith(self._buffer[:2]):
            raise malformed("a chunk is longer than its size says")
        if len(self._buffer) < 2:
            return False
        del self._buffer[:2]
        self._go_on(self._chunk)
        return True

    def _trailers(self) -> bool:
        """Check and discard trailers: none of them has a meaning here."""
        if self._buffer == b"\r":
            return False
        if self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
            return self._end()
        block = self._until(END, self._overhead_left, "trailer")
        if block is None:
            return False
        if any(name in FRAMING for name, _ in self._lines(block)):
            raise malformed("one of its trailers is only allowed in the head (RFC 9110, section 6.5.1)")
        return self._end()

    def _end(self) -> bool:
        self.reading = False
        self._go_on(self._begin)
        self._events.on_message_complete()
        return True
