"""Feedback on answers: what would have been correct."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bertline.bundle.store import VERSION_DIGITS
from bertline.lifecycle.predictions.given import MOST_ITEMS, Feedback, Status
from bertline.service.exchange import SANE_ID, current
from bertline.service.listeners.predictions import client_of
from bertline.service.problems import OWN
from bertline.service.routes.context import UNREAD, AsJson, ServingNow
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.own.schema import MeasuredFigure, ModelReference
from bertline.serving.problems import Code, Problem

if TYPE_CHECKING:
    from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck
    from bertline.lifecycle.predictions.figures import Counts

LARGEST_BYTES = 16_384  # of one correct answer
NO_STORE = "This server keeps no predictions, so it takes no feedback: start it with --predictions-url."

router = APIRouter(route_class=JsonRoute)


class FeedbackItem(BaseModel):
    """What would have been the correct answer to one text of a request."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"request_id": "3f2a9c…", "correct": "good"}]}
    )

    request_id: str = Field(min_length=1, max_length=128, description="X-Request-Id of the response.")
    index: int = Field(0, ge=0, le=1_000_000, description="Index of the text in the request.")
    correct: Any = Field(
        description="In the terms of the model's task: a label, a list of labels, a number, a list of entities, the "
        "relevance of the text, or a word for each [MASK]."
    )
    source: str = Field("", max_length=64, description="System that it comes from.")
    annotator: str = Field("", max_length=128, description="Person or rule that it comes from.")
    time: str | None = Field(
        None, max_length=40, description="When it was given, in ISO 8601 with a time zone; default: now."
    )


class FeedbackRequest(BaseModel):
    """Feedback on one or more answers."""

    model_config = ConfigDict(extra="forbid", strict=True)

    items: Annotated[list[FeedbackItem], Field(min_length=1, max_length=MOST_ITEMS, fail_fast=True)]


