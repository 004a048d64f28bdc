"""Amazon SageMaker's container API, answered like Hugging Face's inference toolkit: with a pipeline.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html ·
https://github.com/aws/sagemaker-huggingface-inference-toolkit. An endpoint has one model: the first that is served.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import WithJsonSchema
from pydantic_core import to_json

from bertline.service.routes.context import MODEL_ERRORS, DeadlineNow, ServingNow, answer_headers, routes_of
from bertline.service.routes.fields import Tolerant
from bertline.service.routes.hf.pipeline import PARAMETERS, Parameters, TextParameters
from bertline.service.routes.hf.router import Fills, HfEntity
from bertline.service.routes.kserve import KSERVE, body_of, parsed
from bertline.service.routes.table_body import texts_of
from bertline.serving.answered import made
from bertline.serving.problems import Code, Problem
from bertline.serving.texts import blank
from bertline.tasks.contract import TaskSpec
from bertline.text import Reading

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
FORMATS: dict[str, Literal["csv", "jsonl"]] = {LINES: "jsonl", CSV: "csv"}
COLUMN = "inputs"  # of a CSV with a header, and a key of JSON lines


class Invocation(Tolerant):
    """One text or several, and parameters."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"inputs": "A quiet film that stays with you for days."}]},
    )

    inputs: Annotated[
        Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    ]
    parameters: Annotated[
        Any, WithJsonSchema({"anyOf": [*(one.model_json_schema() for one in PARAMETERS.values()), {"type": "null"}]})
    ] = Field(None, description="Parameters of the pipeline for the model's task.")


class ScoredLabel(BaseModel):
    """A label and its score."""

    label: str
    score: float


Labels = list[ScoredLabel] | list[list[ScoredLabel]]
Entities = list[HfEntity] | list[list[HfEntity]]


router = APIRouter(tags=["sagemaker"], route_class=routes_of(KSERVE))


@router.post(
    "/invocations",
    summary="Predict (SageMaker)",
    response_model=Labels | Entities | Fills | list[Fills] | list[dict[str, Any]],
    responses=KSERVE.answers(*MODEL_ERRORS, Code.UNKNOWN_FIELD),
    openapi_extra=body_of({JSON: Invocation, LINES: None, CSV: None}),
)
async def invoke(request: Request, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """Labels with scores: with ``top_k`` a list for each text, else one label for each.

    A model of entities returns a list of entities for each text; the default of ``aggregation_strategy`` is none.
    A model that fills in words returns those of fill-mask.
    Scores are the pipeline's: from the raw logits, without the calibration of ``/v1/predict``. JSON lines
    (``{"inputs": "…"}``) get an answer per line; a CSV has the texts in its only column, or in one named inputs.
    """
    version = serving.models.named(serving.models.names[0])
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON and kind not in FORMATS:
        raise Problem(Code.NOT_JSON, f"Send the body with the header Content-Type: {JSON}, {LINES} or {CSV}.")
    form = PARAMETERS.get(version.spec.task, Parameters)
    inputs, parameters = await _read(request, FORMATS.get(kind), serving.settings.max_batch_texts, form)
    texts = [inputs] if isinstance(inputs, str) else inputs
    by_line = kind == LINES
    answered = await serving.compute(
        version,
        texts,
        version.spec.output,
        deadline_s=deadline_s,
        policy=parameters.policy,
        max_tokens=parameters.max_tokens,
        field="inputs",
        blank="answer" if by_line else "refuse",
        spec=parameters.spec(version),
    )
    headers = answer_headers(answered)
    answers = await made(answered, lambda: parameters.answers(answered))
    if isinstance(parameters, TextParameters) and "top_k" not in parameters.model_fields_set:
        answers = [labels[0] for labels in answers]
    if by_line:
        lines = zip(texts, answered.readings, answers, strict=True)
        spec = answered.spec
        each = (to_json(refusal_of(text, reading, spec) or _listed(one)) for text, reading, one in lines)
        return Response(b"".join(one + b"\n" for one in each), media_type=LINES, headers=headers)
    is_single = isinstance(inputs, str) and isinstance(answers[0], list)  # the pipeline's own exception
    return Response(to_json(answers[0] if is_single else answers), media_type=JSON, headers=headers)


def refusal_of(text: str, reading: Reading, spec: TaskSpec) -> dict[str, str] | None:
    """The answer to a line without tokens or without [MASK], which does not fail the other lines."""
    if reading.unread:
        return {"error": blank(text, COLUMN).message}
    fault = spec.fault(reading)
    return None if fault is None else {"error": f"{COLUMN} {fault}."}


def _listed(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else [answer]


async def _read(
    request: Request, format: Literal["csv", "jsonl"] | None, most: int, form: type[Parameters]
) -> tuple[str | list[str], Parameters]:
    if format is not None:
        content_type = request.headers["content-type"]
        return texts_of(await request.body(), content_type, format, COLUMN, most), form()
    payload = parsed(Invocation, await request.json())
    inputs = payload.inputs
    if not isinstance(inputs, str) and not (isinstance(inputs, list) and all(isinstance(one, str) for one in inputs)):
        raise Problem(Code.WRONG_TYPE, "inputs must be a string or a list of strings.", "inputs")
    return inputs, form() if payload.parameters is None else parsed(form, payload.parameters, "parameters")
