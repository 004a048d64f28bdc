"""The framework's own errors as problems: unknown routes, and bodies that do not parse or validate."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bertline.service.problems import response_of
from bertline.service.route_table import methods_of
from bertline.serving.problems import Code, Problem

LONGEST_SHOWN_NAME = 60
NOT_WHOLE = Problem(Code.INVALID_JSON, "The body is incomplete: send it again.")
_TYPES = {
    "string_type": "a string",
    "int_type": "a whole number",
    "list_type": "a list of strings",
    "model_attributes_type": "a JSON object",
    "model_type": "a JSON object",
    "dict_type": "a JSON object",
}


def register(app: FastAPI) -> None:
    """Answer every error of the framework in the service's own dialect."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _counted(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _counted(request, problem_of(error.errors(), _known_fields(request)))


def _counted(request: Request, problem: Problem) -> Response:
    request.app.state.serving.listeners.refused(problem)
    return response_of(problem)


def _known_fields(request: Request) -> list[str]:
    """The fields of the body that this route accepts."""
    field = getattr(request.scope.get("route"), "body_field", None)
    model = getattr(getattr(field, "field_info", None), "annotation", None)
    return list(getattr(model, "model_fields", ()))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known: dict[int, Callable[[Request], Problem]] = {400: _unreadable, 405: _wrong_method}
    headers = dict(error.headers or {})
    if error.status_code == 405:  # the framework names only the methods of the first route (RFC 9110, 10.2.1)
        headers["Allow"] = ", ".join(methods_of(request.app.routes, request.scope))
    # Any other error is treated as an unknown path, for example an unreadable file.
    return response_of(known.get(error.status_code, _no_such_path)(request), headers)


def problem_of(errors: Sequence[Mapping[str, Any]], known: Sequence[str] = ()) -> Problem:
    """The first of pydantic's errors as a problem.

    Args:
        errors: not empty.
        known: valid fields, for a suggestion.
    """
    first = errors[0]
    kind, place = first["type"], first["loc"][1:]
    field = field_name(place)
    if kind == "missing" and not place:
        return Problem(Code.MISSING_FIELD, 'The body is empty: send {"text": "…"} as JSON.', "text")
    if kind == "missing":
        return Problem(Code.MISSING_FIELD, f"{field} is missing: send it.", field)
    if kind == "string_too_short":
        return Problem(Code.OUT_OF_RANGE, f"{field} is empty: name something.", field)
    if kind == "extra_forbidden":
        return _unknown_field(place, known)
    if kind == "greater_than_equal":
        least = first["ctx"]["ge"]
        return Problem(Code.OUT_OF_RANGE, f"{field} must be at least {least}.", field)
    if kind == "less_than_equal":
        return Problem(Code.OUT_OF_RANGE, f"{field} must be at most {first['ctx']['le']}.", field)
    if kind == "literal_error":
        return Problem(Code.WRONG_TYPE, f"{field} must be {first['ctx']['expected']}.", field)
    if kind == "too_short":
        return Problem(Code.OUT_OF_RANGE, f"{field} is an empty list: send at least one entry.", field)
    if kind == "too_long":
        return Problem(Code.OUT_OF_RANGE, f"{field} must have at most {first['ctx']['max_length']:,} entries.", field)
    wanted = _TYPES.get(kind, "of another type")
    return Problem(Code.WRONG_TYPE, f"{field or 'The body'} must be {wanted}.", field)


def field_name(place: Sequence[str | int]) -> str | None:
    """The path of a field in the body, as people write it.

    >>> field_name(("texts", 3))
    'texts[3]'
    """
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    return name or None


def _unknown_field(place: Sequence[str | int], known: Sequence[str]) -> Problem:
    name = field_name(place) or ""
    shown = name if len(name) <= LONGEST_SHOWN_NAME else f"{name[:LONGEST_SHOWN_NAME]}…"
    near = difflib.get_close_matches(shown, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"valid names are {', '.join(known) or 'none'}."
    return Problem(Code.UNKNOWN_FIELD, f"There is no field {shown}: {hint}", shown)


def _unreadable(request: Request) -> Problem:
    return NOT_WHOLE


def _wrong_method(request: Request) -> Problem:
    return Problem(Code.METHOD_NOT_ALLOWED, f"{request.url.path} does not take {request.method}: see {_docs(request)}.")


def _no_such_path(request: Request) -> Problem:
    return Problem(Code.NOT_FOUND, f"There is nothing at this path: see {_docs(request)} for the ones that answer.")


def _docs(request: Request) -> str:
    """The path of the API reference, with the prefix of a proxy."""
    scope = request.scope
    prefix: str = scope.get("app_root_path", scope.get("root_path", ""))  # a mount has changed root_path
    return f"{prefix}/docs"
