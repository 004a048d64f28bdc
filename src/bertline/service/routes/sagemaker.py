"""What Amazon SageMaker asks of a container, answered as Hugging Face's inference toolkit does for text classification.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html ·
https://github.com/aws/sagemaker-huggingface-inference-toolkit. An endpoint has one model: the first that is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import WithJsonSchema
from pydantic_core import to_json

from bertline.service.routes.context import MODEL_ERRORS, DeadlineNow, ServingNow, answer_headers, dialect
from bertline.service.routes.fields import Tolerant
from bertline.service.routes.hf.pipeline import PipelineParameters
from bertline.service.routes.kserve import body_of, parsed, refusals, refused
from bertline.service.routes.table_body import texts_of
from bertline.service.routes.tei.answers import scores
from bertline.serving.problems import Code, Problem
from bertline.serving.texts import blank

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
FORMATS: dict[str, Literal["csv", "jsonl"]] = {LINES: "jsonl", CSV: "csv"}
COLUMN = "inputs"  # of a CSV with a header, and a key of JSON lines


class Invocation(Tolerant):
    """One text, or several, and how to answer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"inputs": "A quiet film that stays with you for days."}]},
    )

    inputs: Annotated[
        Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    ]
    parameters: PipelineParameters | None = None


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
    if kind != JSON and kind not in FORMATS:
        raise Problem(Code.NOT_JSON, f"Send the body with the header Content-Type: {JSON}, {LINES} or {CSV}.")
    inputs, parameters = await _read(request, FORMATS.get(kind), serving.settings.max_batch_texts)
    texts = [inputs] if isinstance(inputs, str) else inputs
    by_line = kind == LINES
    answered = await serving.compute(
        version,
        texts,
        "logits",
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
        each = (to_json(refusal_of(text) if reading.unread else [one]) for text, reading, one in lines)
        return Response(b"".join(one + b"\n" for one in each), media_type=LINES, headers=headers)
    alone = isinstance(inputs, str) and isinstance(listed[0], list)  # the pipeline's own exception
    return Response(to_json(listed[0] if alone else listed), media_type=JSON, headers=headers)


def refusal_of(text: str) -> dict[str, str]:
    """The answer to a line of which no token is left; the other lines have theirs."""
    return {"error": blank(text, COLUMN).message}


def _ranked(labels: Sequence[str], scores: Sequence[float]) -> list[dict[str, Any]]:
    ranked = sorted(zip(labels, scores, strict=True), key=lambda one: -one[1])
    return [{"label": label, "score": score} for label, score in ranked]


async def _read(
    request: Request, format: Literal["csv", "jsonl"] | None, most: int
) -> tuple[str | list[str], PipelineParameters]:
    if format is not None:
        content_type = request.headers["content-type"]
        return texts_of(await request.body(), content_type, format, COLUMN, most), PipelineParameters()
    asked = parsed(Invocation, await request.json())
    inputs = asked.inputs
    if not isinstance(inputs, str) and not (isinstance(inputs, list) and all(isinstance(one, str) for one in inputs)):
        raise Problem(Code.WRONG_TYPE, "inputs must be a string or a list of strings.", "inputs")
    return inputs, asked.parameters or PipelineParameters()
