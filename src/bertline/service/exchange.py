"""One request and its response: whoever learns something writes it here; log, metrics, traces and limits read it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random, SystemRandom
from time import perf_counter
from typing import TYPE_CHECKING

from starlette.types import Scope

from bertline.serving.scheduler import ORIGIN

if TYPE_CHECKING:
    from bertline.monitoring.traces.context import SpanContext
    from bertline.serving.answered import Answered

METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})  # that log and metrics name
# Neither a dot nor an @: a JWT or an address is never taken for an identifier.
SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_:=+/-]{0,127}")
_draw = Random(SystemRandom().getrandbits(256)).getrandbits  # an id need not be secret; the system's numbers cost more


@dataclass(slots=True, eq=False)
class Exchange:
    """One request.

    Attributes:
        scope: ASGI's, as the app has it.
        id: that the client sent in X-Request-Id or that it got.
        began_s: when its head was there, on the clock of ``perf_counter``.
        user_agent: as it was sent.
        wants_texts: this is one of the requests whose texts are logged.
        texts: the first ones, where they are wanted; as they were sent, not yet redacted.
        answered: by which version, how many tokens, where the time went.
        answered_s: when.
        error_code: of the problem that the response names.
        span: of this request, or of a trusted caller that does not have it traced; None outside all traces.
        trace: a ``RequestTrace``, which becomes its spans; None if it is not traced.
        ledger: a ``Ledger`` of its client; None where no limits are set.
        status: of the response; 0 before it begins.
        started_s: when the response began.
        received_bytes: of the request's body.
        sent_bytes: of the response's body.
        finished: the response was sent to its end.
        failed: an error came through that nobody foresaw.
    """

    scope: Scope
    id: str
    began_s: float
    user_agent: bytes = b""
    wants_texts: bool = False
    texts: Sequence[str] = ()
    answered: Answered | None = None
    answered_s: float = 0.0
    error_code: str | None = None
    span: SpanContext | None = None
    trace: object = None
    ledger: object = None
    status: int = 0
    started_s: float = 0.0
    received_bytes: int = 0
    sent_bytes: int = 0
    finished: bool = False
    failed: bool = False

    @classmethod
    def of(cls, scope: Scope) -> Exchange:
        """It begins."""
        user_agent, given = b"", b""
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value
            elif name == b"user-agent":
                user_agent = value
        return cls(scope, request_id(given), perf_counter(), user_agent)


def current() -> Exchange | None:
    """The exchange in whose course this is called."""
    origin = ORIGIN.get()
    return origin if isinstance(origin, Exchange) else None


def log_context() -> Mapping[str, str]:
    """Which request it is, for every line that is logged in its course."""
    exchange = current()
    if exchange is None:
        return {}
    if exchange.span is None:
        return {"http.request.id": exchange.id}
    trace_id, span_id = exchange.span.ids
    return {"http.request.id": exchange.id, "trace.id": trace_id, "transaction.id": span_id}


def outgoing_headers() -> dict[str, str]:
    """What a request to another server needs so that it belongs to the same trace."""
    exchange = current()
    return {} if exchange is None or exchange.span is None else exchange.span.headers


def request_id(given: bytes | None) -> str:
    """What a request is called: as its client says, if that is fit for a log, else by a number of ours."""
    return given.decode() if given and SANE_ID.fullmatch(given) else f"{_draw(128):032x}"
