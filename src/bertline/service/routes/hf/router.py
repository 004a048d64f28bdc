"""The dialect of Hugging Face's pipelines, as ``huggingface_hub.InferenceClient`` (1.29, 2.4) speaks it.

Scores equal those of ``transformers.pipeline`` on the same bundle, without its temperature. Without ``top_k`` the
answer has all labels, as the client documents it (the pipeline itself returns one). Even a single text gets a list in a
list, because the client takes the first item.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from bertline.service.problems import Dialect
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, routes_of
from bertline.service.routes.hf.pipeline import (
    AT,
    PARAMETERS,
    FillParameters,
    Parameters,
    TextParameters,
    TokenParameters,
    ZeroShotParameters,
)
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.kserve import STATUSES
from bertline.service.routes.pairs import Pair, characters, input_of
from bertline.service.routes.tei import router as tei
from bertline.service.routes.tei.answers import answer
from bertline.service.routes.tei.inputs import MODEL_IN_PATH, MODEL_PATH, VersionNow
from bertline.service.routes.tei.schema import Lenient, Strings, TeiScore, must_be
from bertline.service.routes.zero_shot import can_choose, choose
from bertline.serving.answered import made
from bertline.serving.problems import Code
from bertline.text import Input

_PRINTABLE = re.compile(r"[\x21-\x7e]{1,200}")


class HfError(BaseModel):
    """The body of an error response."""

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
        """The inputs, and their field names unless they are in a list."""
        if isinstance(self.inputs, Pair):
            return [input_of(self.inputs)], ["inputs"]
        several = [self.inputs] if isinstance(self.inputs, str) else self.inputs
        return [input_of(one) for one in several], None


class HfTokenRequest(Lenient):
    """Texts with entities."""

    inputs: Annotated[str | Strings, must_be("a text, or a list of texts")] = Field(
        description="A text, or a list of texts.", examples=["Ada Lovelace lived in London."]
    )
    parameters: TokenParameters | None = None


class HfFillRequest(Lenient):
    """Texts with [MASK]."""

    inputs: Annotated[str | Strings, must_be("a text, or a list of texts")] = Field(
        description="A text, or a list of texts.", examples=["Paris is the [MASK] of France."]
    )
    parameters: FillParameters | None = None


class HfZeroShotRequest(Lenient):
    """Texts, and labels to choose from."""

    inputs: Annotated[str | Strings, must_be("a text, or a list of texts")] = Field(
        description="A text, or a list of texts.", examples=["Where is my parcel?"]
    )
    parameters: ZeroShotParameters


class HfFill(BaseModel):
    """A word for a [MASK]."""

    score: float
    token: int = Field(description="Id of the word in the vocabulary.")
    token_str: str = Field(description="The word.")
    sequence: str = Field(description="The text with the word; with special tokens if it has several [MASK].")
    targets: list[str] | None = Field(
        None, description="The targets that it stands for as their first piece. Absent if it is the target itself."
    )


Fills = list[HfFill] | list[list[HfFill]]


class HfEntity(BaseModel):
    """An entity; or, without aggregation, a token with its label."""

    entity_group: str | None = Field(None, description="Type of the entity. Absent without aggregation.")
    entity: str | None = Field(None, description="Label of the token. Absent with aggregation.")
    score: float
    index: int | None = Field(None, description="Number of the token; [CLS] is 0. Absent with aggregation.")
    word: str = Field(description="The text in the tokenizer's spelling.")
    start: int = Field(description="First character: a code point of the raw text, from 0.")
    end: int = Field(description="The character after the last one.")


HF = Dialect(HfError, lambda problem: HfError(error=problem.message), statuses=STATUSES)


class NumberedRoute(JsonRoute):
    """Returns the client's X-Amzn-Trace-Id as ``X-Request-Id``, where the client reads it."""

    def get_route_handler(self) -> Any:
        """The route's handler, with that header on all responses."""
        handle: Any = super().get_route_handler()

        async def answer_numbered(request: Request) -> Response:
            response: Response = await handle(request)
            number = request.headers.get("x-amzn-trace-id", "")
            if _PRINTABLE.fullmatch(number):
                response.headers["X-Request-Id"] = number
            return response

        return answer_numbered


class PipelineRoute(NumberedRoute, routes_of(HF)):  # type: ignore[misc]  # a class from a function
    """Errors in the dialect's shape, and numbered responses."""


ERRORS = HF.answers(*MODEL_ERRORS, Code.UNKNOWN_FIELD)
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
    payload: HfClassificationRequest, version: VersionNow, serving: ServingNow, deadline_s: DeadlineNow
) -> Response:
    """Labels with scores, most probable first: a list for each text or pair, even for a single one."""
    began_s = perf_counter()
    how = payload.parameters or TextParameters()
    inputs, names = payload.named_inputs()
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
async def tag(payload: HfTokenRequest, version: VersionNow, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """Entities with their characters: a list for one text, a list of lists for several.

    They equal the pipeline's; the default strategy is simple. Long texts are read whole.
    """
    began_s = perf_counter()
    how = payload.parameters or TokenParameters()
    texts = [payload.inputs] if isinstance(payload.inputs, str) else payload.inputs
    answered = await serving.compute(version, texts, "tags", deadline_s=deadline_s, field="inputs")
    each = await made(answered, lambda: how.answers(answered, default="simple"))
    body = each[0] if isinstance(payload.inputs, str) else each
    return answer(to_json(body), answered, characters(texts), began_s)


@router.post(
    "/fill-mask",
    summary="Fill in words",
    response_model=Fills | list[Fills],
    responses=ERRORS,
    openapi_extra=NAMED,
)
async def fill(payload: HfFillRequest, version: VersionNow, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """The words for the [MASK] of a text, most probable first; for several, a list for each.

    They equal the pipeline's. A list of several texts gets a list of these answers. Long texts are read whole.
    """
    began_s = perf_counter()
    how = payload.parameters or FillParameters()
    texts = [payload.inputs] if isinstance(payload.inputs, str) else payload.inputs
    spec = how.spec(version) if version.spec.chooses else version.spec
    answered = await serving.compute(
        version,
        texts,
        "vocabulary",
        deadline_s=deadline_s,
        field="inputs",
        names=["inputs"] if isinstance(payload.inputs, str) else None,
        spec=spec,
    )
    each = await made(answered, lambda: how.answers(answered))
    return answer(to_json(each if len(texts) > 1 else each[0]), answered, characters(texts), began_s)


@router.post(
    "/zero-shot-classification",
    summary="Classify texts with labels of the request",
    response_model=list[TeiScore] | list[list[TeiScore]],
    responses=ERRORS,
    openapi_extra=NAMED,
)
async def zero_shot(
    payload: HfZeroShotRequest, version: VersionNow, serving: ServingNow, deadline_s: DeadlineNow
) -> Response:
    """Labels with scores, most probable first: a list for one text, a list of lists for several.

    The scores of an entailment model equal the pipeline's.
    """
    began_s = perf_counter()
    if not can_choose(version):
        raise PARAMETERS.get(version.spec.task, Parameters).unknown("candidate_labels")
    texts = [payload.inputs] if isinstance(payload.inputs, str) else payload.inputs
    predictions, answered = await choose(
        serving,
        version,
        texts,
        payload.parameters.candidates,
        deadline_s=deadline_s,
        field="inputs",
        labels=f"{AT}candidate_labels",
    )
    each = [[{"label": label, "score": share} for label, share in one.top()] for one in predictions]
    return answer(to_json(each[0] if isinstance(payload.inputs, str) else each), answered, characters(texts), began_s)


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
