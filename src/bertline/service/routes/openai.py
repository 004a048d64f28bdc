"""What OpenAI's clients ask: embeddings, a model by its name; and vLLM's ``/classify``, which goes with them.

https://platform.openai.com/docs/api-reference/embeddings · https://docs.vllm.ai/en/latest/models/pooling_models
"""

from __future__ import annotations

import base64
import time
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import uuid4

import numpy as np
from fastapi import APIRouter, Request, Response
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import WithJsonSchema
from pydantic_core import to_json
from starlette.responses import JSONResponse

from bertline.service.name_convertor import converted
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, dialect, json_answer
from bertline.service.routes.fields import Exact, Tolerant
from bertline.service.routes.kserve import body_of, parsed, refusals, status_of
from bertline.service.routes.notes import note, note_ignored
from bertline.service.routes.own.schema import OpenAIModel
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.texts import check_texts, place_of
from bertline.serving.version import Version
from bertline.text import Policy, why_unread

# Where OpenAI has a name of its own.
CODES = {
    Code.UNKNOWN_MODEL: "model_not_found",
    Code.OVERLOADED: "rate_limit_exceeded",
    Code.UNKNOWN_FIELD: "unknown_parameter",
}
NO_EFFECT = ("priority", "request_id", "cache_salt")  # vLLM's, which change no answer
SIDES: dict[str | None, Policy | None] = {None: None, "left": "tail", "right": "head"}
WHOLE = -1  # of truncate_prompt_tokens: what the model reads
FEWEST_TOKENS = 4  # of truncate_prompt_tokens: [CLS], two of the text, [SEP]


class OpenAIErrorDetail(BaseModel):
    """What is wrong, and where."""

    message: str = Field(description="One sentence: what is wrong, and the limit or the remedy.")
    type: str = Field(description="invalid_request_error, rate_limit_error or server_error.")
    param: str | None = Field(description="The field it is about.")
    code: str = Field(description="Stable name of the problem, for programs.")


class OpenAIError(BaseModel):
    """An error, as OpenAI's clients read it."""

    error: OpenAIErrorDetail


def refused(problem: Problem) -> Response:
    """The answer to a request that has a problem; a request that does not fit is a 400 here."""
    status = status_of(problem.code)
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    detail = OpenAIErrorDetail(
        message=problem.message,
        type="rate_limit_error" if status is HTTPStatus.TOO_MANY_REQUESTS else kind,
        param=problem.field,
        code=CODES.get(problem.code, problem.code.value),
    )
    headers = {"Cache-Control": "no-store", **problem.headers}
    return JSONResponse(OpenAIError(error=detail).model_dump(), status_code=status, headers=headers)


MODEL_REFUSALS = refusals(*MODEL_ERRORS, Code.UNKNOWN_FIELD, shape=OpenAIError, names=CODES)
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
    """Texts, or their token ids, and the model that shall read them."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "required": ["input"],
            "examples": [{"input": "A quiet film that stays with you for days."}],
        },
    )

    input: Annotated[Any, WithJsonSchema(_INPUT)] = Field(
        None, description="A text, several, or token ids of one or several, which are made texts again."
    )
    model: str | None = Field(None, description="Name of the model; needed only where several are served.")
    truncate_prompt_tokens: int | None = Field(
        None, description="vLLM's: read so many tokens of each text, [CLS] and [SEP] included; -1 is all that fit."
    )
    truncation_side: str | None = Field(
        None, description="vLLM's: leave out what is left or right; without it, what the model was trained with."
    )

    def reading(self) -> tuple[Policy | None, int | None]:
        """Which tokens of a long text are read, and how many.

        Raises:
            Problem: there is no such side, or too few tokens.
        """
        if self.truncation_side not in SIDES:
            raise Problem(Code.UNSUPPORTED, "truncation_side must be left or right.", "truncation_side")
        most = self.truncate_prompt_tokens
        if most is not None and most != WHOLE and most < FEWEST_TOKENS:
            field = "truncate_prompt_tokens"
            raise Problem(Code.OUT_OF_RANGE, f"{field} must be at least {FEWEST_TOKENS}, or {WHOLE} for all.", field)
        return SIDES[self.truncation_side], None if most == WHOLE else most


class EmbeddingRequest(Exact, Prompt):
    """Texts to embed. A field that is not known is refused, as by OpenAI."""

    model_config = ConfigDict(extra="forbid")
    priority: int | None = Field(None, description="vLLM's; without effect.")
    request_id: str | None = Field(None, description="vLLM's; without effect.")
    cache_salt: str | None = Field(None, description="vLLM's; without effect.")
    encoding_format: str | None = Field(None, description="float, or base64 of little-endian float32.")
    dimensions: int | None = Field(None, ge=1, description="Keep so many, and make the length 1 again.")
    user: str | None = Field(None, description="Not looked at.")


class Usage(BaseModel):
    """Tokens that the model read, [CLS] and [SEP] included."""

    prompt_tokens: int
    total_tokens: int


class Embedding(BaseModel):
    """The embedding of one text; its length is 1."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingResponse(BaseModel):
    """An embedding per text, in their order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class ClassifyRequest(Tolerant, Prompt):
    """Texts to classify. A field that is not known is ignored, as by vLLM."""

    model_config = ConfigDict(extra="allow")
    use_activation: bool | None = Field(None, description="false: logits in the place of probabilities.")


class Classified(BaseModel):
    """The answer for one text."""

    index: int
    label: str
    probs: list[float] = Field(description="Of each label, in the model's order; not calibrated.")
    num_classes: int


class ClassifyResponse(BaseModel):
    """An answer per text, in their order."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    data: list[Classified]
    usage: Usage


