"""The headers of W3C Trace Context, level 2.

OpenTelemetry's own parser takes many times as long for an untraced request, and logs the caller's input. A test
compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

SAMPLED, RANDOM = 0x01, 0x02  # flags (sections 2.2.2 and 2.2.3)
MOST_MEMBERS = 32  # of a tracestate (section 3.3.1.1)
MOST_STATE_CHARS = 512  # that have to be passed on (section 3.3.1.5); a longer one is dropped
MOST_PARENT_CHARS = 512

_PARENT = re.compile(rb"[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*|[ \t]*)")
_KEY = r"[a-z][_0-9a-z*/-]{0,255}|[a-z0-9][_0-9a-z*/-]{0,240}@[a-z][_0-9a-z*/-]{0,13}"
_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER = re.compile(f"({_KEY})=({_VALUE})")


class SpanContext(NamedTuple):
    """A span and its trace."""

    trace_id: int  # 128 bits, not 0
    span_id: int  # 64 bits, not 0
    flags: int  # ``SAMPLED``, ``RANDOM``
    state: tuple[tuple[str, str], ...] = ()  # of other tracing systems, passed on unchanged

    @property
    def sampled(self) -> bool:
        """Whether its spans are recorded."""
        return bool(self.flags & SAMPLED)

    @property
    def ids(self) -> tuple[str, str]:
        """Trace and span id in hexadecimal.

        >>> SpanContext(1, 2, SAMPLED).ids
        ('00000000000000000000000000000001', '0000000000000002')
        """
        return f"{self.trace_id:032x}", f"{self.span_id:016x}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of an outgoing request.

        >>> SpanContext(1, 2, SAMPLED, (("vendor", "x"),)).headers["tracestate"]
        'vendor=x'
        """
        trace_id, span_id = self.ids
        headers = {"traceparent": f"00-{trace_id}-{span_id}-{self.flags:02x}"}
        if self.state:
            headers["tracestate"] = ",".join(f"{key}={value}" for key, value in self.state)
        return headers


def read_parent(traceparent: Sequence[bytes]) -> SpanContext | None:
    """The caller's span, without its state; None if the header is missing, repeated or malformed (section 3.2).

    >>> read_parent([b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]).sampled
    True
    """
    if len(traceparent) != 1 or len(traceparent[0]) > MOST_PARENT_CHARS:
        return None
    match = _PARENT.fullmatch(traceparent[0])
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    # Version ff is invalid; only later versions have more after the flags.
    if version == b"ff" or (version == b"00" and more.startswith(b"-")):
        return None
    context = SpanContext(int(trace_id, 16), int(span_id, 16), int(flags, 16) & (SAMPLED | RANDOM))
    return context if context.trace_id and context.span_id else None


def read_state(tracestate: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
    """Keys and values of all headers together; none of them if one is malformed (section 3.3).

    >>> read_state([b"a=1, b=2", b"c=3"])
    (('a', '1'), ('b', '2'), ('c', '3'))
    """
    text = b",".join(tracestate).decode("latin-1")
    if not text or len(text) > MOST_STATE_CHARS:
        return ()
    pairs: dict[str, str] = {}
    for member in text.split(","):
        member = member.strip(" \t")
        if not member:
            continue
        match = _MEMBER.fullmatch(member)
        if match is None or match[1] in pairs:
            return ()
        pairs[match[1]] = match[2]
    return tuple(pairs.items()) if len(pairs) <= MOST_MEMBERS else ()