class WithdrawRequest(BaseModel):
    """Feedback of one annotator on one text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    request_id: str = Field(min_length=1, max_length=128, description="X-Request-Id of the response.")
    index: int = Field(0, ge=0, le=1_000_000, description="Index of the text in the request.")
    source: str = Field("", max_length=64, description="As it was given.")
    annotator: str = Field("", max_length=128, description="As it was given.")


class WithdrawResponse(BaseModel):
    """Whether there was such feedback."""

    withdrawn: bool


class LiveVersion(BaseModel):
    """One version by feedback."""

    version: str
    right: int = Field(description="Answers that were right.")
    wrong: int = Field(description="Answers that were wrong.")
    accuracy: MeasuredFigure | None = Field(description="With Wilson's 95 % interval; null without either.")


class AccuracyTest(BaseModel):
    """A test of whether the accuracy of the version that answers now has dropped."""

    version: str
    at: AwareDatetime = Field(description="When it was made.")
    labels: int = Field(description="Answers with feedback that were looked at.")
    dropped: bool = Field(description="Whether accuracy dropped, and is still below what was expected.")
    since: AwareDatetime | None = Field(description="When the first answer after the drop was given.")
    accuracy: float = Field(description="Since the drop; of all answers without one.")
    expected: float = Field(description="By the test rows of the model, less their standard error.")


class LiveResponse(BaseModel):
    """The versions of a model that have feedback."""

    model: str
    versions: list[LiveVersion]
    tested: AccuracyTest | None = Field(
        description="The latest test by bertline drift or bertline retrain; null if there is none of this version."
    )


class FeedbackOutcome(BaseModel):
    """What became of one item."""

    request_id: str
    index: int
    status: Status = Field(
        description="counted; corrected: it contradicts earlier feedback and counts instead; superseded: it "
        "contradicts later feedback, which still counts; duplicate; unknown: there is no such prediction (yet); "
        "invalid: the model cannot have been to give this answer."
    )
    message: str | None = Field(None, description="What is to be said about it.")
    model: ModelReference | None = Field(None, description="The model that answered.")
    right: bool | None = Field(None, description="Whether its answer was right; null if it is neither.")
    age_s: float | None = Field(None, description="Seconds between the answer and its feedback.")


class FeedbackResponse(BaseModel):
    """The outcome of each item, in their order, and how many there are of each."""

    items: list[FeedbackOutcome]
    counts: dict[Status, int]


@router.post(
    "/v1/feedback",
    summary="Give feedback",
    tags=["feedback"],
    response_model_exclude_none=True,
    responses=OWN.answers(
        *UNREAD, Code.INVALID_JSON, Code.NOT_JSON, Code.MISSING_FIELD, Code.WRONG_TYPE, Code.UNKNOWN_FIELD,
        Code.OUT_OF_RANGE, Code.NOT_FOUND, Code.OVERLOADED, Code.NOT_READY, Code.INTERNAL,
    ),
    dependencies=[AsJson],
)  # fmt: skip
async def feedback(payload: FeedbackRequest, request: Request) -> FeedbackResponse:
    """Say what the correct answers were.

    Each item names a text by its request's X-Request-Id and its index. All items are kept together, or none; the same
    may be sent again. Its status says what became of each.
    """
    desk = request.app.state.feedback
    if desk is None:
        raise Problem(Code.NOT_FOUND, NO_STORE)
    given = [_feedback(place, one) for place, one in enumerate(payload.items)]
    exchange = current()
    outcomes = await desk.take(given, None if exchange is None else client_of(exchange))
    items = [
        FeedbackOutcome(
            request_id=one.request_id,
            index=one.index,
            status=outcome.status,
            message=outcome.message or None,
            model=_model(outcome.model, outcome.digest),
            right=outcome.right,
            age_s=outcome.age_s,
        )
        for one, outcome in zip(payload.items, outcomes, strict=True)
    ]
    counts = Counter(one.status for one in items)
    for status, number in counts.items():
        request.app.state.metrics.metrics.count("bertline_feedback", number, status=status)
    return FeedbackResponse(items=items, counts=dict(counts))


@router.get(
    "/v1/feedback",
    summary="Show live accuracy",
    tags=["feedback"],
    responses=OWN.answers(Code.NOT_FOUND, Code.UNKNOWN_MODEL, Code.OVERLOADED, Code.NOT_READY, Code.INTERNAL),
)
async def accuracy(request: Request, serving: ServingNow, model: str | None = None) -> LiveResponse:
    """How often each version of a model was right, by the feedback on its answers; no text is shown.

    The counts may be some seconds old. Feedback is rarely a random sample of all answers.
    """
    desk = request.app.state.feedback
    if desk is None:
        raise Problem(Code.NOT_FOUND, NO_STORE)
    answering = serving.models.current(model)
    found = await desk.accuracy(answering.name)
    tested = found.tested if found.tested is not None and found.tested.digest == answering.checksum else None
    return LiveResponse(
        model=answering.name,
        versions=[_live(digest, one) for digest, one in found.counts.items()],
        tested=None if tested is None else _tested(tested),
    )


def _tested(check: AccuracyCheck) -> AccuracyTest:
    return AccuracyTest(
        version=check.digest[:VERSION_DIGITS],
        at=datetime.fromtimestamp(check.at_ms / 1000, UTC),
        labels=check.labels,
        dropped=check.dropped,
        since=None if check.since_ms is None else datetime.fromtimestamp(check.since_ms / 1000, UTC),
        accuracy=check.accuracy,
        expected=check.expected,
    )


def _live(digest: str, found: Counts) -> LiveVersion:
    judged = found.right + found.wrong
    figure = MeasuredFigure(**found.accuracy.to_json()) if judged else None
    return LiveVersion(version=digest[:VERSION_DIGITS], right=found.right, wrong=found.wrong, accuracy=figure)


@router.post(
    "/v1/feedback/withdraw",
    summary="Take feedback back",
    tags=["feedback"],
    responses=OWN.answers(
        *UNREAD, Code.INVALID_JSON, Code.NOT_JSON, Code.MISSING_FIELD, Code.WRONG_TYPE, Code.UNKNOWN_FIELD,
        Code.OUT_OF_RANGE, Code.NOT_FOUND, Code.OVERLOADED, Code.NOT_READY, Code.INTERNAL,
    ),
    dependencies=[AsJson],
)  # fmt: skip
async def withdraw(payload: WithdrawRequest, request: Request) -> WithdrawResponse:
    """Take back the last feedback of an annotator on a text, as if it had never been given.

    What was said before counts again. Nobody can take back what another client sent.
    """
    desk = request.app.state.feedback
    if desk is None:
        raise Problem(Code.NOT_FOUND, NO_STORE)
    exchange = current()
    client = None if exchange is None else client_of(exchange)
    source, annotator = (storable(one) for one in (payload.source, payload.annotator))
    return WithdrawResponse(
        withdrawn=await desk.give_back(payload.request_id, payload.index, source, annotator, client)
    )


def _feedback(place: int, item: FeedbackItem) -> Feedback:
    if not SANE_ID.fullmatch(item.request_id.encode("utf-8", "replace")):
        field = f"items[{place}].request_id"
        message = f"{field} is no request id that this server gives or accepts: send X-Request-Id of the response."
        raise Problem(Code.OUT_OF_RANGE, message, field)
    if len(json.dumps(item.correct)) > LARGEST_BYTES:
        field = f"items[{place}].correct"
        raise Problem(Code.OUT_OF_RANGE, f"{field} may have up to {LARGEST_BYTES:,} bytes as JSON: send less.", field)
    source, annotator = (storable(one) for one in (item.source, item.annotator))
    return Feedback(item.request_id, item.correct, item.index, source, annotator, _ms(place, item.time))


def storable(name: str) -> str:
    """Without what PostgreSQL cannot hold: NUL, and halves of surrogate pairs."""
    return name.replace("\0", "").encode("utf-8", "replace").decode()


def _ms(place: int, time: str | None) -> int | None:
    if time is None:
        return None
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        field = f"items[{place}].time"
        message = f"{field} must be a time in ISO 8601 with its zone, as in 2026-11-30T12:00:00Z."
        raise Problem(Code.OUT_OF_RANGE, message, field)
    return round(1000 * moment.timestamp())


def _model(name: str | None, digest: str | None) -> ModelReference | None:
    return None if name is None or digest is None else ModelReference(name=name, version=digest[:VERSION_DIGITS])
