"""KServe's first protocol (``:predict``), and what its second one (``oip``) and SageMaker's have in common with it.

That is: an error is one sentence under ``error``, a request that does not fit is a 400 where this service's own API
says 422, and bodies are parsed by the route, since some of them are not JSON throughout.
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
from starlette.responses import JSONResponse

from bertline.service.name_convertor import converted
from bertline.service.problems import STATUS, ErrorBody
from bertline.service.refusals import field_name, problem_of
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, dialect, json_answer
from bertline.service.routes.fields import Exact, Tolerant
from bertline.serving.answered import made
from bertline.serving.problems import Code, Problem
from bertline.tasks.contract import TaskSpec

Parsed = TypeVar("Parsed", bound=BaseModel)
# Answered in the service's own shape, after a request has left its route.
OUTSIDE_ROUTES = (Code.INTERNAL,)
_WANTED = {"list_type": "a list", "bool_type": "true or false"}


class Refusal(BaseModel):
    """An error, as KServe, Triton and SageMaker's containers write it."""

    error: str = Field(description="One sentence: what is wrong, where, and what to do.")


def status_of(code: Code) -> HTTPStatus:
    """The status of a problem; these servers know no 422."""
    status = STATUS[code]
    return HTTPStatus.BAD_REQUEST if status is HTTPStatus.UNPROCESSABLE_ENTITY else status


def refused(problem: Problem) -> Response:
    """The answer to a request that has a problem."""
    return JSONResponse(
        Refusal(error=problem.message).model_dump(),
        status_code=status_of(problem.code),
        headers={"Cache-Control": "no-store", **problem.headers},
    )


def refusals(
    *codes: Code, shape: type[BaseModel] = Refusal, names: Mapping[Code, str] | None = None
) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for its OpenAPI description.

    Args:
        codes: what may go wrong.
        shape: of the errors that the route itself answers.
        names: what the dialect calls a code, where it has a name of its own.
    """
    by_status: dict[int | str, list[Code]] = {}
    for code in codes:
        by_status.setdefault(int(status_of(code)), []).append(code)
    found: dict[int | str, dict[str, Any]] = {}
    for status, those in by_status.items():
        outside = sum(code in OUTSIDE_ROUTES for code in those)
        model: Any = ErrorBody if outside == len(those) else shape | ErrorBody if outside else shape
        named = ", ".join((names or {}).get(code, code.value) for code in those)
        found[status] = {"model": model, "description": named}
    # FastAPI would else describe its own 422, which no client ever gets here.
    found["default"] = {"model": shape | ErrorBody, "description": "Any other error."}
    return found


def parsed(model: type[Parsed], value: object, *at: str) -> Parsed:
    """A value of JSON in this form; ``at``: where in the body it is.

    Raises:
        Problem: it has another form.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    place = (*at, *first["loc"])
    field = field_name(place)
    if first["type"] == "missing":
        raise Problem(Code.MISSING_FIELD, f"{field} is missing: send it.", field)
    if first["type"] in _WANTED:
        raise Problem(Code.WRONG_TYPE, f"{field} must be {_WANTED[first['type']]}.", field)
    raise problem_of([{**first, "loc": ("body", *place)}], list(model.model_fields))


def body_of(forms: Mapping[str, type[BaseModel] | None]) -> dict[str, Any]:
    """The body that a route parses by itself, for its OpenAPI description.

    Args:
        forms: of each content type; None is plain text or bytes.
    """
    content = {kind: {"schema": _inlined(form) if form else {"type": "string"}} for kind, form in forms.items()}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(form: type[BaseModel]) -> dict[str, Any]:
    """The form's JSON schema without references, which would point nowhere from within the description."""
    schema = form.model_json_schema()
    parts = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolved(parts[node["$ref"].rsplit("/", 1)[1]])
            return {key: resolved(value) for key, value in node.items()}
        return [resolved(one) for one in node] if isinstance(node, list) else node

    found: dict[str, Any] = resolved(schema)
    return found


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
    """What KServe's Hugging Face server has as flags of its start; the protocol itself has no parameters."""

    at: ClassVar[str] = "parameters."

    return_probabilities: bool = Field(False, description="Each label with its calibrated probability.")


class Instances(Tolerant):
    """Texts to answer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"instances": ["A quiet film that stays with you for days."]}]},
    )

    instances: Annotated[list[Any], WithJsonSchema(_INSTANCE)] = Field(
        description='Each a text, or an object with the text in "text".'
    )
    parameters: PredictParameters | None = None


class Predictions(BaseModel):
    """An answer per instance, in their order."""

    predictions: list[Any] = Field(
        description="The label, or the probability of each; all labels where a text may have several. Of other models "
        "a number, a list of entities, or whatever the model answers with."
    )


router = APIRouter(tags=["kserve v1"], route_class=dialect(refused))


@router.post(
    converted("/v1/models/{name}:predict"),
    summary="Answer texts (KServe v1)",
    response_model=Predictions,
    responses=refusals(*MODEL_ERRORS, Code.UNKNOWN_FIELD),
    dependencies=[AsJson],
    openapi_extra=body_of({"application/json": Instances}),
)
async def predict(name: str, request: Request, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """The label of each text, as KServe's Hugging Face server answers with ``--use_id2label``, or its other answer.

    With ``"parameters": {"return_probabilities": true}`` the probability of each label instead, as it answers with
    ``--return_probabilities``; these are calibrated, like those of ``/v1/predict``.
    """
    version = serving.models.named(name, None)
    asked = parsed(Instances, await request.json())
    texts = [_text(one, place) for place, one in enumerate(asked.instances)]
    every = asked.parameters is not None and asked.parameters.return_probabilities
    if every and not version.spec.ranked:
        field = "parameters.return_probabilities"
        raise Problem(Code.UNSUPPORTED, f"{version.name} does not rank labels: leave {field} out.", field)
    answered = await serving.compute(version, texts, version.spec.output, deadline_s=deadline_s, field="instances")
    answers = await made(answered, lambda: answered.answers)
    predictions = [one.probabilities if every else _prediction(one, version.spec) for one in answers]
    return json_answer(to_json({"predictions": predictions}), answered)


def _prediction(answer: Any, spec: TaskSpec) -> Any:
    """The label or labels of a text; else its only column of a table, or all of them by name."""
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
