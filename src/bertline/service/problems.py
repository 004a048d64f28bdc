"""What can be wrong with a request: one table from code to status, one shape of body.

Every answer that is not a success has the body ``{"error": {"code", "message", "field"}}``. A message names
the field and the limit and never repeats the text that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse


class Code(StrEnum):
    """What went wrong, for programs; the message is for people."""

    MALFORMED_REQUEST = "malformed_request"
    HEAD_TOO_LARGE = "head_too_large"
    TARGET_TOO_LONG = "target_too_long"
    UNSUPPORTED_VERSION = "unsupported_version"
    UNSUPPORTED_TRANSFER_ENCODING = "unsupported_transfer_encoding"
    EXPECTATION_FAILED = "expectation_failed"
    INVALID_JSON = "invalid_json"
    NOT_FOUND = "not_found"
    UNKNOWN_MODEL = "unknown_model"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    UNSUPPORTED_CONTENT_ENCODING = "unsupported_content_encoding"
    INVALID_CONTENT_ENCODING = "invalid_content_encoding"
    NOT_JSON = "not_json"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    CONFLICTING_FIELDS = "conflicting_fields"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    EMPTY_TEXT = "empty_text"
    INVALID_TEXT = "invalid_text"
    TEXT_TOO_LONG = "text_too_long"
    TOO_MANY_TEXTS = "too_many_texts"
    TOO_MANY_TOKENS = "too_many_tokens"
    INVALID_HEADER = "invalid_header"
    UNSUPPORTED = "unsupported"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_CREDENTIALS = "invalid_credentials"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    NOT_LOCAL = "not_local"
    CANNOT_LOAD = "cannot_load"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    OVERLOADED = "overloaded"
    COMPUTE_FAILED = "compute_failed"
    NO_MEMORY = "no_memory"
    WORKER_LOST = "worker_lost"
    DEADLINE = "deadline"
    INTERNAL = "internal"
    NOT_READY = "not_ready"


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


class Problem(Exception):
    """A request that gets an error for an answer."""

    def __init__(
        self, code: Code, message: str, field: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field
        self.headers = dict(headers or {})

    @property
    def status(self) -> HTTPStatus:
        """From the table."""
        return STATUS[self.code]

    def response(self, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """The answer, with its status from the table."""
        detail = ErrorDetail(code=self.code, message=self.message, field=self.field)
        return JSONResponse(
            ErrorBody(error=detail).model_dump(mode="json"),
            status_code=self.status,
            headers={"Cache-Control": "no-store", **self.headers, **(headers or {})},
        )
