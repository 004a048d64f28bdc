"""Errors of requests, independent of the protocol: a code for programs, a sentence for people.

A message names the field and the limit, and never repeats the client's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Code(StrEnum):
    """The kind of a problem, for programs; the message is for people."""

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
    OTHER_TASK = "other_task"
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


class Problem(Exception):
    """The error that a request gets as its response."""

    def __init__(
        self, code: Code, message: str, field: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field
        self.headers = dict(headers or {})
