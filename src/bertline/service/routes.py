"""The service's own API: predict, models, health."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from bertline.service.problems import STATUS, Code, ErrorBody, Problem
from bertline.service.schema import (
    Health,
    Limits,
    MeasuredFigure,
    ModelDescription,
    ModelReference,
    ModelsResponse,
    PredictRequest,
    PredictResponse,
    TextPrediction,
)
from bertline.service.serving import Serving, measured_figures
from bertline.service.settings import ServeSettings

router = APIRouter()


def _errors(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for its OpenAPI description, from the table."""
    by_status: dict[int | str, list[str]] = {}
    for code in codes:
        by_status.setdefault(int(STATUS[code]), []).append(code.value)
    return {status: {"model": ErrorBody, "description": ", ".join(names)} for status, names in by_status.items()}


async def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


async def _settings(request: Request) -> ServeSettings:
    settings: ServeSettings = request.app.state.settings
    return settings


async def _sent_as_json(request: Request) -> None:
    """Refuse other content types, which a page of another origin could send without being asked (CORS)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(Code.NOT_JSON, "Send the body as JSON, with the header Content-Type: application/json.", None)


ServingNow = Annotated[Serving, Depends(_serving)]
SettingsNow = Annotated[ServeSettings, Depends(_settings)]

NOT_FROM_PREDICT = (Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED, Code.NOT_READY)
PREDICT_ERRORS = [code for code in Code if code not in NOT_FROM_PREDICT]


@router.post(
    "/v1/predict",
    summary="Classify texts",
    tags=["predict"],
    responses=_errors(*PREDICT_ERRORS),
    dependencies=[Depends(_sent_as_json)],
)
async def predict(
    asked: PredictRequest, response: Response, serving: ServingNow, settings: SettingsNow
) -> PredictResponse:
    """Labels with calibrated probabilities, for one text or several.

    The header Server-Timing of the answer says how long the texts waited and how long the model took.
    """
    texts = asked.checked_texts(settings)
    name, predictor = serving.named(asked.model)
    answered = await serving.predict(predictor, texts)
    # https://www.w3.org/TR/server-timing/, in milliseconds
    response.headers["Server-Timing"] = (
        f"waiting;dur={answered.waiting_ms:.1f}, inference;dur={answered.inference_ms:.1f}"
    )
    response.headers["Cache-Control"] = "no-store"
    return PredictResponse(
        model=ModelReference(name=name, version=predictor.version),
        predictions=[TextPrediction.of(one, asked.top_k) for one in answered.predictions],
    )


@router.get("/v1/models", summary="What answers here", tags=["models"])
async def models(serving: ServingNow, settings: SettingsNow) -> ModelsResponse:
    """The models that answer here, and what one request may bring."""
    return ModelsResponse(
        models=[
            ModelDescription(
                name=name,
                version=predictor.version,
                labels=list(predictor.labels),
                max_tokens=predictor.max_tokens,
                metrics={
                    key: MeasuredFigure(value=one.value, low=one.low, high=one.high)
                    for key, one in measured_figures(predictor).items()
                },
            )
            for name, predictor in serving.models.items()
        ],
        limits=Limits.model_validate(settings, from_attributes=True),
    )


@router.get("/health/live", summary="Is the process alive?", tags=["health"])
async def live() -> Health:
    """The process answers. Restart it when it does not."""
    return Health(status="live")


@router.get("/health/ready", summary="May requests come?", tags=["health"], responses=_errors(Code.NOT_READY))
async def ready(serving: ServingNow) -> Health:
    """Every model is loaded and has answered a text. Send requests only then."""
    if not serving.ready:
        raise Problem(Code.NOT_READY, "The models are warming up: ask again in a second.")
    return Health(status="ready")
