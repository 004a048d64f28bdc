"""What stands before the framework: guard, limits, bounds on bodies, and the short way to the hot routes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bertline.monitoring.logs.error_path import path_of
from bertline.service.edge.body_limit import BodyLimit
from bertline.service.edge.http1.cycle import WHOLE_RESPONSE
from bertline.service.edge.prefix import relative, restore
from bertline.service.exchange import Exchange, current
from bertline.service.front import Refuse
from bertline.service.guard.door import Guard
from bertline.service.hot_routes import HotRoutes
from bertline.service.limits.door import ledger_of, small
from bertline.service.limits.ledger import Ledger, Ledgers, answer_again
from bertline.service.problems import response_of
from bertline.service.rollout_key import key_of
from bertline.serving.problems import Code, Problem
from bertline.serving.route import ROUTE, ChallengerFailed, Route

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What a request has to pass.

    Attributes:
        guard: says who asks.
        limits: of all clients.
        body: bounds.
        hot: answers what needs no framework.
        refuse: shapes a response as the path's dialect has it.
        on_rejected: is told of each request that the guard rejects.
        on_refused: is told of each that limits or bounds refuse.
    """

    guard: Guard = field(default_factory=Guard)
    limits: Ledgers | None = None
    body: BodyLimit = field(default_factory=lambda: BodyLimit(4 * 2**20, 20.0))
    hot: HotRoutes | None = None
    refuse: Refuse = lambda _, problem: response_of(problem)
    on_rejected: Callable[[Problem], None] = lambda _: None
    on_refused: Callable[[Problem], None] = lambda _: None


class Admission:
    """ASGI app inside ``Front``, around the framework."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app, self._doors = app, doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the request answered, or refuse it; an error that nobody foresaw is a 500 that says nothing."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = current()
        assert exchange is not None, "Front stands before this"
        try:
            await self._enter(exchange, scope, receive, send)
        except Exception as error:
            response = _unexpected(exchange, scope, error)
            if exchange.status:
                raise RuntimeError(f"request {exchange.id} failed halfway") from None
            await response(scope, receive, send)

    async def _enter(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        doors = self._doors
        try:
            await doors.guard.admit(scope)
        except Problem as problem:
            doors.on_rejected(problem)
            await doors.refuse(scope, problem)(scope, receive, send)
            return
        ledger = exchange.ledger = ledger_of(doors.limits, scope)
        if ledger is None:
            await self._read(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *ledger.fields()]
            await send(message)

        try:
            await self._pay(ledger, scope, receive, counted)
        finally:
            await ledger.leave(exchange.status)

    async def _pay(self, ledger: Ledger, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await ledger.enter()
        except Problem as problem:
            await self._refusal(scope, problem, close=not small(scope))(scope, receive, send)
            return
        await self._read(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._doors.body.collect(scope, receive)
        except Problem as problem:
            # What is left of the body is not read, so the connection cannot be used again.
            await self._refusal(scope, problem, close=True)(scope, receive, send)
            return
        if body["type"] == "http.disconnect":
            return
        asked = scope["path"]
        restore(scope)
        route = Route(lambda: key_of(scope))
        token = ROUTE.set(route)
        try:
            await self._respond(asked, body, scope, receive, send)
        except ChallengerFailed:  # nothing was sent yet, and the route leads to the champion now
            answer_again()
            await self._respond(asked, body, scope, receive, send)
        finally:
            ROUTE.reset(token)
            route.release()

    async def _respond(self, asked: str, body: Message, scope: Scope, receive: Receive, send: Send) -> None:
        hot = self._doors.hot
        response = await hot.answer(scope, body["body"]) if hot is not None else None
        if response is not None:
            if WHOLE_RESPONSE in scope.get("extensions", ()):
                start = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
                await send({**start, "body": response.body})
            else:
                await response(scope, receive, send)
            return
        unread = [body]

        async def receiving() -> Message:
            return unread.pop() if unread else await receive()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and 300 <= message["status"] < 400:
                message["headers"] = relative(asked, message.get("headers", ()))
            await send(message)

        await self._app(scope, receiving, sending)

    def _refusal(self, scope: Scope, problem: Problem, *, close: bool) -> Response:
        self._doors.on_refused(problem)
        response = self._doors.refuse(scope, problem)
        if close:
            response.headers["Connection"] = "close"
        return response


def _unexpected(exchange: Exchange, scope: Scope, error: Exception) -> Response:
    """Log the kind of the error and the lines of code it went through, never its message.

    Messages of libraries like to quote their input, and the input is somebody's text.
    """
    route = getattr(scope.get("route"), "path", "(unknown path)")  # not the path, which anybody may make up
    log.error("request %s, %s %s: %s", exchange.id, scope["method"], route, path_of(error))
    message = f"The server failed on this request; its log has the details under {exchange.id}."
    return response_of(Problem(Code.INTERNAL, message), {"X-Request-Id": exchange.id})
