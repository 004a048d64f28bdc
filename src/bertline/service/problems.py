"""What HTTP makes of a problem: one table from code to status, one shape of body.

Every answer that is not a success has the body ``{"error": {"code", "message", "field"}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

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


class ErrorDetail(BaseModel):
    """What is wrong, where, and what to do."""

    code: Code = Field(description="Stable name of the problem, for programs.")
    message: str = Field(description="One sentence for people: what is wrong, and the limit or the remedy.")
    field: str | None = Field(description="The field it is about, as in texts[3]; null if it is about none.")


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorDetail


def status_of(problem: Problem) -> HTTPStatus:
    """From the table."""
    return STATUS[problem.code]


def response_of(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer, with its status from the table."""
    detail = ErrorDetail(code=problem.code, message=problem.message, field=problem.field)
    return JSONResponse(
        ErrorBody(error=detail).model_dump(mode="json"),
        status_code=status_of(problem),
        headers={"Cache-Control": "no-store", **problem.headers, **(headers or {})},
    )
