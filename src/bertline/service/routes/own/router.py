"""The service's own API: predict, tokenise, models."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic_core import to_json

from bertline.service.problems import OWN
from bertline.service.routes.context import (
    MODEL_ERRORS,
    AsJson,
    DeadlineNow,
    ServingNow,
    SettingsNow,
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
from bertline.service.routes.zero_shot import choose
from bertline.serving.answered import made
from bertline.serving.problems import Code
from bertline.serving.texts import SIDES, check_texts
from bertline.serving.version import Version
from bertline.text import Truncation

router = APIRouter(route_class=JsonRoute)

ERRORS = (*MODEL_ERRORS, Code.UNKNOWN_FIELD, Code.CONFLICTING_FIELDS)


@router.post(
    "/v1/predict",
    summary="Predict",
    tags=["predict"],
    response_model=PredictResponse,
    responses=OWN.answers(*ERRORS),
    dependencies=[AsJson],
)
async def predict(payload: PredictRequest, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """The model's answers to one text or several.

    An answer has labels with calibrated probabilities, a number, entities, words for each [MASK], or an embedding. With
    labels in the request, it has their probabilities, which are not calibrated.

    The response header Server-Timing has the times for tokenising, waiting and computing.
    """
    field, inputs = payload.named_inputs()
    version = serving.models.named(payload.model)
    model = {"name": version.name, "version": version.version}
    if (candidates := payload.candidates()) is not None:
        texts = [one for one in inputs if isinstance(one, str)]
        chosen, answered = await choose(
            serving, version, texts, candidates, deadline_s=deadline_s, field=field, labels="labels"
        )
        return json_answer(
            to_json({"model": model, "predictions": [one.to_json(payload.top_k) for one in chosen]}), answered
        )
    top = payload.top(version)
    answered = await serving.compute(
        version,
        inputs,
        version.spec.output,
        deadline_s=deadline_s,
        policy=payload.truncation,
        field=field,
        sides=("{}", "{}_pair") if field == "text" else SIDES,
        spec=payload.spec(version),
    )
    predictions = await made(answered, lambda: predictions_of(answered, top))
    return json_answer(to_json({"model": model, "predictions": predictions}), answered)


@router.post(
    "/v1/tokenize",
    summary="Tokenise",
    tags=["predict"],
    responses=OWN.answers(*ERRORS),
    dependencies=[AsJson],
)
async def tokenize(payload: TokenizeRequest, serving: ServingNow, settings: SettingsNow) -> TokenizeResponse:
    """The tokens of each text with their positions, and how many the model would read and cut."""
    field, texts = payload.named_texts()
    check_texts(texts, settings, field)
    version = serving.models.named(payload.model)
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
    """The public description of a model."""
    return ModelDescription(
        name=version.name,
        version=version.version,
        labels=list(version.labels),
        task=version.spec.model_dump(mode="json"),
        multi_label=version.spec.ranked and version.spec.activation == "sigmoid",
        max_tokens=version.max_tokens,
        truncation=version.truncation,
        engine=version.engine,
        ready=version.ready,
        metrics={
            key: MeasuredFigure(value=one.value, low=one.low, high=one.high) for key, one in version.figures.items()
        },
    )


@router.get("/v1/models", summary="List models", tags=["models"])
async def models(serving: ServingNow, settings: SettingsNow) -> ModelsResponse:
    """The served models, the default one first, and the limits of a request."""
    versions = list(serving.models)
    return ModelsResponse(
        models=[described(one) for one in versions],
        limits=Limits.model_validate(settings, from_attributes=True),
        data=[OpenAIModel(id=one.name, created=one.created_s, owned_by="bertline") for one in versions],
    )
