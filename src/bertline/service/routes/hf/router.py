"""The dialect of Hugging Face's pipelines, as ``huggingface_hub.InferenceClient`` (1.29, 2.4) speaks it.

Scores are those of ``transformers.pipeline`` on the same bundle, that is, without its temperature. Without ``top_k``
all labels are listed, as the client documents it (the pipeline itself lists one then), and each text has a list of its
own, also a single one, because the client takes the first of them.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.responses import JSONResponse

from bertline.service.problems import ErrorBody
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, dialect
from bertline.service.routes.hf.pipeline import TextParameters, TokenParameters
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.kserve import status_of
from bertline.service.routes.pairs import Pair, characters, input_of
from bertline.service.routes.tei import router as tei
from bertline.service.routes.tei.answers import OUTSIDE_ROUTES, answer
from bertline.service.routes.tei.inputs import MODEL_IN_PATH, MODEL_PATH, VersionNow
from bertline.service.routes.tei.schema import Lenient, Strings, TeiScore, must_be
from bertline.serving.answered import made
from bertline.serving.problems import Code, Problem
from bertline.text import Input

_PRINTABLE = re.compile(r"[\x21-\x7e]{1,200}")


class HfError(BaseModel):
    """The body of an answer that is not a success."""

    error: str


class HfClassificationRequest(Lenient):
    """Texts or pairs to classify."""

    inputs: Annotated[
        str | Pair | Annotated[list[str | Pair], Field(fail_fast=True)],
        must_be('a text, a pair {"text": …, "text_pair": …}, or a list of these'),
    ] = Field(
        description="A text, a pair of texts, or a list of either.",
        examples=["A quiet film that stays with you for days.", {"text": "It rains.", "text_pair": "It is wet."}],
    )
    parameters: TextParameters | None = None

    def named_inputs(self) -> tuple[list[Input], list[str] | None]:
        """What is to be classified, and the name of each, where it is not its place in a list."""
        if isinstance(self.inputs, Pair):
            return [input_of(self.inputs)], ["inputs"]
        several = [self.inputs] if isinstance(self.inputs, str) else self.inputs
        return [input_of(one) for one in several], None


class HfTokenRequest(Lenient):
    """Texts whose entities are wanted."""

    inputs: Annotated[str | Strings, must_be("a text, or a list of texts")] = Field(
        description="A text, or a list of texts.", examples=["Ada Lovelace lived in London."]
    )
    parameters: TokenParameters | None = None


class HfEntity(BaseModel):
    """An entity; or, without aggregation, a token with its label."""

    entity_group: str | None = Field(None, description="The type. Absent without aggregation.")
    entity: str | None = Field(None, description="The label. Absent with aggregation.")
    score: float
    index: int | None = Field(None, description="Number of the token, [CLS] being 0. Absent with aggregation.")
    word: str = Field(description="As the tokenizer spells it.")
    start: int = Field(description="Its first character, counted from 0 in the raw text, in code points.")
    end: int = Field(description="The character after its last one.")


def refuse(problem: Problem) -> Response:
    """The answer to a request that has a problem."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    return JSONResponse({"error": problem.message}, status_code=status_of(problem.code), headers=headers)


def hf_errors(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for its OpenAPI description."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        model: Any = ErrorBody if code in OUTSIDE_ROUTES else HfError
        one = found.setdefault(int(status_of(code)), {"model": model, "description": []})
        one["model"] |= model
        one["description"].append(code.value)
    described = {status: {**one, "description": ", ".join(one["description"])} for status, one in found.items()}
    # FastAPI would else describe its own 422, which no client ever gets here.
    return {**described, "default": {"model": HfError | ErrorBody, "description": "Any other error."}}


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


ERRORS = hf_errors(*MODEL_ERRORS, Code.UNKNOWN_FIELD)
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
    """Labels with scores, the most probable first: a list for each text or pair, also for a single one."""
    began_s = perf_counter()
    how = asked.parameters or TextParameters()
    inputs, names = asked.named_inputs()
    if any(isinstance(one, tuple) for one in inputs):
        how.check_pairs()
    answered = await serving.compute(
        version,
        inputs,
        "logits",
        deadline_s=deadline_s,
        policy=how.policy,
        max_tokens=how.max_tokens,
        field="inputs",
        names=names,
    )
    return answer(to_json(how.answers(answered)), answered, characters(inputs), began_s)


@router.post(
    "/token-classification",
    summary="Find entities",
    response_model=list[HfEntity] | list[list[HfEntity]],
    responses=ERRORS,
    openapi_extra=NAMED,
)
async def tag(asked: HfTokenRequest, version: VersionNow, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """Entities with their characters: a list for one text, a list of lists for several.

    They are those of the pipeline, whose strategy is simple unless another one is asked for. Long texts are read whole.
    """
    began_s = perf_counter()
    how = asked.parameters or TokenParameters()
    texts = [asked.inputs] if isinstance(asked.inputs, str) else asked.inputs
    answered = await serving.compute(version, texts, "tags", deadline_s=deadline_s, field="inputs")
    each = await made(answered, lambda: how.answers(answered, default="simple"))
    body = each[0] if isinstance(asked.inputs, str) else each
    return answer(to_json(body), answered, characters(texts), began_s)


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
