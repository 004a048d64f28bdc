"""KServe's first protocol (``:predict``), and its common parts with the second one (``oip``) and SageMaker's.

An error is one sentence under ``error``, an invalid request is a 400 instead of a 422, and routes parse their bodies
themselves, because some are not entirely JSON.
https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import WithJsonSchema
from pydantic_core import to_json

from bertline.service.name_convertor import converted
from bertline.service.problems import STATUS, Dialect
from bertline.service.refusals import field_name, problem_of
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, json_answer, routes_of
from bertline.service.routes.fields import Exact, Tolerant
from bertline.serving.answered import made
from bertline.serving.problems import Code, Problem
from bertline.serving.version import Version
from bertline.tasks.contract import TaskSpec

Parsed = TypeVar("Parsed", bound=BaseModel)
_EXPECTED = {"list_type": "a list", "bool_type": "true or false"}


class Refusal(BaseModel):
    """An error in the format of KServe, Triton and SageMaker's containers."""

    error: str = Field(description="One sentence: the fault, its place and the remedy.")


# These servers have no 422.
STATUSES = dict.fromkeys((code for code, status in STATUS.items() if status == 422), HTTPStatus.BAD_REQUEST)
KSERVE = Dialect(Refusal, lambda problem: Refusal(error=problem.message), statuses=STATUSES)


def check_ready(version: Version) -> None:
    """Check that a model can answer.

    Raises:
        Problem: its worker is being replaced.
    """
    if not version.ready:
        raise Problem(Code.NOT_READY, f"The worker of {version.name} is being replaced: try again in a second.")


def parsed(model: type[Parsed], value: object, *at: str) -> Parsed:
    """Validate a JSON value; ``at`` is its place in the body.

    Raises:
        Problem: it is invalid.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    place = (*at, *first["loc"])
    field = field_name(place)
    if first["type"] == "missing":
        raise Problem(Code.MISSING_FIELD, f"{field} is missing: send it.", field)
    if first["type"] in _EXPECTED:
        raise Problem(Code.WRONG_TYPE, f"{field} must be {_EXPECTED[first['type']]}.", field)
    raise problem_of([{**first, "loc": ("body", *place)}], list(model.model_fields))


def body_of(forms: Mapping[str, type[BaseModel] | None]) -> dict[str, Any]:
    """The OpenAPI description of a body that the route parses itself.

    ``forms`` has the model of each content type; None is plain text or bytes.
    """
    content = {kind: {"schema": _inlined(form) if form else {"type": "string"}} for kind, form in forms.items()}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(form: type[BaseModel]) -> dict[str, Any]:
    """The form's JSON schema without references, which would be dangling in the description."""
    schema = form.model_json_schema()
    parts = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolved(parts[node["$ref"].rsplit("/", 1)[1]])
            return {key: resolved(value) for key, value in node.items()}
        return [resolved(one) for one in node] if isinstance(node, list) else node

    inlined: dict[str, Any] = resolved(schema)
    return inlined


_INSTANCE = {
    "type": "array",
    "items": {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
        ]
    },
}


class PredictParameters(Exact):
    """The flags of KServe's Hugging Face server, as parameters; the protocol itself has none."""

    at: ClassVar[str] = "parameters."

    return_probabilities: bool = Field(False, description="Each label with its calibrated probability.")


class Instances(Tolerant):
    """Texts to predict."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"instances": ["A quiet film that stays with you for days."]}]},
    )

    instances: Annotated[list[Any], WithJsonSchema(_INSTANCE)] = Field(
        description='Texts, or objects with a text in "text".'
    )
    parameters: PredictParameters | None = None


class Predictions(BaseModel):
    """One prediction per instance, in order."""

    predictions: list[Any] = Field(
        description="The label, or the probability of each label; a list of labels if a text may have several. For "
        "other tasks a number, a list of entities, or the task's own answer."
    )


router = APIRouter(tags=["kserve v1"], route_class=routes_of(KSERVE))


@router.post(
    converted("/v1/models/{name}:predict"),
    summary="Predict (KServe v1)",
    response_model=Predictions,
    responses=KSERVE.answers(*MODEL_ERRORS, Code.UNKNOWN_FIELD),
    dependencies=[AsJson],
    openapi_extra=body_of({"application/json": Instances}),
)
async def predict(name: str, request: Request, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """The label of each text, as from KServe's Hugging Face server with ``--use_id2label``, or the task's own answer.

    With ``"parameters": {"return_probabilities": true}`` the probability of each label, as with its
    ``--return_probabilities``; these are calibrated, like those of ``/v1/predict``.
    """
    version = serving.models.named(name, None)
    payload = parsed(Instances, await request.json())
    texts = [_text(one, place) for place, one in enumerate(payload.instances)]
    with_probabilities = payload.parameters is not None and payload.parameters.return_probabilities
    if with_probabilities and not version.spec.ranked:
        field = "parameters.return_probabilities"
        raise Problem(Code.UNSUPPORTED, f"{version.name} does not rank labels: leave {field} out.", field)
    answered = await serving.compute(version, texts, version.spec.output, deadline_s=deadline_s, field="instances")
    answers = await made(answered, lambda: answered.answers)
    predictions = [one.probabilities if with_probabilities else _prediction(one, version.spec) for one in answers]
    return json_answer(to_json({"predictions": predictions}), answered)


def _prediction(answer: Any, spec: TaskSpec) -> Any:
    """The label or labels of a text; else the only column of the answer, or all columns by name."""
    if spec.ranked:
        return answer.label if answer.labels is None else list(answer.labels)
    columns = answer.columns()
    return columns if len(columns) > 1 else next(iter(columns.values()), None)


def _text(instance: Any, place: int) -> str:
    text = instance.get("text") if isinstance(instance, dict) else instance
    if not isinstance(text, str):
        raise Problem(
            Code.WRONG_TYPE, f'instances[{place}] must be a string, or an object with one in "text".', "instances"
        )
    return text
