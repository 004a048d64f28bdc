"""How TEI answers: scores, vectors, errors with their kind, and headers that say what an answer took."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic_core import to_json
from starlette.responses import JSONResponse, Response

from bertline.service.problems import STATUS, ErrorBody
from bertline.service.routes.context import answer_headers, dialect
from bertline.service.routes.tei.schema import ErrorType, TeiError, TeiScore
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.statistics.activation import Activation, normalised

Function = Activation | Literal["none"]
EmbeddingRows = Float[np.ndarray[Any, Any], "texts hidden"]

# Which of TEI's kinds each problem is. It keeps its status, but for the kinds that TEI has another one for.
KINDS: Mapping[Code, ErrorType] = {
    **dict.fromkeys(
        (
            Code.INVALID_JSON, Code.NOT_FOUND, Code.UNKNOWN_MODEL, Code.METHOD_NOT_ALLOWED, Code.BODY_TOO_LARGE,
            Code.BODY_TOO_SLOW, Code.UNSUPPORTED_CONTENT_ENCODING, Code.INVALID_CONTENT_ENCODING,
            Code.NOT_JSON, Code.MISSING_FIELD, Code.UNKNOWN_FIELD, Code.CONFLICTING_FIELDS,
            Code.WRONG_TYPE, Code.OUT_OF_RANGE, Code.TEXT_TOO_LONG, Code.TOO_MANY_TEXTS,
            Code.TOO_MANY_TOKENS, Code.INVALID_HEADER, Code.UNSUPPORTED, Code.NOT_LOCAL, Code.CANNOT_LOAD,
            Code.UNAUTHENTICATED, Code.INVALID_CREDENTIALS, Code.INSUFFICIENT_SCOPE, Code.MALFORMED_REQUEST,
            Code.HEAD_TOO_LARGE, Code.TARGET_TOO_LONG, Code.UNSUPPORTED_VERSION, Code.UNSUPPORTED_TRANSFER_ENCODING,
            Code.EXPECTATION_FAILED,
        ),
        "Validation",
    ),
    Code.EMPTY_TEXT: "Empty",
    Code.INVALID_TEXT: "Tokenizer",
    Code.OVERLOADED: "Overloaded",
    Code.RATE_LIMITED: "Overloaded",
    Code.QUOTA_EXCEEDED: "Overloaded",
    Code.DEADLINE: "Overloaded",
    Code.COMPUTE_FAILED: "Backend",
    Code.OTHER_TASK: "Backend",
    Code.NO_MEMORY: "Backend",
    Code.WORKER_LOST: "Backend",
    Code.INTERNAL: "Backend",
    Code.NOT_READY: "Unhealthy",
}  # fmt: skip
STATUS_OF_KIND: Mapping[ErrorType, int] = {"Backend": 424, "Empty": 400}
# Too much in one request: TEI's description calls it "Batch size error", and its clients split the request at a 413.
STATUS_OF_CODE: Mapping[Code, int] = dict.fromkeys((Code.TOO_MANY_TEXTS, Code.TOO_MANY_TOKENS, Code.TEXT_TOO_LONG), 413)
# Answered after a route failed, when nobody knows any more whose client asks, so in the service's own shape.
OUTSIDE_ROUTES = frozenset({Code.INTERNAL})


class TeiProblem(Problem):
    """A problem whose kind is not the one of its code."""

    def __init__(self, kind: ErrorType, code: Code, message: str, field: str | None = None) -> None:
        super().__init__(code, message, field)
        self.kind = kind


def status_of(kind: ErrorType, code: Code) -> int:
    """The status of a problem, as TEI's router maps its kinds (``router/src/http/server.rs``)."""
    return STATUS_OF_KIND.get(kind) or STATUS_OF_CODE.get(code) or int(STATUS[code])


def refuse(problem: Problem) -> Response:
    """The answer to a request that has a problem."""
    kind = problem.kind if isinstance(problem, TeiProblem) else KINDS[problem.code]
    return JSONResponse(
        TeiError(error=problem.message, error_type=kind).model_dump(),
        status_code=status_of(kind, problem.code),
        headers={"Cache-Control": "no-store", **problem.headers},
    )


