"""While the queue is full: the refusal at once, before a request is read, checked or made a task.

A server that is asked ten times what it can do spends what it has on saying no, unless no is cheap. A refusal after
the body was read, parsed and tokenised costs half a millisecond of the one thread that all requests share; this one
costs a few hundredths. It is the same refusal in the same words, for paths whose queue is known from the path alone.
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
from bertline.service.edge.raw_response import raw_response
from bertline.service.exchange import request_id
from bertline.service.problems import status_of
from bertline.serving.problems import Problem
from bertline.serving.queue import bucket

if TYPE_CHECKING:
    from bertline.serving.serving import Serving
    from bertline.serving.version import Version

log = logging.getLogger(__name__)

OUTPUTS: Mapping[bytes, str] = {path.encode(): output for path, output in SHED.items()}
SAME_S = 0.005  # for which what was found about a queue is taken to hold
# English has 4 to 5 in JSON: a request is taken for shorter than it is, and looked at when in doubt.
BYTES_PER_TOKEN = 6
KEPT = 256  # answers as bytes
LARGEST_BODY = 65_536  # that is read to its end and thrown away, so that the connection can be used again
Headers = Iterable[tuple[bytes, bytes]]


class Shedding:
    """Says no for the models of a server.

    Args:
        serving: whose queues decide. With several models a request is refused here when all of them would refuse it.
        refuse: shapes the answer as the path's dialect has it.
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
        self._found: dict[tuple[str, int], Problem | None] = {}
        self._found_s = 0.0
        self._written: dict[tuple[bytes, str, int], tuple[bytes, bytes]] = {}
        self._tally = Tally(log, "the queue is full: %d requests were rejected before their body was read")

    def answer(self, method: bytes, path: bytes, headers: Headers) -> bytes | None:
        """The whole answer to a request whose head has come, or None where it has to be looked at.

        Pages of another origin (CORS), large bodies and bodies of unknown size take the long way.
        """
        path = path.removeprefix(self._strip)
        output = OUTPUTS.get(path) if method == b"POST" else None
        if output is None:
            return None
        size, named = _plain(headers)
        problem = self._problem(output, size) if size is not None else None
        if problem is None:
            return None
        self._tally.add()
        self._serving.listeners.refused(problem)
        self._on_shed(path.decode(), status_of(problem).value)
        head, body = self._bytes(path, problem)
        return b"%sx-request-id: %s\r\n\r\n%s" % (head, request_id(named).encode(), body)

    def _problem(self, output: str, size: int) -> Problem | None:
        now_s = time.monotonic()
        if now_s - self._found_s > SAME_S:
            self._found.clear()
            self._found_s = now_s
        tokens = size // BYTES_PER_TOKEN
        key = output, bucket(tokens)
        if key not in self._found:
            self._found[key] = self._look(output, tokens)
        return self._found[key]

    def _look(self, output: str, tokens: int) -> Problem | None:
        """The shortest wait that any of the models would have a client told; None while one has room."""
        if not self._serving.ready:
            return None
        refusals = [self._refusal(version, output, tokens) for version in self._serving.models]
        found = [one for one in refusals if one]
        return min(found, key=_again_s) if found and len(found) == len(refusals) else None

    def _refusal(self, version: Version, output: str, tokens: int) -> Problem | None:
        """What one model would have a client told; None if it does not have the output, which is another error."""
        name = version.spec.output if output == ANSWER else output
        return self._serving.scheduler.refusal(version.line(name), tokens) if name in version.outputs else None

    def _bytes(self, path: bytes, problem: Problem) -> tuple[bytes, bytes]:
        """The answer as it goes over the wire; its words change with the wait and the time, so few are ever kept."""
        key = path, problem.message, int(time.time())
        if key not in self._written:
            if len(self._written) >= KEPT:
                self._written.clear()
            self._written[key] = self._write(path, problem)
        return self._written[key]

    def _write(self, path: bytes, problem: Problem) -> tuple[bytes, bytes]:
        scope: Scope = {"type": "http", "method": "POST", "path": path.decode(), "headers": [], "root_path": ""}
        head, body = raw_response(self._refuse(scope, problem))
        return head.removesuffix(b"\r\n"), body


def _again_s(problem: Problem) -> int:
    return int(problem.headers["Retry-After"])


def _plain(headers: Headers) -> tuple[int | None, bytes | None]:
    """Bytes of the body, and what the client calls the request.

    No bytes are told if they are many or nobody said how many, or if a browser waits for headers of its own. Compressed
    bytes do not say how long the texts are, so that such a body counts as the shortest.
    """
    size = named = None
    compressed = False
    for name, value in headers:
        if name == b"content-length":
            size = int(value) if value.isdigit() else None
        elif name == b"x-request-id":
            named = value
        elif name == b"content-encoding":
            compressed = True
        elif name in (b"origin", b"transfer-encoding", b"expect", b"upgrade"):
            return None, None
    if size is None or size > LARGEST_BODY:
        return None, named
    return (0 if compressed else size), named
