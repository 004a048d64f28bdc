"""``GET /v1/models/{name}/history``: how a model did over time, by the predictions that the server keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from bertline.bundle.store import VERSION_DIGITS
from bertline.service.history_desk import HistoryDesk
from bertline.service.name_convertor import converted
from bertline.service.problems import OWN
from bertline.service.routes.context import ServingNow
from bertline.service.routes.own.schema import MeasuredFigure
from bertline.serving.problems import Code, Problem

if TYPE_CHECKING:
    from bertline.lifecycle.predictions.checks import DriftCheck
    from bertline.lifecycle.predictions.history import Step

router = APIRouter(prefix="/v1/models", tags=["feedback"])
NO_STORE = "This server keeps no predictions, so it has no history: start it with --predictions-url."


class HistoryStep(BaseModel):
    """One step in time."""

    at: AwareDatetime = Field(description="When it begins.")
    texts: int = Field(description="Texts that were answered in it.")
    versions: dict[str, int] = Field(description="Texts by the version that answered.")
    judged: int = Field(description="Answers of the step that feedback calls right or wrong.")
    accuracy: MeasuredFigure | None = Field(
        description="Share of the judged answers that are right, with Wilson's 95 % interval."
    )
    confidence: float | None = Field(
        description="Mean probability of the labels and entities given, of a sample; null where there are none."
    )


class HistoryCheck(BaseModel):
    """A check for drift."""

    at: AwareDatetime
    texts: int
    found: str = Field(description="What changed: none, labels or texts.")
    p_value: float | None = Field(description="The smallest of all tests, adjusted for their number.")
    estimated_accuracy: float | None = Field(description="Without labels; null where it cannot be told.")
    level: float | None = Field(
        description="Chance of a false alarm of all tests together, at which drift was found or not; null of a "
        "check that was kept without it."
    )


class HistoryResponse(BaseModel):
    """A span in equal steps, the oldest first; the last one is not over."""

    model: str
    step_s: int
    steps: list[HistoryStep]
    checks: list[HistoryCheck]


@router.get(
    converted("/{name}/history"),
    summary="Show a model over time",
    responses=OWN.answers(
        Code.UNKNOWN_MODEL, Code.NOT_FOUND, Code.OUT_OF_RANGE, Code.OVERLOADED, Code.NOT_READY, Code.INTERNAL
    ),
)
async def history(
    name: str,
    request: Request,
    serving: ServingNow,
    days: Annotated[
        int, Query(ge=1, le=366, description="Length of the span, which is rounded up to 1, 7, 30, 90 or 366.")
    ] = 7,
) -> HistoryResponse:
    """Texts by version, accuracy by feedback, confidence and drift checks of the last days; no text is shown.

    A step is an hour, six, a day, three days or a week, by the length of the span.
    """
    model = serving.models.current(name, None).name
    desk: HistoryDesk | None = request.app.state.history
    if desk is None:
        raise Problem(Code.NOT_FOUND, NO_STORE)
    found = await desk.of(model, days)
    return HistoryResponse(
        model=model, step_s=found.step_s, steps=[*map(_step, found.steps)], checks=[*map(_check, found.checks)]
    )


def _step(one: Step) -> HistoryStep:
    judged = one.feedback.right + one.feedback.wrong
    return HistoryStep(
        at=datetime.fromtimestamp(one.at_s, UTC),
        texts=sum(one.texts.values()),
        versions={digest[:VERSION_DIGITS]: number for digest, number in one.texts.items()},
        judged=judged,
        accuracy=MeasuredFigure(**one.feedback.accuracy.to_json()) if judged else None,
        confidence=one.confidence,
    )


def _check(one: DriftCheck) -> HistoryCheck:
    return HistoryCheck(
        at=datetime.fromtimestamp(one.at_ms / 1000, UTC),
        texts=one.texts,
        found=one.kind,
        p_value=min(one.p_values.values(), default=None),
        estimated_accuracy=one.accuracy,
        level=one.level,
    )
