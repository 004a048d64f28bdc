"""Compressed bodies of requests, unpacked as they come and never beyond a bound (RFC 9110, section 8.4).

gzip and deflate are what Python's standard library unpacks in every version that this service runs on. br and zstd are
refused, and so is one coding on top of another: no client sends those to an API, and each layer is one more to bound.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import Any

from bertline.serving.problems import Code, Problem

# x-gzip is the same (section 8.4.1.3); identity is none, and should not be sent (section 8.4.1).
NAMES = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
ACCEPTED = "gzip, deflate"
# A gzip file may have several members. Each costs 20 bytes and some microseconds, and 4 MiB would have 200,000.
MOST_MEMBERS = 1_000
STEP_BYTES = 16_384  # that are unpacked at a time: what follows the end of a member is copied for each member
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,32}")


def coding_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The coding of a body, None where it has none.

    Raises:
        Problem: there is no way to read it, which a client learns with the codings that there are (section 15.5.16).

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
    """Unpacks one body.

    Args:
        coding: ``gzip`` or ``deflate``.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._members = 0
        self._held = b""
        self._unpacking: Any = None  # the type of zlib's objects has no public name

    def feed(self, packed: bytes, most: int) -> bytearray:
        """What the next part of the body holds, cut off after ``most`` bytes; whoever gets as many asks no further.

        Args:
            packed: the part, as it came.
            most: at least 1.

        Raises:
            Problem: it is not what the header says.
        """
        found = bytearray()
        for start in range(0, len(packed), STEP_BYTES):
            step = self._held + packed[start : start + STEP_BYTES]
            self._held = b""
            while step and len(found) < most:
                if not self._begin(step):
                    break
                found += self._unpack(step, most - len(found))
                step = self._unpacking.unused_data
        return found

    def end(self) -> None:
        """The body has ended.

        Raises:
            Problem: what it was compressed to has not.
        """
        if self._unpacking is None or not self._unpacking.eof:
            raise _invalid(f"The body ends in the middle of its {self._coding} stream: send the whole body.")

    def _begin(self, step: bytes) -> bool:
        """Make ready for the next bytes; False if they are too few to know what they are."""
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
            found: bytes = self._unpacking.decompress(step, most)
        except zlib.error:
            if self._members > 1:
                raise _excess(self._coding) from None
            raise _invalid(
                f"The body is not {self._coding}, or is damaged: correct it, or leave Content-Encoding out."
            ) from None
        return found


def _deflate_bits(start: bytes) -> int:
    """How a body with the coding deflate is framed.

    The coding is zlib's format (RFC 1950). Some clients send the bare stream of RFC 1951 instead (section 8.4.1.2),
    which is told by the first two bytes: zlib's have the method 8, and are a multiple of 31.
    """
    framed = start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start[:2], "big") % 31 == 0
    return _ZLIB if framed else _RAW


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
