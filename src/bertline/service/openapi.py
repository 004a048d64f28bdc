"""Completes the OpenAPI description: security schemes, and the guard's errors for each route that requires a scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from bertline.service.guard.scopes import required_scopes
from bertline.service.problems import STATUS
from bertline.serving.problems import Code

SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token (RFC 9068), or an API key.",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}
REFUSALS = (
    Code.UNAUTHENTICATED, Code.INVALID_CREDENTIALS, Code.INSUFFICIENT_SCOPE, Code.RATE_LIMITED, Code.QUOTA_EXCEEDED,
)  # fmt: skip
OWN_SHAPE = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}


def describing_guard(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """A function for ``FastAPI.openapi``: FastAPI's description with the guard's schemes and errors."""
    plain = app.openapi

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = plain()
            schema.setdefault("components", {})["securitySchemes"] = SCHEMES
            schema["components"]["schemas"].pop("HTTPValidationError", None)
            for path, operations in schema["paths"].items():
                for operation in operations.values():
                    _drop_frameworks_error(operation["responses"])
                scopes = required_scopes(path)
                for operation in operations.values() if scopes is not None else ():
                    _guard(operation, sorted(scopes or ()))
            app.openapi_schema = schema
        return app.openapi_schema

    return describe


def _drop_frameworks_error(responses: dict[str, Any]) -> None:
    """Drop FastAPI's description of its own 422, which no client gets."""
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]


def _guard(operation: dict[str, Any], scopes: list[str]) -> None:
    operation["security"] = [{"bearer": list(scopes)}, {"key": list(scopes)}]
    responses = operation["responses"]
    errors = (one["content"] for status, one in responses.items() if status >= "400" and "content" in one)
    content = next(errors, OWN_SHAPE)  # of the dialect's errors
    for code in REFUSALS:
        answer = responses.setdefault(str(int(STATUS[code])), {"description": "", "content": content})
        known = answer["description"].split(", ") if answer["description"] else []
        answer["description"] = ", ".join([*known, code.value])
