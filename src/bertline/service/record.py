"""What a request turned out to be, gathered while it is answered, for the line that the log has of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bertline.serving.answered import Answered

# Neither a dot nor an @: a JWT or an address is never taken for an identifier.
SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_:=+/-]{0,127}")


@dataclass(slots=True)
class RequestRecord:
    """One request; whoever learns something of it writes it here.

    Attributes:
        id: that the client sent in X-Request-Id or that it got.
        wants_texts: this is one of the requests whose texts are logged.
        answered: by which version, how many tokens, where the time went.
        answered_s: when, on the clock of ``perf_counter``.
        error_code: of the problem that the answer names.
        trace_id: 32 hexadecimal digits.
        span_id: of the request's span, 16 hexadecimal digits.
        texts: the first ones, where they are wanted; as they were sent, not yet redacted.
    """

    id: str
    wants_texts: bool = False
    answered: Answered | None = None
    answered_s: float = 0.0
    error_code: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    texts: Sequence[str] = ()


_current: ContextVar[RequestRecord | None] = ContextVar("request_record", default=None)
enter, leave = _current.set, _current.reset


def current() -> RequestRecord | None:
    """The record of the request in whose course this is called."""
    return _current.get()


def log_context() -> Mapping[str, str]:
    """Which request it is, for every line that is logged in its course."""
    record = _current.get()
    if record is None:
        return {}
    known = {"http.request.id": record.id, "trace.id": record.trace_id, "transaction.id": record.span_id}
    return {name: value for name, value in known.items() if value}


def note_trace(ids: tuple[str, str] | None) -> None:
    """It is part of this trace, and of this span of it."""
    record = _current.get()
    if record is not None and ids is not None:
        record.trace_id, record.span_id = ids


def request_id(given: bytes | None) -> bytes:
    """What a request is called: as its client says, if that is fit for a log, else by a number of ours."""
    return given if given and SANE_ID.fullmatch(given) else secrets.token_hex(16).encode()
