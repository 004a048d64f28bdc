"""What Amazon SageMaker asks of a container, answered as Hugging Face's inference toolkit does for text classification.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html ·
https://github.com/aws/sagemaker-huggingface-inference-toolkit. An endpoint has one model: the first that is served.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import WithJsonSchema
from pydantic_core import to_json

from bertline.data.delimited import accept_long_fields
from bertline.service.json_body import json_value
from bertline.service.problems import Code, Problem
from bertline.service.routes.context import MODEL_ERRORS, DeadlineNow, ServingNow, answer_headers, dialect
from bertline.service.routes.fields import Tolerant
from bertline.service.routes.kserve import body_of, parsed, refusals, refused
from bertline.service.routes.pipeline import PipelineParameters
from bertline.service.routes.tei_answers import scores
from bertline.service.texts import blank

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
COLUMN = "inputs"  # of a CSV with a header


class Invocation(Tolerant):
    """One text, or several, and how to answer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"inputs": "A quiet film that stays with you for days."}]},
    )

    inputs: Annotated[
        Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    ]
    parameters: PipelineParameters | None = None


class Line(BaseModel):
    """One line of JSON lines."""

    model_config = ConfigDict(strict=True, extra="forbid")

    inputs: str


class ScoredLabel(BaseModel):
    """A label and its score."""

    label: str
    score: float


router = APIRouter(tags=["sagemaker"], route_class=dialect(refused))


@router.post(
    "/invocations",
    summary="Classify texts (SageMaker)",
    response_model=list[ScoredLabel] | list[list[ScoredLabel]],
    responses=refusals(*MODEL_ERRORS, Code.UNKNOWN_FIELD),
    openapi_extra=body_of({JSON: Invocation, LINES: None, CSV: None}),
)
async def invoke(request: Request, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """Labels with scores of one text or several: with ``top_k`` a list for each text, else one label for each.

    The scores are the pipeline's: from the logits as they are, without the calibration of ``/v1/predict``. JSON lines
    (``{"inputs": "…"}``) get an answer per line; CSV has the texts as its only column, or in one named inputs.
    """
    version = serving.models.named(serving.models.names[0])
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    read = READERS.get(kind)
    if read is None:
        raise Problem(Code.NOT_JSON, f"Send the body with the header Content-Type: {JSON}, {LINES} or {CSV}.")
    inputs, parameters = read(await request.body(), serving.settings.max_batch_texts)
    texts = [inputs] if isinstance(inputs, str) else inputs
    by_line = kind == LINES
    answered = await serving.classify(
        version,
        texts,
        deadline_s=deadline_s,
        policy=parameters.policy,
        max_tokens=parameters.max_tokens,
        field="inputs",
        blank="answer" if by_line else "refuse",
    )
    rows = [_ranked(version.labels, row) for row in scores(answered, parameters.function_to_apply)]
    headers = answer_headers(answered)
    if "top_k" in parameters.model_fields_set:
        listed: list[Any] = [row[: parameters.top_k] for row in rows]
    else:
        listed = [row[0] for row in rows]
    if by_line:
        lines = zip(texts, answered.readings, listed, strict=True)
        each = (to_json(refusal_of(text) if reading.blank else [one]) for text, reading, one in lines)
        return Response(b"".join(one + b"\n" for one in each), media_type=LINES, headers=headers)
    alone = isinstance(inputs, str) and isinstance(listed[0], list)  # the pipeline's own exception
    return Response(to_json(listed[0] if alone else listed), media_type=JSON, headers=headers)


def refusal_of(text: str) -> dict[str, str]:
    """The answer to a line of which no token is left; the other lines have theirs."""
    return {"error": blank(text, COLUMN).message}


def _ranked(labels: Sequence[str], scores: Sequence[float]) -> list[dict[str, Any]]:
    ranked = sorted(zip(labels, scores, strict=True), key=lambda one: -one[1])
    return [{"label": label, "score": score} for label, score in ranked]


def _json(body: bytes, most: int) -> tuple[str | list[str], PipelineParameters]:
    asked = parsed(Invocation, json_value(body))
    inputs = asked.inputs
    if not isinstance(inputs, str) and not (isinstance(inputs, list) and all(isinstance(one, str) for one in inputs)):
        raise Problem(Code.WRONG_TYPE, "inputs must be a string or a list of strings.", "inputs")
    return inputs, asked.parameters or PipelineParameters()


def _lines(body: bytes, most: int) -> tuple[list[str], PipelineParameters]:
    def texts() -> Iterator[str]:
        for number, line in enumerate(body.splitlines(), start=1):
            if line.strip():
                try:
                    yield parsed(Line, json_value(line)).inputs
                except Problem as problem:
                    raise Problem(problem.code, f"In line {number:,}: {problem.message}", problem.field) from None

    return _at_most(most, texts()), PipelineParameters()


def _csv(body: bytes, most: int) -> tuple[list[str], PipelineParameters]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(Code.INVALID_TEXT, f"The body is not UTF-8 at byte {error.start:,}: encode it so.") from None

    def texts() -> Iterator[str]:
        column, columns = 0, 1
        accept_long_fields()  # texts have a limit of their own
        rows = csv.reader(StringIO(text, newline=""), strict=True)
        for number, row in enumerate(rows, start=1):
            if number == 1 and COLUMN in row:
                column, columns = row.index(COLUMN), len(row)
                continue
            if len(row) != columns:
                raise Problem(
                    Code.WRONG_TYPE,
                    f"Row {number:,} has {len(row):,} columns and not {columns:,}: quote texts with commas, or name "
                    f"their column {COLUMN} in a header.",
                )
            yield row[column]

    try:
        return _at_most(most, texts()), PipelineParameters()
    except csv.Error as error:
        raise Problem(Code.WRONG_TYPE, f"The body is no CSV: {error}.") from None


def _at_most(most: int, texts: Iterator[str]) -> list[str]:
    """The texts, read no further than the limit."""
    found: list[str] = []
    for text in texts:
        found.append(text)
        if len(found) > most:
            raise Problem(Code.TOO_MANY_TEXTS, f"There are more than {most:,} texts, the limit: send several requests.")
    return found


READERS: dict[str, Callable[[bytes, int], tuple[str | list[str], PipelineParameters]]] = {
    JSON: _json,
    LINES: _lines,
    CSV: _csv,
}
