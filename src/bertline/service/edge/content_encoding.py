"""Decompresses bodies incrementally, up to a limit (RFC 9110, section 8.4).

Python's standard library supports gzip and deflate in every version that this service runs on. br, zstd and several
codings at once are rejected: no client sends those to an API, and each layer would need its own limit.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import Any

from bertline.serving.problems import Code, Problem

# x-gzip is an alias (section 8.4.1.3); identity means no coding (section 8.4.1).
NAMES = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
ACCEPTED = "gzip, deflate"
# A gzip file may have several members. Each costs 20 bytes and some microseconds, and 4 MiB would have 200,000.
MOST_MEMBERS = 1_000
STEP_BYTES = 16_384  # decompressed at a time: zlib copies the rest of the input for each member
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,32}")


def coding_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The coding of a body; None without one.

    Raises:
        Problem: the coding is unsupported; the response lists the supported ones (section 15.5.16).

    >>> coding_of([(b"content-encoding", b"X-GZip"), (b"content-encoding", b"identity, ")])
    'gzip'
    """
    joined = b",".join(value for name, value in headers if name == b"content-encoding").decode("latin-1").lower()
    named = [one for part in joined.split(",") if (one := part.strip(" \t")) not in ("", "identity")]
    if not named:
        return None
    if len(named) > 1:
        raise _unsupported(f"Content-Encoding names {len(named)} codings")
    if named[0] not in NAMES:
        shown = f"Content-Encoding {named[0]}" if _TOKEN.fullmatch(named[0]) else "This Content-Encoding"
        raise _unsupported(f"{shown} is not supported")
    return NAMES[named[0]]


class Unpacker:
    """Decompresses one body; ``coding`` is ``gzip`` or ``deflate``."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._members = 0
        self._held = b""
        self._unpacking: Any = None  # the type of zlib's objects has no public name

    def feed(self, packed: bytes, most: int) -> bytearray:
        """Decompress the next part of the body, up to ``most`` bytes; after that many the caller must stop.

        Raises:
            Problem: the data does not match the coding.
        """
        content = bytearray()
        for start in range(0, len(packed), STEP_BYTES):
            step = self._held + packed[start : start + STEP_BYTES]
            self._held = b""
            while step and len(content) < most:
                if not self._begin(step):
                    break
                content += self._unpack(step, most - len(content))
                step = self._unpacking.unused_data
        return content

    def end(self) -> None:
        """Check that the stream is complete.

        Raises:
            Problem: the body ends in the middle of its stream.
        """
        if self._unpacking is None or not self._unpacking.eof:
            raise _invalid(f"The body ends in the middle of its {self._coding} stream: send the whole body.")

    def _begin(self, step: bytes) -> bool:
        """Prepare for the next bytes; False if there are too few to detect their format."""
        if self._unpacking is None and len(step) < 2:
            self._held = step
            return False
        if self._unpacking is None or self._unpacking.eof:
            if self._members and self._coding != "gzip":
                raise _excess(self._coding)
            if self._members == MOST_MEMBERS:
                raise _invalid(f"The body has more than {MOST_MEMBERS:,} gzip members: compress it as one.")
            self._members += 1
            self._unpacking = zlib.decompressobj(_GZIP if self._coding == "gzip" else _deflate_bits(step))
        return True

    def _unpack(self, step: bytes, most: int) -> bytes:
        try:
            content: bytes = self._unpacking.decompress(step, most)
        except zlib.error:
            if self._members > 1:
                raise _excess(self._coding) from None
            raise _invalid(
                f"The body is not {self._coding}, or is damaged: correct it, or leave Content-Encoding out."
            ) from None
        return content


def _deflate_bits(start: bytes) -> int:
    """The window bits for a body with the coding deflate.

    The coding is zlib's format (RFC 1950), but some clients send the raw stream of RFC 1951 (section 8.4.1.2). The
    first two bytes of zlib's format have the method 8 and are a multiple of 31.
    """
    is_zlib = start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start[:2], "big") % 31 == 0
    return _ZLIB if is_zlib else _RAW


def _excess(coding: str) -> Problem:
    return _invalid(f"The body continues after the end of its {coding} stream: send only the stream.")


def _invalid(message: str) -> Problem:
    return Problem(Code.INVALID_CONTENT_ENCODING, message, "Content-Encoding")


def _unsupported(what: str) -> Problem:
    return Problem(
        Code.UNSUPPORTED_CONTENT_ENCODING,
        f"{what}: send the body uncompressed, or compressed once, with gzip or deflate.",
        "Content-Encoding",
        headers={"Accept-Encoding": ACCEPTED},
    )
