"""Cohere's rerank, versions 1 and 2, which servers of Jina, Infinity and vLLM answer too.

https://docs.cohere.com/v1/reference/rerank · https://docs.cohere.com/reference/rerank. Both versions take documents as
strings or objects with a text, and both return them on request.
"""

from __future__ import annotations

from typing import Annotated, ClassVar
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from bertline.service.problems import Dialect
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, json_answer, routes_of
from bertline.service.routes.fields import Tolerant
from bertline.service.routes.kserve import STATUSES
from bertline.service.routes.ranking import order, rank
from bertline.service.routes.tei.schema import Flag, Lenient, Strings, must_be
from bertline.serving.problems import Code, Problem


class CohereError(BaseModel):
    """The body of an error response."""

    message: str


class CohereDocument(Tolerant):
    """A document with its text; other fields are not read."""

    at: ClassVar[str] = "documents[]."

    text: str


class CohereRerankRequest(Lenient):
    """A query, and documents to order."""

    query: Annotated[str, must_be("a string")] = Field(examples=["Which river flows through Prague?"])
    documents: Annotated[
        Annotated[list[str | CohereDocument], Field(fail_fast=True)],
        must_be('a list of texts, or of objects as in {"text": "…"}'),
    ] = Field(examples=[["The Vltava is the longest river in the country.", "Prague has a castle."]])
    model: Annotated[str | None, must_be("a string or null")] = Field(
        None, description="Name of the model; required only if several are served."
    )
    top_n: int | None = Field(None, ge=1, description="Number of documents to return; default: all.")
    return_documents: Flag = Field(False, description="Return the text of each document.")
    rank_fields: Annotated[Strings | None, must_be("a list of strings or null")] = Field(
        None, description="Fields of documents to read: only text."
    )


class CohereRanked(BaseModel):
    """A document, by its place in the request."""

    index: int
    relevance_score: float
    document: CohereDocument | None = Field(None, description="Absent unless return_documents is true.")


class CohereApiVersion(BaseModel):
    """The version of the API."""

    version: str


class CohereTokens(BaseModel):
    """Tokens that the model read: the query counts for each document."""

    input_tokens: int


class CohereMeta(BaseModel):
    """What is known of the request."""

    api_version: CohereApiVersion
    tokens: CohereTokens


class CohereRerankResponse(BaseModel):
    """The documents, the most relevant first."""

    id: str
    results: list[CohereRanked]
    meta: CohereMeta


COHERE = Dialect(CohereError, lambda problem: CohereError(message=problem.message), statuses=STATUSES)
router = APIRouter(tags=["cohere"], route_class=routes_of(COHERE))


async def rerank(
    payload: CohereRerankRequest, request: Request, serving: ServingNow, deadline_s: DeadlineNow
) -> Response:
    """Documents by their relevance to a query: a probability, or a grade where the model learned grades."""
    if payload.rank_fields not in (None, ["text"]):
        raise Problem(
            Code.UNSUPPORTED, 'rank_fields can only be ["text"]: send each document as one text.', "rank_fields"
        )
    texts = [one if isinstance(one, str) else one.text for one in payload.documents]
    kinds = ["" if isinstance(one, str) else ".text" for one in payload.documents]
    answered = await rank(
        serving,
        serving.models.named(payload.model),
        payload.query,
        texts,
        deadline_s=deadline_s,
        field="documents",
        names=[f"documents[{place}]{kind}" for place, kind in enumerate(kinds)],
    )
    scores = [answer.score for answer in answered.answers]
    results = [
        {"index": place, "relevance_score": scores[place]}
        | ({"document": {"text": texts[place]}} if payload.return_documents else {})
        for place in order(scores)[: payload.top_n]
    ]
    meta = {
        "api_version": {"version": request.url.path.split("/")[1].removeprefix("v")},
        "tokens": {"input_tokens": answered.read_tokens},
    }
    return json_answer(to_json({"id": str(uuid4()), "results": results, "meta": meta}), answered)


for path in ("/v1/rerank", "/v2/rerank"):
    router.post(
        path,
        summary="Rank documents (Cohere)",
        response_model=CohereRerankResponse,
        responses=COHERE.answers(*MODEL_ERRORS),
        dependencies=[AsJson],
    )(rerank)
