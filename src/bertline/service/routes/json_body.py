"""The JSON body of a request: one parser for all routes, and a problem for every fault."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Scope

from bertline.data.json_text import JsonFault, LoneSurrogate, decoded, parse
from bertline.service.refusals import field_name
from bertline.serving.problems import Code, Problem


def json_value(body: bytes) -> Any:
    """The JSON value of a body.

    Raises:
        Problem: it is not JSON, or contains a lone surrogate.
    """
    try:
        return parse(decoded(body))
    except LoneSurrogate as fault:
        raise _not_unicode(fault) from None
    except JsonFault as fault:
        raise Problem(Code.INVALID_JSON, f"The body is not valid JSON: {fault}.") from None


def _not_unicode(fault: LoneSurrogate) -> Problem:
    field = field_name(fault.path)
    if fault.character is None:
        where = f"The name of a field in {field or 'the body'} has half a surrogate pair"
    else:
        where = f"{field or 'The body'} has half a surrogate pair at character {fault.character:,}"
    return Problem(Code.INVALID_TEXT, f"{where}: send whole characters.", field)


class JsonRequest(Request):
    """A request whose JSON is parsed once, by ``json_value``."""

    fault: Problem | None = None

    @classmethod
    def read(cls, scope: Scope, value: Any) -> JsonRequest:
        """A request with a parsed body."""
        request = cls(scope)
        request._value = value
        return request

    async def json(self) -> Any:
        """The value of the body.

        Raises:
            Problem: as ``json_value``; it is also stored in ``fault``.
        """
        if self.fault is not None:
            raise self.fault
        if not hasattr(self, "_value"):
            try:
                self._value = json_value(await self.body())
            except Problem as problem:
                self.fault = problem
                raise
        return self._value


class JsonRoute(APIRoute):
    """A route whose handler gets a ``JsonRequest``."""

    def get_route_handler(self) -> Any:
        """FastAPI's handler, which replaces errors of the body by its own; this one raises them again."""
        handle: Any = super().get_route_handler()

        async def answer(request: Request) -> Any:
            parsing = request if isinstance(request, JsonRequest) else JsonRequest(request.scope, request.receive)
            try:
                return await handle(parsing)
            except HTTPException:
                if parsing.fault is not None:
                    raise parsing.fault from None
                raise

        return answer
