"""The JSON body of a request: read in one way on every route, and every fault a problem."""

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
    """The value of a body, or of a part of one.

    Raises:
        Problem: it is not JSON, or a string in it is not Unicode.
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
    """A request whose JSON is read by ``json_value``, by whoever reads it first."""

    fault: Problem | None = None

    @classmethod
    def read(cls, scope: Scope, value: Any) -> JsonRequest:
        """One whose body has been read."""
        request = cls(scope)
        request._value = value
        return request

    async def json(self) -> Any:
        """The value of the body.

        Raises:
            Problem: as ``json_value``; it is kept in ``fault``, too.
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
        """The framework's handler; it makes an answer of its own of whatever a body raises, which is undone here."""
        handle: Any = super().get_route_handler()

        async def answer(request: Request) -> Any:
            asked = request if isinstance(request, JsonRequest) else JsonRequest(request.scope, request.receive)
            try:
                return await handle(asked)
            except HTTPException:
                if asked.fault is not None:
                    raise asked.fault from None
                raise

        return answer
