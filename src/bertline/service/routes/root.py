"""One path for the clients of two servers: ``POST /``, and ``POST /models/{name}`` for one of several models.

``huggingface_hub.InferenceClient`` posts every task to its one URL, and so do clients of Text Embeddings Inference. The
request reveals the client and the task:

- the key ``parameters`` is sent by Hugging Face's client, always, except for feature extraction;
- a request without it and with ``hf_hub`` in User-Agent is therefore that client's feature extraction;
- candidate labels are for zero-shot classification, and otherwise the model's task selects the pipeline;
- ``inputs`` that are an object are sentences to compare;
- a model for embeddings embeds, as in TEI; so does another one if a key of the body is of TEI's ``/embed`` only. All
  other requests are TEI's ``/predict``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from bertline.service.problems import OWN, merged
from bertline.service.routes.context import MODEL_ERRORS, UNREAD, AsJson
from bertline.service.routes.hf import router as hf
from bertline.service.routes.hf.router import HF, Fills, HfEntity, NumberedRoute, PipelineRoute
from bertline.service.routes.pairs import Pair
from bertline.service.routes.tei import router as tei
from bertline.service.routes.tei.answers import TEI, TeiRoute
from bertline.service.routes.tei.inputs import MODEL_IN_PATH, MODEL_PATH, model_of
from bertline.service.routes.tei.schema import TeiScore
from bertline.serving.problems import Code, Problem

EMBED_ONLY = frozenset({"normalize", "dimensions", "prompt_name"})
CLIENT = "hf_hub/"  # in the User-Agent of huggingface_hub


ENDPOINTS: dict[Any, APIRoute] = {}  # the route of each handler


def _handler(route: type[APIRoute], endpoint: Callable[..., Awaitable[Response]]) -> Any:
    """The handler of a dialect's endpoint, with errors in its shape."""
    new = route("/", endpoint, methods=["POST"], dependencies=[AsJson])
    handler = new.get_route_handler()
    ENDPOINTS[handler] = new
    return handler


TEI_HANDLERS = {one.__name__: _handler(TeiRoute, one) for one in (tei.predict, tei.embed, tei.similarity)}
HF_CALLS = (hf.classify, hf.tag, hf.fill, hf.zero_shot, tei.embed, tei.similarity)
HF_HANDLERS = {one.__name__: _handler(PipelineRoute, one) for one in HF_CALLS}
PIPELINES: Mapping[str | None, str] = {"tag": "tag", "fill": "fill", "embed": "embed"}  # by task; others use classify


def handler_of(body: object, user_agent: str, task: str | None = None) -> Any:
    """The handler of a request with this JSON body; it rejects a body that is None. ``task`` is the model's."""
    pipeline = PIPELINES.get(task, "classify")
    if not isinstance(body, Mapping):
        return TEI_HANDLERS["predict"]
    parameters = body.get("parameters")
    if isinstance(parameters, Mapping) and "candidate_labels" in parameters:
        return HF_HANDLERS["zero_shot"]
    if _has_pairs(body.get("inputs")):
        return HF_HANDLERS["classify"]
    is_comparison = isinstance(body.get("inputs"), Mapping)
    if "parameters" in body or CLIENT in user_agent:
        return HF_HANDLERS["similarity" if is_comparison else pipeline if "parameters" in body else "embed"]
    embeds = task == "embed" or EMBED_ONLY & body.keys()
    return TEI_HANDLERS["similarity" if is_comparison else "embed" if embeds else "predict"]


def _has_pairs(inputs: object) -> bool:
    """Whether the inputs are objects with a text: only the pipelines have named pairs."""
    first = inputs[0] if isinstance(inputs, list) and inputs else inputs
    return isinstance(first, Mapping) and not first.keys().isdisjoint(Pair.model_fields)


def _described(*parameters: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI description of a handler that takes the raw request."""
    own = ("HfClassificationRequest", "HfTokenRequest", "HfFillRequest", "HfZeroShotRequest")
    names = ("TeiPredictRequest", "TeiEmbedRequest", "TeiSimilarityRequest", *own)
    schema = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"requestBody": body, "parameters": list(parameters)}


# An unread body does not reveal the dialect: its errors have the service's own shape.
READ = tuple(code for code in MODEL_ERRORS if code not in UNREAD)
ERRORS = merged((TEI.answers(*READ), HF.answers(*READ, Code.UNKNOWN_FIELD), OWN.answers(*UNREAD)))
Scores = list[TeiScore] | list[list[TeiScore]] | list[HfEntity] | Fills
router = APIRouter(tags=["tei", "hugging face"], route_class=NumberedRoute)


@router.post(
    "/",
    summary="Classify, embed or compare",
    response_model=Scores | list[list[float]] | list[float],
    responses=ERRORS,
    openapi_extra=_described(),
)
async def ask(request: Request) -> Response:
    """For clients of Hugging Face's pipelines, if the body has the key parameters or named pairs; else of TEI.

    A model for embeddings embeds. Of other models, keys of embeddings (normalize, dimensions) select embeddings. Inputs
    with a source_sentence select cosines.
    """
    try:
        body = await request.json()
    except Problem:
        body = None
    try:
        task = (await model_of(request, request.app.state.serving)).spec.task
    except Problem:  # the handler raises it again, and answers in its dialect
        task = None
    response: Response = await handler_of(body, request.headers.get("user-agent", ""), task)(request)
    return response


router.post(
    MODEL_PATH,
    summary="Classify, embed or compare with a model by name",
    response_model=Scores | list[list[float]] | list[float],
    responses=ERRORS,
    openapi_extra=_described(MODEL_IN_PATH),
)(ask)
