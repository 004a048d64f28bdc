"""OpenAI's embeddings and models, and vLLM's ``/classify``.

https://platform.openai.com/docs/api-reference/embeddings · https://docs.vllm.ai/en/latest/models/pooling_models
"""

from __future__ import annotations

import base64
import time
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import WithJsonSchema
from pydantic_core import to_json

from bertline.service.name_convertor import converted
from bertline.service.problems import Dialect
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, json_answer, routes_of
from bertline.service.routes.fields import Exact, Tolerant
from bertline.service.routes.kserve import STATUSES, body_of, check_ready, parsed
from bertline.service.routes.notes import note, note_ignored
from bertline.service.routes.own.schema import OpenAIModel
from bertline.service.routes.tei.answers import shortened
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.texts import check_texts, place_of
from bertline.serving.version import Version
from bertline.text import Policy, why_unread

# Codes for which OpenAI has its own names.
CODES = {
    Code.UNKNOWN_MODEL: "model_not_found",
    Code.OVERLOADED: "rate_limit_exceeded",
    Code.UNKNOWN_FIELD: "unknown_parameter",
}
NO_EFFECT = ("priority", "request_id", "cache_salt")  # vLLM's parameters that do not change the answer
SIDES: dict[str | None, Policy | None] = {None: None, "left": "tail", "right": "head"}
WHOLE = -1  # of truncate_prompt_tokens: the model's limit
FEWEST_TOKENS = 4  # of truncate_prompt_tokens: [CLS], two of the text, [SEP]


class OpenAIErrorDetail(BaseModel):
    """The fault and its place."""

    message: str = Field(description="One sentence: the fault, and the limit or the remedy.")
    type: str = Field(description="invalid_request_error, rate_limit_error or server_error.")
    param: str | None = Field(description="Name of the field.")
    code: str = Field(description="Stable name of the problem, for programs.")


class OpenAIError(BaseModel):
    """An error in OpenAI's format."""

    error: OpenAIErrorDetail


def _body(problem: Problem) -> OpenAIError:
    status = OPENAI.status_of(problem.code)
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    detail = OpenAIErrorDetail(
        message=problem.message,
        type="rate_limit_error" if status is HTTPStatus.TOO_MANY_REQUESTS else kind,
        param=problem.field,
        code=CODES.get(problem.code, problem.code.value),
    )
    return OpenAIError(error=detail)


OPENAI = Dialect(OpenAIError, _body, names=CODES, statuses=STATUSES)
ERRORS = OPENAI.answers(*MODEL_ERRORS, Code.UNKNOWN_FIELD)
_IDS = {"type": "array", "items": {"type": "integer"}}
_INPUT = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
        _IDS,
        {"type": "array", "items": _IDS},
    ]
}


class Prompt(BaseModel):
    """Texts, or their token ids, and the model."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "required": ["input"],
            "examples": [{"input": "A quiet film that stays with you for days."}],
        },
    )

    input: Annotated[Any, WithJsonSchema(_INPUT)] = Field(
        None, description="A text, several texts, or token ids of one or several, which are decoded to texts."
    )
    model: str | None = Field(None, description="Name of the model; required only if several are served.")
    truncate_prompt_tokens: int | None = Field(
        None, description="vLLM's: maximum tokens of each text, including [CLS] and [SEP]; -1 is the model's limit."
    )
    truncation_side: str | None = Field(
        None, description="vLLM's: the side to cut, left or right; default: as in training."
    )

    def reading(self) -> tuple[Policy | None, int | None]:
        """The truncation policy and the maximum number of tokens.

        Raises:
            Problem: the side or the number is invalid.
        """
        if self.truncation_side not in SIDES:
            raise Problem(Code.UNSUPPORTED, "truncation_side must be left or right.", "truncation_side")
        most = self.truncate_prompt_tokens
        if most is not None and most != WHOLE and most < FEWEST_TOKENS:
            field = "truncate_prompt_tokens"
            raise Problem(Code.OUT_OF_RANGE, f"{field} must be at least {FEWEST_TOKENS}, or {WHOLE} for all.", field)
        return SIDES[self.truncation_side], None if most == WHOLE else most


class EmbeddingRequest(Exact, Prompt):
    """Texts to embed. Unknown fields are rejected, as by OpenAI."""

    model_config = ConfigDict(extra="forbid")
    priority: int | None = Field(None, description="vLLM's; without effect.")
    request_id: str | None = Field(None, description="vLLM's; without effect.")
    cache_salt: str | None = Field(None, description="vLLM's; without effect.")
    encoding_format: str | None = Field(None, description="float, or base64 of little-endian float32.")
    dimensions: int | None = Field(None, ge=1, description="Number of leading dimensions, normalised again.")
    user: str | None = Field(None, description="Ignored.")


class Usage(BaseModel):
    """Tokens that the model read, including [CLS] and [SEP]."""

    prompt_tokens: int
    total_tokens: int


class Embedding(BaseModel):
    """The normalised embedding of one text."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingResponse(BaseModel):
    """One embedding per text, in order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class ClassifyRequest(Tolerant, Prompt):
    """Texts to classify. Unknown fields are ignored, as by vLLM."""

    model_config = ConfigDict(extra="allow")
    use_activation: bool | None = Field(None, description="false: logits instead of probabilities.")


class Classified(BaseModel):
    """The classification of one text."""

    index: int
    label: str
    probs: list[float] = Field(description="Of each label, in the model's order; not calibrated.")
    num_classes: int


class ClassifyResponse(BaseModel):
    """One classification per text, in order."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    data: list[Classified]
    usage: Usage


class ModelCard(OpenAIModel):
    """A model, with the keys of OpenAI's API and of KServe's first protocol."""

    name: str
    ready: bool


