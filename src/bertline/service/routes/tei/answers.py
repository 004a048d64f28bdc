"""TEI's responses: scores, vectors, errors with their kind, and headers with times and counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from time import perf_counter
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic_core import to_json
from starlette.responses import Response

from bertline.service.problems import Dialect
from bertline.service.routes.context import answer_headers, routes_of
from bertline.service.routes.notes import note
from bertline.service.routes.tei.schema import ErrorType, TeiError, TeiScore
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.statistics.activation import Activation, normalised

Function = Activation | Literal["none"]
EmbeddingRows = Float[np.ndarray[Any, Any], "texts hidden"]

# TEI's kind of each problem. The status is our own, unless TEI has another one for the kind.
KINDS: Mapping[Code, ErrorType] = {
    **dict.fromkeys(Code, "Validation"),
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
}
STATUS_OF_KIND: Mapping[ErrorType, HTTPStatus] = {
    "Backend": HTTPStatus.FAILED_DEPENDENCY,
    "Empty": HTTPStatus.BAD_REQUEST,
}
# Too much in one request: TEI's description calls it "Batch size error", and its clients split the request at a 413.
TOO_MUCH = (Code.TOO_MANY_TEXTS, Code.TOO_MANY_TOKENS, Code.TEXT_TOO_LONG)
# As TEI's router maps its kinds (``router/src/http/server.rs``).
STATUSES = {
    **{code: STATUS_OF_KIND[kind] for code, kind in KINDS.items() if kind in STATUS_OF_KIND},
    **dict.fromkeys(TOO_MUCH, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
}
TEI = Dialect(
    TeiError,
    lambda problem: TeiError(error=problem.message, error_type=KINDS[problem.code]),
    names=KINDS,
    statuses=STATUSES,
)
TeiRoute = routes_of(TEI)


def scores(answered: Answered, function: Function | None) -> list[list[float]]:
    """The scores of each text in the order of the labels, as from HF's servers for the checkpoint, not calibrated.

    Args:
        answered: logits from ``Serving.compute``.
        function: from logits to scores; None is the checkpoint's.
    """
    if function == "none":
        return [row.tolist() for row in answered.rows]
    return answered.probabilities(calibrated=False, activation=function)


def listed(labels: Sequence[str], shares: Sequence[float]) -> list[TeiScore]:
    """All labels with their scores, highest first."""
    unsorted = [TeiScore(score=share, label=label) for label, share in zip(labels, shares, strict=True)]
    return sorted(unsorted, key=lambda one: -one.score)


def shortened(
    answered: Answered, dimensions: int | None, *, normalise: bool
) -> Float[np.ndarray[Any, Any], "texts dimensions"]:
    """The first dimensions of each embedding, optionally normalised (Matryoshka, Kusupati et al. 2022).

    A length that the model was not trained for is noted in the response.

    Raises:
        Problem: the embeddings have fewer dimensions.
    """
    rows = np.stack(answered.rows)
    width, trained = rows.shape[1], getattr(answered.version.spec, "dimensions", ())
    if dimensions is not None and dimensions > width:
        raise Problem(Code.OUT_OF_RANGE, f"dimensions must be at most {width:,}, the model's width.", "dimensions")
    if dimensions not in (None, width, *trained):
        note("dimensions", f"the model was not trained for {dimensions}")
    short = rows[:, :dimensions]
    return normalised(short) if normalise else short


def cosines(rows: EmbeddingRows) -> list[float]:
    """The cosine of the first row with each of the others.

    >>> cosines(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]))
    [1.0, 0.0]
    """
    unit = normalised(rows.astype(np.float64))
    similarities: list[float] = (unit[1:] @ unit[0]).tolist()
    return similarities


async def vectors_json(rows: Iterable[np.ndarray[Any, Any]]) -> bytes:
    """The JSON of a list of vectors; yields to the event loop after each."""
    parts: list[bytes] = []
    for row in rows:
        parts.append(to_json(row.tolist()))
        await asyncio.sleep(0)
    return b"[" + b",".join(parts) + b"]"


def compute_headers(answered: Answered, characters: int, began_s: float) -> dict[str, str]:
    """TEI's headers, in whole milliseconds, and the service's own."""
    timing, total_ms = answered.timing, int(1000 * (perf_counter() - began_s))
    took = {"time": total_ms, "characters": characters, "tokens": answered.read_tokens}
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
    """A response with a JSON body; ``characters`` are those of all texts, ``began_s`` is by ``perf_counter``."""
    return Response(body, media_type="application/json", headers=compute_headers(answered, characters, began_s))
