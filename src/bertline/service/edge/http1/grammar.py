"""The grammar of HTTP/1.1 requests (RFC 9112 with RFC 9110), without the deviations that a server may tolerate.

No bare LF, no line folding, no space before a colon, no second Content-Length: a conforming sender writes none of
these, and proxies disagree about each.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bertline.serving.problems import Code, Problem

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
REQUEST_LINE = re.compile(rb"(%b{1,32}) ([!\"$-~]+) HTTP/([0-9])\.([0-9])" % TOKEN)  # no blank, no '#', only ASCII
BEGINNING = re.compile(rb"%b{1,32}(?: .*)?" % TOKEN, re.DOTALL)
FIELD = re.compile(rb"(%b+):([\t -~\x80-\xff]*)" % TOKEN)
BARE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")  # a line must end with CR LF
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
ABSOLUTE = re.compile(rb"https?://([^/?]+)(.*)", re.IGNORECASE)
LENGTH = re.compile(rb"[0-9]{1,18}")
QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;%b+(?:=(?:%b+|%b))?)*" % (TOKEN, TOKEN, QUOTED))
END = b"\r\n\r\n"
FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"})
CHUNK_SIZE_BYTES = 15  # maximum digits of a chunk's size; longer lines have extensions
ALSO_CODED = re.compile(rb"(?:(?!chunked\b)%b+[ \t]*,[ \t]*)+chunked" % TOKEN)


class HeadLimits(NamedTuple):
    """Limits for everything but the body."""

    head_bytes: int = 32_768  # request line and headers; also all chunk extensions and trailers of a body together
    header_bytes: int = 16_384  # one header with its name
    headers: int = 100
    target_bytes: int = 8_192  # path and query


def origin_form(target: bytes) -> tuple[bytes, bytes]:
    """Path and host of an absolute target (RFC 9112, section 3.2.2).

    >>> origin_form(b"http://models.example.com?all")
    (b'/?all', b'models.example.com')
    """
    found = ABSOLUTE.fullmatch(target)
    if found is None or not HOST.fullmatch(found[1]):
        raise malformed("its target is neither a path nor an http address")
    host, path = found.groups()
    return path if path.startswith(b"/") else b"/" + path, host


def malformed(why: str) -> Problem:
    """The problem of a request that violates the grammar."""
    return Problem(Code.MALFORMED_REQUEST, f"This is not a valid HTTP/1.1 request: {why}.")


def too_large(limits: HeadLimits, part: str) -> Problem:
    """The problem of a part of the head that exceeds its limit."""
    most = {"header": f"{limits.header_bytes:,} bytes", "number of headers": f"{limits.headers:,}"}
    bound = most.get(part, f"{limits.head_bytes:,} bytes")
    return Problem(Code.HEAD_TOO_LARGE, f"The {part} of the request exceeds the limit of {bound}: send less.")


def too_long(limits: HeadLimits) -> Problem:
    """The problem of a target that exceeds its limit."""
    return Problem(
        Code.TARGET_TOO_LONG,
        f"The path with its query exceeds the limit of {limits.target_bytes:,} bytes: send long values in the body.",
    )