TeiRoute = dialect(refuse)


def tei_errors(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for its OpenAPI description, given what may happen."""
    own: dict[int | str, set[str]] = {}
    found: dict[int | str, set[str]] = {}
    for code in codes:
        kind = KINDS[code]
        if code in OUTSIDE_ROUTES:
            own.setdefault(int(STATUS[code]), set()).add(code)
        else:
            found.setdefault(status_of(kind, code), set()).add(kind)
    return {
        **{status: {"model": ErrorBody, "description": ", ".join(sorted(one))} for status, one in own.items()},
        **{status: {"model": TeiError, "description": ", ".join(sorted(one))} for status, one in found.items()},
    }


def scores(answered: Answered, function: Function | None) -> list[list[float]]:
    """Of each text, each label's, in the model's order: what HF's servers give for the checkpoint, not calibrated.

    Args:
        answered: of ``Serving.compute``, its logits.
        function: from logits to scores; None is the checkpoint's.
    """
    if function == "none":
        return [row.tolist() for row in answered.rows]
    return answered.probabilities(calibrated=False, activation=function)


def listed(labels: Sequence[str], shares: Sequence[float]) -> list[TeiScore]:
    """Every label with its score, the highest first."""
    found = [TeiScore(score=share, label=label) for label, share in zip(labels, shares, strict=True)]
    return sorted(found, key=lambda one: -one.score)


def shortened(
    rows: EmbeddingRows, dimensions: int | None, *, normalise: bool
) -> Float[np.ndarray[Any, Any], "texts dimensions"]:
    """The first dimensions of each embedding, then divided by their length if asked (Matryoshka, Kusupati et al. 2022).

    Raises:
        Problem: they do not have so many.
    """
    width = rows.shape[1]
    if dimensions is not None and dimensions > width:
        raise Problem(Code.OUT_OF_RANGE, f"dimensions must be at most {width:,}, which the model has.", "dimensions")
    kept = rows[:, :dimensions]
    return normalised(kept) if normalise else kept


def cosines(rows: EmbeddingRows) -> list[float]:
    """Of the first row with each of the others.

    >>> cosines(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]))
    [1.0, 0.0]
    """
    unit = normalised(rows.astype(np.float64))
    found: list[float] = (unit[1:] @ unit[0]).tolist()
    return found


async def vectors_json(rows: Iterable[np.ndarray[Any, Any]]) -> bytes:
    """A JSON list of them; the event loop gets its turn after each."""
    parts: list[bytes] = []
    for row in rows:
        parts.append(to_json(row.tolist()))
        await asyncio.sleep(0)
    return b"[" + b",".join(parts) + b"]"


def compute_headers(answered: Answered, characters: int, began_s: float) -> dict[str, str]:
    """TEI's headers, whole milliseconds, and the service's own."""
    timing, total_ms = answered.timing, int(1000 * (perf_counter() - began_s))
    took = {
        "time": total_ms,
        "characters": characters,
        "tokens": answered.read_tokens,
    }
    phases = {
        "total": total_ms,
        "tokenization": int(1000 * timing.tokenise_s),
        "queue": int(1000 * timing.queue_s),
        "inference": int(1000 * timing.compute_s),
    }
    return {
        "x-compute-type": "torch" if answered.version.engine == "torch" else "cpu+optimized",
        **{f"x-compute-{name}": str(value) for name, value in took.items()},
        **{f"x-{name}-time": str(value) for name, value in phases.items()},
        **answer_headers(answered),
    }


def answer(body: bytes, answered: Answered, characters: int, began_s: float) -> Response:
    """A body that is JSON already, with its headers.

    Args:
        body: the JSON.
        answered: what it was made of.
        characters: of all texts, or ids where those were sent.
        began_s: when the request was read, by ``perf_counter``.
    """
    return Response(body, media_type="application/json", headers=compute_headers(answered, characters, began_s))