router = APIRouter(tags=["openai"], route_class=routes_of(OPENAI))


@router.get(
    converted("/v1/models/{name}"),
    summary="Model readiness (OpenAI, KServe v1)",
    tags=["kserve v1"],
    responses=OPENAI.answers(Code.UNKNOWN_MODEL, Code.NOT_READY),
)
async def model(name: str, serving: ServingNow) -> ModelCard:
    """503 while its worker is being replaced."""
    version = serving.models.named(name)
    check_ready(version)
    return ModelCard(id=version.name, created=version.created_s, owned_by="bertline", name=version.name, ready=True)


async def embeddings(request: Request, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """Normalised embeddings: as the model pools them, else the mean of the last states over each text's tokens.

    Texts that are too long are truncated as in training; ``usage`` counts the tokens read.
    """
    payload = parsed(EmbeddingRequest, await request.json())
    note_ignored((name for name in NO_EFFECT if getattr(payload, name) is not None), ())
    if payload.encoding_format not in (None, "float", "base64"):
        raise Problem(Code.UNSUPPORTED, "encoding_format must be float or base64.", "encoding_format")
    policy, max_tokens = payload.reading()
    version = serving.models.named(payload.model)
    texts = _texts(payload.input, version, serving)
    answered = await serving.compute(
        *(version, texts, "embedding"),
        deadline_s=deadline_s,
        policy=policy,
        max_tokens=max_tokens,
        field="input",
        blank="answer",
    )
    _note_blank(texts, answered)
    rows = shortened(answered, payload.dimensions, normalise=True)
    encoded: list[Any] = rows.tolist()
    if payload.encoding_format == "base64":
        encoded = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in rows]
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(encoded)]
    return json_answer(
        to_json({"object": "list", "data": data, "model": version.name, "usage": _usage(answered)}), answered
    )


for path in ("/v1/embeddings", "/embeddings"):
    router.post(
        path,
        summary="Embed texts (OpenAI)",
        response_model=EmbeddingResponse,
        responses=ERRORS,
        dependencies=[AsJson],
        openapi_extra=body_of({"application/json": EmbeddingRequest}),
    )(embeddings)


@router.post(
    "/classify",
    summary="Classify texts (vLLM)",
    response_model=ClassifyResponse,
    responses=ERRORS,
    dependencies=[AsJson],
    openapi_extra=body_of({"application/json": ClassifyRequest}),
)
async def classify(request: Request, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """Labels with vLLM's probabilities: from the raw logits, without the calibration of ``/v1/predict``."""
    payload = parsed(ClassifyRequest, await request.json())
    policy, max_tokens = payload.reading()
    version = serving.models.named(payload.model)
    texts = _texts(payload.input, version, serving)
    answered = await serving.compute(
        version, texts, "logits", deadline_s=deadline_s, policy=policy, max_tokens=max_tokens, field="input"
    )
    logits = payload.use_activation is False
    rows = [row.tolist() for row in answered.rows] if logits else answered.probabilities(calibrated=False)
    labels = version.labels
    body = {
        "id": f"classify-{uuid4().hex}",
        "object": "list",
        "created": int(time.time()),
        "model": version.name,
        "data": [
            {"index": index, "label": labels[row.index(max(row))], "probs": row, "num_classes": len(labels)}
            for index, row in enumerate(rows)
        ],
        "usage": _usage(answered),
    }
    return json_answer(to_json(body), answered)


def _note_blank(texts: list[str], answered: Answered) -> None:
    """OpenAI embeds a blank text, so that it does not fail the others of a batch; here a header names it."""
    for place, (text, reading) in enumerate(zip(texts, answered.readings, strict=True)):
        if reading.unread:
            note("embedded from [CLS] and [SEP] alone", f"{place_of('input', place, len(texts))} {why_unread(text)}")


def _usage(answered: Answered) -> dict[str, int]:
    return {"prompt_tokens": answered.read_tokens, "total_tokens": answered.read_tokens}


def _texts(given: Any, version: Version, serving: Serving) -> list[str]:
    """The texts of ``input``, in any of its four forms."""
    if given is None:
        raise Problem(Code.MISSING_FIELD, "input is missing: send a text, several texts, or token ids.", "input")
    if isinstance(given, str):
        return [given]
    if isinstance(given, list):
        if all(isinstance(one, str) for one in given):
            return given
        if all(_is_id(one) for one in given):
            return _decoded([given], version, serving)
        is_too_long = len(given) > serving.settings.max_batch_texts
        if is_too_long and isinstance(given[0], list):  # before checking each of a million lists
            check_texts([""] * len(given), serving.settings, "input")
        if all(isinstance(one, list) and all(map(_is_id, one)) for one in given):
            return _decoded(given, version, serving)
    raise Problem(
        Code.WRONG_TYPE, "input must be a string, a list of strings, or token ids of one or several.", "input"
    )


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _decoded(prompts: list[list[int]], version: Version, serving: Serving) -> list[str]:
    """The texts of token ids without special tokens, which are added again."""
    most, size = serving.settings.max_request_tokens, version.tokenizer.vocab_size
    total = sum(map(len, prompts))
    if total > most:
        raise Problem(
            Code.TOO_MANY_TOKENS, f"input has {total:,} token ids and the limit is {most:,}: send fewer.", "input"
        )
    for place, ids in enumerate(prompts):
        if any(not 0 <= one < size for one in ids):
            field = f"input[{place}]"
            raise Problem(Code.OUT_OF_RANGE, f"{field} must hold token ids from 0 to {size - 1:,}.", field)
    return [version.tokenizer.decode(ids) for ids in prompts]
