"""The dialect of Hugging Face's pipelines, as ``huggingface_hub.InferenceClient`` (1.29, 2.4) speaks it.

Scores are those of ``transformers.pipeline`` on the same bundle, that is, without its temperature. Without ``top_k``
all labels are listed, as the client documents it (the pipeline itself lists one then), and each text has a list of its
own, also a single one, because the client takes the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from time import perf_counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.responses import JSONResponse

from bertline.inference.activation import Activation
from bertline.service.json_body import JsonRoute
from bertline.service.problems import STATUS, Code, ErrorBody, Problem
from bertline.service.reading import Policy
from bertline.service.routes import tei
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, dialect
from bertline.service.routes.tei_answers import OUTSIDE_ROUTES, answer, listed, scores
from bertline.service.routes.tei_inputs import MODEL_IN_PATH, MODEL_PATH, VersionNow
from bertline.service.routes.tei_schema import Lenient, Strings, TeiScore, must_be

# Parameters that only other tasks have, whose clients would take the answer for theirs.
OTHER_TASKS: Mapping[str, str] = {
    "candidate_labels": "zero-shot-classification",
    "aggregation_strategy": "token-classification",
    "ignore_labels": "token-classification",
    "targets": "fill-mask",
}
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,200}")


class HfError(BaseModel):
    """The body of an answer that is not a success."""

    error: str


class HfClassificationParameters(BaseModel):
    """How to classify. Whatever else a tokenizer might be told is ignored."""

    model_config = ConfigDict(extra="allow", strict=True)  # kept, so that those of other tasks are found

    top_k: int | None = Field(None, ge=1, description="So many labels, the most probable ones; all without it.")
    function_to_apply: Annotated[Activation | Literal["none"] | None, must_be('"softmax", "sigmoid" or "none"')] = (
        Field(None, description="From logits to scores; without it, what the checkpoint says.")
    )
    truncation: Annotated[bool | str | None, must_be("true or false")] = Field(
        None,
        description="true: of a text that is too long the head is read. false: it is an error. "
        "Without it, the model's own choice.",
    )
    max_length: int | None = Field(None, ge=4, description="Tokens to read, at most as many as the model reads.")

    @property
    def policy(self) -> Policy | None:
        """What ``transformers`` would read of a text that is too long; None is the bundle's own choice."""
        if self.truncation in (False, "do_not_truncate"):
            return "error"
        return None if self.truncation is None and self.max_length is None else "head"

    def check_task(self) -> None:
        """Refuse what other tasks' clients send.

        Raises:
            Problem: a parameter that classification does not have.
        """
        for name in self.model_extra or {}:
            if name in OTHER_TASKS:
                raise Problem(
                    Code.UNSUPPORTED,
                    f"parameters.{name} is of {OTHER_TASKS[name]}, and this model classifies texts and embeds them: "
                    "ask a model of that task.",
                    f"parameters.{name}",
                )


class HfClassificationRequest(Lenient):
    """Texts to classify."""

    inputs: Annotated[str | Strings, must_be("a text or a list of texts")] = Field(
        examples=["A quiet film that stays with you for days."]
    )
    parameters: HfClassificationParameters | None = None


def refuse(problem: Problem) -> Response:
    """The answer to a request that has a problem."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    return JSONResponse({"error": problem.message}, status_code=problem.status, headers=headers)


def hf_errors(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for its OpenAPI description."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        model: Any = ErrorBody if code in OUTSIDE_ROUTES else HfError
        one = found.setdefault(int(STATUS[code]), {"model": model, "description": []})
        one["model"] |= model
        one["description"].append(code.value)
    return {status: {**one, "description": ", ".join(one["description"])} for status, one in found.items()}


class NumberedRoute(JsonRoute):
    """Answers with the number that the client gave its request, which it reads back from ``X-Request-Id``."""

    def get_route_handler(self) -> Any:
        """The handler of the route, whatever class it has besides, with that header on all its answers."""
        handle: Any = super().get_route_handler()

        async def answer_numbered(request: Request) -> Response:
            found: Response = await handle(request)
            number = request.headers.get("x-amzn-trace-id", "")
            if _PRINTABLE.fullmatch(number):
                found.headers["X-Request-Id"] = number
            return found

        return answer_numbered


class PipelineRoute(NumberedRoute, dialect(refuse)):  # type: ignore[misc]  # a class made by a function
    """Errors in the dialect's shape, and numbered answers."""


ERRORS = hf_errors(*MODEL_ERRORS)
NAMED: dict[str, Any] = {"parameters": [MODEL_IN_PATH]}
router = APIRouter(
    prefix=f"{MODEL_PATH}/pipeline",
    tags=["hugging face"],
    route_class=PipelineRoute,
    dependencies=[AsJson],
)


@router.post(
    "/text-classification",
    summary="Classify texts",
    response_model=list[list[TeiScore]],
    responses=ERRORS,
    openapi_extra=NAMED,
)
async def classify(
    asked: HfClassificationRequest, version: VersionNow, serving: ServingNow, deadline_s: DeadlineNow
) -> Response:
    """Labels with scores, the most probable first: a list for each text, also for a single one."""
    began_s = perf_counter()
    how = asked.parameters or HfClassificationParameters()
    how.check_task()
    texts = [asked.inputs] if isinstance(asked.inputs, str) else asked.inputs
    answered = await serving.classify(
        version, texts, deadline_s=deadline_s, policy=how.policy, max_tokens=how.max_length, field="inputs"
    )
    found = [listed(version.labels, one)[: how.top_k] for one in scores(answered, how.function_to_apply)]
    return answer(to_json(found), answered, sum(map(len, texts)), began_s)


router.post(
    "/feature-extraction",
    summary="Embed texts",
    response_model=list[list[float]],
    responses=ERRORS,
    openapi_extra=NAMED,
)(tei.embed)
router.post(
    "/sentence-similarity",
    summary="Compare sentences",
    response_model=list[float],
    responses=ERRORS,
    openapi_extra=NAMED,
)(tei.similarity)
