"""TEI's routes that need no computing: tokens, limits and readiness."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from fastapi import APIRouter, Response

from bertline import __version__
from bertline.service.routes.context import MODEL_ERRORS, AsJson, ServingNow, SettingsNow
from bertline.service.routes.tei.answers import TEI, TeiRoute
from bertline.service.routes.tei.inputs import (
    MODEL_IN_PATH,
    MODEL_PATH,
    VersionNow,
    check_ids,
    no_prompts,
    not_empty,
)
from bertline.service.routes.tei.schema import TeiDecodeRequest, TeiInfo, TeiToken, TeiTokenizeRequest
from bertline.serving.problems import Code, Problem
from bertline.serving.texts import check_texts
from bertline.serving.version import Version

ERRORS = TEI.answers(*MODEL_ERRORS)
router = APIRouter(tags=["tei"], route_class=TeiRoute)


@router.post("/tokenize", summary="Tokenise", responses=ERRORS, dependencies=[AsJson])
async def tokenize(payload: TeiTokenizeRequest, version: VersionNow, settings: SettingsNow) -> list[list[TeiToken]]:
    """All tokens of each text, with their positions."""
    no_prompts(payload.prompt_name)
    texts = [payload.inputs] if isinstance(payload.inputs, str) else payload.inputs
    check_texts(texts, settings, "inputs")
    return await asyncio.to_thread(lambda: [_tokens(one, version, payload.add_special_tokens) for one in texts])


def _tokens(text: str, version: Version, framed: bool) -> list[TeiToken]:
    tokenizer = version.tokenizer
    tokens = [
        TeiToken(id=one.id, text=text[one.start : one.end], special=False, start=one.start, stop=one.end)
        for one in tokenizer.spans(text)
    ]
    if not framed:
        return tokens
    ends = (tokenizer.cls_id, tokenizer.sep_id)
    first, last = (
        TeiToken(id=id_, text=token, special=True, start=None, stop=None)
        for id_, token in zip(ends, tokenizer.tokens(ends), strict=True)
    )
    return [first, *tokens, last]


@router.post("/decode", summary="Decode token ids", responses=ERRORS, dependencies=[AsJson])
async def decode(payload: TeiDecodeRequest, version: VersionNow, settings: SettingsNow) -> list[str]:
    """The text of each list of ids, as far as the tokenizer preserves it."""
    not_empty(payload.ids, "ids")
    batch = [one for one in payload.ids if isinstance(one, list)] or [
        [one for one in payload.ids if isinstance(one, int)]
    ]
    if len(batch) > settings.max_batch_texts:
        raise Problem(
            Code.TOO_MANY_TEXTS,
            f"ids has {len(batch):,} lists and the limit is {settings.max_batch_texts:,}: send several requests.",
            "ids",
        )
    for place, ids in enumerate(batch):
        check_ids(ids, version, settings, f"ids[{place}]")
    skip, decoded = payload.skip_special_tokens, version.tokenizer.decode
    return await asyncio.to_thread(lambda: [decoded(ids, skip_special_tokens=skip) for ids in batch])


async def info(version: VersionNow, settings: SettingsNow) -> TeiInfo:
    """The model, and the limits of a request."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return TeiInfo(
        model_id=version.name,
        model_sha=version.version,
        model_dtype=version.engine,
        served_model_name=version.name,
        model_type=_kind(version),
        max_concurrent_requests=files if files != resource.RLIM_INFINITY else 2**31 - 1,
        max_input_length=version.max_tokens,
        max_batch_tokens=version.started.batch_tokens if version.started else 0,
        max_client_batch_size=settings.max_batch_texts,
        tokenization_workers=1,  # Serving's executor
        version=__version__,
    )


def _kind(version: Version) -> dict[str, Any]:
    """TEI distinguishes classifiers, rankers, and models that only embed."""
    if version.spec.output != "logits":
        return {"embedding": {"pooling": version.pooling if version.spec.task == "embed" else "mean"}}
    labels = {str(number): label for number, label in enumerate(version.labels)}
    kind = "reranker" if version.spec.task == "rank" else "classifier"
    return {kind: {"id2label": labels, "label2id": {label: int(number) for number, label in labels.items()}}}


router.get("/info", summary="Model information", responses=TEI.answers(Code.NOT_READY))(info)
router.get(
    f"{MODEL_PATH}/info",
    summary="Information about a model by name",
    responses=TEI.answers(Code.UNKNOWN_MODEL, Code.NOT_READY),
    openapi_extra={"parameters": [MODEL_IN_PATH]},
)(info)


async def health(serving: ServingNow) -> Response:
    """An empty response if every model is ready and the server is not stopping; else 503."""
    if not serving.ready:
        raise Problem(Code.NOT_READY, "unhealthy")
    return Response()


async def model_health(version: VersionNow, serving: ServingNow) -> Response:
    """The same for one model."""
    if serving.draining or not version.ready:
        raise Problem(Code.NOT_READY, "unhealthy")
    return Response()


def _health(path: str, *codes: Code, **more: Any) -> Any:
    ready: dict[int | str, dict[str, Any]] = {200: {"description": "Ready. The body is empty."}}
    return router.get(
        path, summary="Readiness", response_class=Response, responses={**ready, **TEI.answers(*codes)}, **more
    )


for path in ("/health", "/ping"):
    _health(path, Code.NOT_READY)(health)
_health(f"{MODEL_PATH}/health", Code.NOT_READY, Code.UNKNOWN_MODEL, openapi_extra={"parameters": [MODEL_IN_PATH]})(
    model_health
)