class ModelCard(OpenAIModel):
    """A model that answers, with the keys of OpenAI's clients and those of KServe's first protocol."""

    name: str
    ready: bool


router = APIRouter(tags=["openai"], route_class=dialect(refused))


@router.get(
    converted("/v1/models/{name}"),
    summary="Does a model answer? (OpenAI, KServe v1)",
    tags=["kserve v1"],
    responses=refusals(Code.UNKNOWN_MODEL, Code.NOT_READY, shape=OpenAIError, names=CODES),
)
async def model(name: str, serving: ServingNow) -> ModelCard:
    """503 while the process that computes it is replaced."""
    found = serving.models.named(name)
    if not found.ready:
        raise Problem(Code.NOT_READY, f"The process that computes {found.name} is replaced: ask again in a second.")
    return ModelCard(id=found.name, created=found.created_s, owned_by="bertline", name=found.name, ready=True)


async def embeddings(request: Request, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """Embeddings of length 1: the mean of the encoder's last states over each text's tokens.

    Of a text that is too long the model reads what it was trained to read; ``usage`` counts what it read.
    """
    asked = parsed(EmbeddingRequest, await request.json())
    note_ignored((name for name in NO_EFFECT if getattr(asked, name) is not None), ())
    if asked.encoding_format not in (None, "float", "base64"):
        raise Problem(Code.UNSUPPORTED, "encoding_format must be float or base64.", "encoding_format")
    policy, max_tokens = asked.reading()
    version = serving.models.named(asked.model)
    texts = _texts(asked.input, version, serving)
    answered = await serving.compute(
        *(version, texts, "embedding"),
        deadline_s=deadline_s,
        policy=policy,
        max_tokens=max_tokens,
        field="input",
        blank="answer",
    )
    _note_blank(texts, answered)
    rows = _shortened(np.stack(answered.rows).astype(np.float64), asked.dimensions)
    encoded: list[Any] = rows.tolist()
    if asked.encoding_format == "base64":
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
        responses=MODEL_REFUSALS,
        dependencies=[AsJson],
        openapi_extra=body_of({"application/json": EmbeddingRequest}),
    )(embeddings)


@router.post(
    "/classify",
    summary="Classify texts (vLLM)",
    response_model=ClassifyResponse,
    responses=MODEL_REFUSALS,
    dependencies=[AsJson],
    openapi_extra=body_of({"application/json": ClassifyRequest}),
)
async def classify(request: Request, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """Labels with vLLM's probabilities: from the logits as they are, without the calibration of ``/v1/predict``."""
    asked = parsed(ClassifyRequest, await request.json())
    policy, max_tokens = asked.reading()
    version = serving.models.named(asked.model)
    texts = _texts(asked.input, version, serving)
    answered = await serving.compute(
        version, texts, "logits", deadline_s=deadline_s, policy=policy, max_tokens=max_tokens, field="input"
    )
    logits = asked.use_activation is False
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
    """OpenAI embeds a blank, so that one in a batch does not cost the others their answers; nor is it silent here."""
    for place, (text, reading) in enumerate(zip(texts, answered.readings, strict=True)):
        if reading.unread:
            note("embedded from [CLS] and [SEP] alone", f"{place_of('input', place, len(texts))} {why_unread(text)}")


def _usage(answered: Answered) -> dict[str, int]:
    return {"prompt_tokens": answered.read_tokens, "total_tokens": answered.read_tokens}


def _texts(given: Any, version: Version, serving: Serving) -> list[str]:
    """The texts of ``input``, whichever of its four forms it has."""
    if given is None:
        raise Problem(Code.MISSING_FIELD, "Send a text, several, or token ids in input.", "input")
    if isinstance(given, str):
        return [given]
    if isinstance(given, list):
        if all(isinstance(one, str) for one in given):
            return given
        if all(_is_id(one) for one in given):
            return _decoded([given], version, serving)
        many = len(given) > serving.settings.max_batch_texts
        if many and isinstance(given[0], list):  # said before each of a million lists is looked at
            check_texts([""] * len(given), serving.settings, "input")
        if all(isinstance(one, list) and all(map(_is_id, one)) for one in given):
            return _decoded(given, version, serving)
    raise Problem(
        Code.WRONG_TYPE, "input must be a string, a list of strings, or token ids of one or several.", "input"
    )


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _decoded(prompts: list[list[int]], version: Version, serving: Serving) -> list[str]:
    """Ids as text; special tokens are left out, as the texts get them anew."""
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


def _shortened(
    rows: Float[np.ndarray[Any, Any], "texts hidden"], dimensions: int | None
) -> Float[np.ndarray[Any, Any], "texts dimensions"]:
    """The first dimensions of each row, divided by their length."""
    width = rows.shape[1]
    if dimensions is not None and dimensions > width:
        raise Problem(Code.OUT_OF_RANGE, f"dimensions must be at most {width}, the model's width.", "dimensions")
    kept = rows[:, :dimensions]
    lengths = np.linalg.norm(kept, axis=1, keepdims=True)
    found: np.ndarray[Any, Any] = kept / np.where(lengths > 0, lengths, 1)
    return found
