"""Problems as HTTP errors: the status of each code, and how each dialect writes an error.

In the service's own dialect, every error has the body ``{"error": {"code", "message", "field"}}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from bertline.serving.problems import Code, Problem

STATUS: Mapping[Code, HTTPStatus] = {
    Code.MALFORMED_REQUEST: HTTPStatus.BAD_REQUEST,
    Code.HEAD_TOO_LARGE: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    Code.TARGET_TOO_LONG: HTTPStatus.REQUEST_URI_TOO_LONG,
    Code.UNSUPPORTED_VERSION: HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
    Code.UNSUPPORTED_TRANSFER_ENCODING: HTTPStatus.NOT_IMPLEMENTED,
    Code.EXPECTATION_FAILED: HTTPStatus.EXPECTATION_FAILED,
    Code.INVALID_JSON: HTTPStatus.BAD_REQUEST,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_MODEL: HTTPStatus.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.BODY_TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    Code.UNSUPPORTED_CONTENT_ENCODING: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.INVALID_CONTENT_ENCODING: HTTPStatus.BAD_REQUEST,
    Code.NOT_JSON: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.MISSING_FIELD: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.UNKNOWN_FIELD: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.CONFLICTING_FIELDS: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.WRONG_TYPE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.OUT_OF_RANGE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.EMPTY_TEXT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.INVALID_TEXT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.TEXT_TOO_LONG: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.TOO_MANY_TEXTS: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.TOO_MANY_TOKENS: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.INVALID_HEADER: HTTPStatus.BAD_REQUEST,
    Code.UNSUPPORTED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.OTHER_TASK: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.INVALID_CREDENTIALS: HTTPStatus.UNAUTHORIZED,
    Code.INSUFFICIENT_SCOPE: HTTPStatus.FORBIDDEN,
    Code.NOT_LOCAL: HTTPStatus.FORBIDDEN,
    Code.CANNOT_LOAD: HTTPStatus.CONFLICT,
    Code.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.QUOTA_EXCEEDED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.OVERLOADED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.COMPUTE_FAILED: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.NO_MEMORY: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.WORKER_LOST: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.DEADLINE: HTTPStatus.GATEWAY_TIMEOUT,
    Code.NOT_READY: HTTPStatus.SERVICE_UNAVAILABLE,
}


Responses = dict[int | str, dict[str, Any]]  # of a route, by status, as FastAPI takes them
UNCACHED = {"Cache-Control": "no-store"}


class ErrorDetail(BaseModel):
    """The fault, its place and the remedy."""

    code: Code = Field(description="Stable name of the problem, for programs.")
    message: str = Field(description="One sentence for people: the fault, and the limit or the remedy.")
    field: str | None = Field(description="The field at fault, as in texts[3]; null if it is no single field.")


class ErrorBody(BaseModel):
    """The body of every error response."""

    error: ErrorDetail


@dataclass(frozen=True, slots=True)
class Dialect:
    """The errors of one server's API.

    Attributes:
        shape: of an error's body.
        body: the body for a problem.
        names: the dialect's own names of codes, for descriptions.
        statuses: where they differ from ``STATUS``.
        headers: of every error response.
    """

    shape: type[BaseModel]
    body: Callable[[Problem], BaseModel]
    names: Mapping[Code, str] = field(default_factory=dict)
    statuses: Mapping[Code, HTTPStatus] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=lambda: UNCACHED)

    def status_of(self, code: Code) -> HTTPStatus:
        """The status of a problem with this code."""
        return self.statuses.get(code, STATUS[code])

    def refuse(self, problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """The response for a problem."""
        content = self.body(problem).model_dump(mode="json")
        all_headers = {**self.headers, **problem.headers, **(headers or {})}
        return JSONResponse(content, self.status_of(problem.code), all_headers)

    def answers(self, *codes: Code) -> Responses:
        """The error responses of a route for its OpenAPI description."""
        return merged(self._answer(code) for code in codes)

    def _answer(self, code: Code) -> Responses:
        # ``Admission`` answers an unexpected error outside of the route, in the service's own dialect.
        said = OWN if code is Code.INTERNAL else self
        return {int(said.status_of(code)): {"model": said.shape, "description": said.names.get(code, code.value)}}


def merged(parts: Iterable[Responses]) -> Responses:
    """The responses of all parts: under one status, a union of their shapes and a list of their names."""
    responses: Responses = {}
    for status, one in (pair for part in parts for pair in part.items()):
        known = responses.setdefault(status, {**one, "description": ""})
        known["model"] |= one["model"]  # a union of one is that one
        names = [*known["description"].split(", "), *one["description"].split(", ")]
        known["description"] = ", ".join(dict.fromkeys(name for name in names if name))
    return responses


def _own_body(problem: Problem) -> ErrorBody:
    return ErrorBody(error=ErrorDetail(code=problem.code, message=problem.message, field=problem.field))


OWN = Dialect(ErrorBody, _own_body)
response_of = OWN.refuse
