"""The service's own API: predict, tokenise, models."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic_core import to_json

from bertline.service.routes.context import (
    MODEL_ERRORS,
    AsJson,
    DeadlineNow,
    ServingNow,
    SettingsNow,
    error_answers,
    json_answer,
)
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.own.schema import (
    Limits,
    MeasuredFigure,
    ModelDescription,
    ModelReference,
    ModelsResponse,
    OpenAIModel,
    PredictRequest,
    PredictResponse,
    TextTokens,
    Token,
    TokenizeRequest,
    TokenizeResponse,
    predictions_of,
)
from bertline.serving.answered import made
from bertline.serving.problems import Code
from bertline.serving.texts import SIDES, check_texts
from bertline.serving.version import Version
from bertline.text import Truncation

router = APIRouter(route_class=JsonRoute)

ERRORS = (*MODEL_ERRORS, Code.UNKNOWN_FIELD, Code.CONFLICTING_FIELDS)


@router.post(
    "/v1/predict",
    summary="Answer texts",
    tags=["predict"],
    response_model=PredictResponse,
    responses=error_answers(*ERRORS),
    dependencies=[AsJson],
)
async def predict(asked: PredictRequest, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """The model's answers to one text or several: labels with calibrated probabilities, a number, or entities.

    The header Server-Timing of the answer says how long the texts were tokenised, waited and were computed.
    """
    field, inputs = asked.named_inputs()
    version = serving.models.named(asked.model)
    top = asked.top(version)
    answered = await serving.compute(
        version,
        inputs,
        version.spec.output,
        deadline_s=deadline_s,
        policy=asked.truncation,
        field=field,
        sides=("", "_pair") if field == "text" else SIDES,
    )
    model = {"name": version.name, "version": version.version}
    predictions = await made(answered, lambda: predictions_of(answered, top))
    return json_answer(to_json({"model": model, "predictions": predictions}), answered)


@router.post(
    "/v1/tokenize",
    summary="Show how a model reads texts",
    tags=["predict"],
    responses=error_answers(*ERRORS),
    dependencies=[AsJson],
)
async def tokenize(asked: TokenizeRequest, serving: ServingNow, settings: SettingsNow) -> TokenizeResponse:
    """The tokens of each text with their places in it, and how many the model would read and leave out."""
    field, texts = asked.named_texts()
    check_texts(texts, settings, field)
    version = serving.models.named(asked.model)
    readings = await version.reader.read(texts, Truncation(version.max_tokens, version.truncation))
    return TokenizeResponse(
        model=ModelReference(name=version.name, version=version.version),
        texts=[
            TextTokens(
                tokens=[
                    Token(id=one.id, token=one.token, start=one.start, end=one.end)
                    for one in version.tokenizer.spans(text)
                ],
                read_tokens=reading.read,
                cut_tokens=reading.cut,
            )
            for text, reading in zip(texts, readings, strict=True)
        ],
    )


def described(version: Version) -> ModelDescription:
    """What clients are told of a model."""
    return ModelDescription(
        name=version.name,
        version=version.version,
        labels=list(version.labels),
        task=version.spec.model_dump(mode="json"),
        multi_label=version.spec.activation == "sigmoid",
        max_tokens=version.max_tokens,
        truncation=version.truncation,
        engine=version.engine,
        ready=version.ready,
        metrics={
            key: MeasuredFigure(value=one.value, low=one.low, high=one.high) for key, one in version.figures.items()
        },
    )


@router.get("/v1/models", summary="What answers here", tags=["models"])
async def models(serving: ServingNow, settings: SettingsNow) -> ModelsResponse:
    """The models that answer here, the default one first, and what one request may bring."""
    versions = list(serving.models)
    return ModelsResponse(
        models=[described(one) for one in versions],
        limits=Limits.model_validate(settings, from_attributes=True),
        data=[OpenAIModel(id=one.name, created=one.created_s, owned_by="bertline") for one in versions],
    )
