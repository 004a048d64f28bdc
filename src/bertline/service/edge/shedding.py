"""Load shedding: rejects requests from their head alone while the queue is full.

A server under ten times its capacity spends all of it on rejections, unless they are cheap. A rejection after reading,
parsing and tokenising costs half a millisecond of the one thread that all requests share; this one costs a few
hundredths. The response is the same, for paths whose queue is known from the path alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.types import Scope

from bertline.monitoring.addresses import ANSWER, SHED
from bertline.monitoring.logs.tally import Tally
from bertline.service.edge.http1.raw_response import raw_response
from bertline.service.exchange import request_id
from bertline.service.problems import STATUS
from bertline.serving.problems import Problem
from bertline.serving.queue import bucket

if TYPE_CHECKING:
    from bertline.serving.serving import Serving
    from bertline.serving.version import Version

log = logging.getLogger(__name__)

OUTPUTS: Mapping[bytes, str] = {path.encode(): output for path, output in SHED.items()}
CACHE_S = 0.005  # how long the state of a queue is reused
# English has 4 to 5 in JSON: requests are underestimated, and so accepted when in doubt.
BYTES_PER_TOKEN = 6
MOST_CACHED = 256  # encoded responses
LARGEST_BODY = 65_536  # that is read and discarded, so that the connection can be reused
Headers = Iterable[tuple[bytes, bytes]]


class Shedding:
    """Rejects requests to the models of a server.

    Args:
        serving: with the queues. With several models a request is shed if all of them would refuse it.
        refuse: creates the response in the dialect of a path.
        strip: prefix that a proxy leaves in paths.
        on_shed: receives the route and the status of each response.
    """

    def __init__(
        self,
        serving: Serving,
        refuse: Callable[[Scope, Problem], Response],
        strip: str = "",
        on_shed: Callable[[str, int], None] = lambda route, status: None,
    ) -> None:
        self._serving, self._refuse, self._strip, self._on_shed = serving, refuse, strip.encode(), on_shed
        self._problems: dict[tuple[str, int], Problem | None] = {}
        self._problems_s = 0.0
        self._responses: dict[tuple[bytes, str, int], tuple[bytes, bytes]] = {}
        self._tally = Tally(log, "the queue is full: %d requests were rejected before their body was read")

    def answer(self, method: bytes, path: bytes, headers: Headers) -> bytes | None:
        """The whole response to a request from its head, or None to accept it.

        Cross-origin requests (CORS), large bodies and bodies of unknown size are not shed.
        """
        path = path.removeprefix(self._strip)
        output = OUTPUTS.get(path) if method == b"POST" else None
        if output is None:
            return None
        size, id = _size_and_id(headers)
        problem = self._problem(output, size) if size is not None else None
        if problem is None:
            return None
        self._tally.add()
        self._serving.listeners.refused(problem)
        self._on_shed(path.decode(), STATUS[problem.code].value)
        head, body = self._bytes(path, problem)
        return b"%sx-request-id: %s\r\n\r\n%s" % (head, request_id(id).encode(), body)

    def _problem(self, output: str, size: int) -> Problem | None:
        now_s = time.monotonic()
        if now_s - self._problems_s > CACHE_S:
            self._problems.clear()
            self._problems_s = now_s
        tokens = size // BYTES_PER_TOKEN
        key = output, bucket(tokens)
        if key not in self._problems:
            self._problems[key] = self._shortest_refusal(output, tokens)
        return self._problems[key]

    def _shortest_refusal(self, output: str, tokens: int) -> Problem | None:
        """The refusal with the shortest wait; None while a model has room."""
        if not self._serving.ready:
            return None
        each = [self._refusal(version, output, tokens) for version in self._serving.models]
        refusals = [one for one in each if one]
        if not refusals or len(refusals) < len(each):
            return None
        return min(refusals, key=lambda one: int(one.headers["Retry-After"]))

    def _refusal(self, version: Version, output: str, tokens: int) -> Problem | None:
        """The refusal of one model; None if it has room, or lacks the output, which is another error."""
        name = version.spec.output if output == ANSWER else output
        return self._serving.scheduler.refusal(version.line(name), tokens) if name in version.outputs else None

    def _bytes(self, path: bytes, problem: Problem) -> tuple[bytes, bytes]:
        """Head and body of the response, cached; its text changes with the wait and the time."""
        key = path, problem.message, int(time.time())
        if key not in self._responses:
            if len(self._responses) >= MOST_CACHED:
                self._responses.clear()
            scope: Scope = {"type": "http", "method": "POST", "path": path.decode(), "headers": [], "root_path": ""}
            head, body = raw_response(self._refuse(scope, problem))
            self._responses[key] = head.removesuffix(b"\r\n"), body
        return self._responses[key]


def _size_and_id(headers: Headers) -> tuple[int | None, bytes | None]:
    """Bytes of the body, and X-Request-Id.

    The size is None if it is large or unknown, or if a browser needs CORS headers. A compressed size does not tell the
    length of the texts, so it counts as 0.
    """
    size = id = None
    is_compressed = False
    for name, value in headers:
        if name == b"content-length":
            size = int(value) if value.isdigit() else None
        elif name == b"x-request-id":
            id = value
        elif name == b"content-encoding":
            is_compressed = True
        elif name in (b"origin", b"transfer-encoding", b"expect", b"upgrade"):
            return None, None
    if size is None or size > LARGEST_BODY:
        return None, id
    return (0 if is_compressed else size), id
