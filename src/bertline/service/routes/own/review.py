"""Texts for people who label: handed out so that nobody gets what another one has, and how labelling goes.

With authentication it requires the scope ``review``, because it shows texts of clients; without, a client on this
machine.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from bertline.bundle.store import VERSION_DIGITS
from bertline.errors import DataError
from bertline.lifecycle.predictions.records import REVIEW, Why
from bertline.service.exchange import current
from bertline.service.listeners.predictions import client_of
from bertline.service.problems import OWN
from bertline.service.review_desk import ReviewDesk
from bertline.service.routes.context import UNREAD, AsJson, ServingNow
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.local import local_only
from bertline.service.routes.own.feedback import storable
from bertline.service.routes.own.schema import MeasuredFigure
from bertline.service.routes.pairs import Pair
from bertline.serving.problems import Code, Problem

if TYPE_CHECKING:
    from bertline.lifecycle.predictions.labelling import Person
    from bertline.lifecycle.predictions.review import Candidate

MOST_TEXTS = 50  # of a call
MOST_SAMPLED = 1_000
MORE = 100  # labels, whose gain is told
NO_STORE = "This server keeps no predictions, so there is nothing to label: start it with --predictions-url."
NOT_LOCAL = "Texts are shown on the machine that serves them: use 127.0.0.1 there, or an API key with the scope review."
ERRORS = (
    Code.NOT_LOCAL, Code.NOT_FOUND, Code.UNKNOWN_MODEL, Code.OVERLOADED, Code.NOT_READY, Code.INTERNAL,
)  # fmt: skip
BODY_ERRORS = (
    *ERRORS, *UNREAD, Code.INVALID_JSON, Code.INVALID_TEXT, Code.NOT_JSON, Code.MISSING_FIELD, Code.WRONG_TYPE,
    Code.UNKNOWN_FIELD, Code.OUT_OF_RANGE,
)  # fmt: skip
TextId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class PersonRequest(BaseModel):
    """Who labels."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = Field(None, description="Name of the model; required only if several are served.")
    annotator: str = Field(min_length=1, max_length=128, description="Name of the person.")
    holder: str = Field("", max_length=64, description="Page or program; another one gets other texts.")


class ReviewRequest(PersonRequest):
    """Texts for a person."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"annotator": "ana", "limit": 5}]})

    limit: int = Field(10, ge=1, le=MOST_TEXTS, description="Most texts.")
    holding: Annotated[list[TextId], Field(max_length=MOST_TEXTS)] = Field(
        [], description="Ids of texts that it has already: their time begins again."
    )


class SkipRequest(PersonRequest):
    """A text that is given back."""

    id: TextId = Field(description="Of the text.")


class ReviewText(BaseModel):
    """A text to label."""

    id: str = Field(description="The same for equal texts.")
    request_id: str = Field(description="For POST /v1/feedback.")
    index: int
    texts: list[str] = Field(description="One, or the two of a pair or of a query and a text.")
    why: Why = Field(description="Why it is worth a label.")
    version: str = Field(description="Of the model that answered.")
    answer: Any = Field(description="Of the model, in the form of a label.")
    feedback: Any = Field(None, description="The label that looks wrong.")
    shadow: Any = Field(None, description="Answer of the other version, where the two disagree.")


class ReviewResponse(BaseModel):
    """Texts that are lent for ten minutes."""

    source: str = Field(description="Send it with the feedback.")
    texts: list[ReviewText]


class SampleResponse(BaseModel):
    """Texts or pairs, as POST /v1/scan takes them."""

    texts: list[str | Pair]


class AnnotatorLabels(BaseModel):
    """A person, or a source without names."""

    name: str
    texts: int


class MoreLabels(BaseModel):
    """What more labels would buy."""

    labels: int = Field(description="So many more.")
    gain: MeasuredFigure = Field(description="Of accuracy, with its 95 % interval; of texts chosen at random.")


class ReviewProgress(BaseModel):
    """How the labelling of a model goes."""

    model: str
    keeps_texts: bool = Field(description="Whether the server keeps the texts of new predictions.")
    client: str | None = Field(description="Name of the authenticated client.")
    waiting: dict[Why, int] = Field(description="Texts that are worth a label, by reason.")
    labelled: int = Field(description="Texts with a label.")
    annotators: list[AnnotatorLabels]
    shared: int = Field(description="Texts that two people or more labelled.")
    same: int = Field(description="Of these, texts on which all agree.")
    agreement: MeasuredFigure | None = Field(
        description="Krippendorff's alpha with its 95 % interval: 1 if all agree, 0 as by chance. Null with fewer than "
        "20 shared texts."
    )
    more_labels: MoreLabels | None = Field(
        description="By the learning curve that training measured; null where the bundle has none."
    )


async def _desk(request: Request) -> ReviewDesk:
    desk: ReviewDesk | None = request.app.state.review
    if desk is None:
        raise Problem(Code.NOT_FOUND, NO_STORE)
    return desk


DeskNow = Annotated[ReviewDesk, Depends(_desk)]
router = APIRouter(
    prefix="/v1/review", tags=["feedback"], dependencies=[Depends(local_only(NOT_LOCAL))], route_class=JsonRoute
)


@router.get("", summary="Show how labelling goes", responses=OWN.answers(*ERRORS))
async def progress(serving: ServingNow, desk: DeskNow, model: str | None = None) -> ReviewProgress:
    """What waits for a label, who labelled how much, and how far people agree."""
    from bertline.lifecycle.predictions.more_labels import gain_of

    version = serving.models.current(model)
    name, gain = version.name, gain_of(version.metrics, MORE)
    found = await desk.progress(name)
    labels, exchange = found.labels, current()
    agreement = labels.agreement
    return ReviewProgress(
        model=name,
        keeps_texts=desk.keeps_texts,
        client=None if exchange is None else client_of(exchange),
        waiting=found.waiting,
        labelled=labels.texts,
        annotators=[AnnotatorLabels(name=one, texts=number) for one, number in labels.labels.items()],
        shared=labels.shared,
        same=labels.same,
        agreement=agreement and MeasuredFigure(**agreement.to_json()),
        more_labels=gain and MoreLabels(labels=MORE, gain=MeasuredFigure(**gain.to_json())),
    )


@router.post("", summary="Get texts to label", responses=OWN.answers(*BODY_ERRORS), dependencies=[AsJson])
async def hand_out(payload: ReviewRequest, serving: ServingNow, desk: DeskNow) -> ReviewResponse:
    """Texts that are worth a label, each with the reason.

    The label looks wrong, the answer differs from a shadow's, the text is unlike those that the model was measured on,
    or the model was unsure.

    They are lent to the annotator for ten minutes; nobody else gets them meanwhile. Send labels to /v1/feedback. One in
    ten labelled texts is given to a second person, so that agreement can be measured.
    """
    name = serving.models.current(payload.model).name
    found = await desk.hand_out(name, _person(payload), payload.limit, payload.holding)
    return ReviewResponse(source=REVIEW, texts=[_text(one) for one in found])


@router.post("/skip", summary="Skip a text", responses=OWN.answers(*BODY_ERRORS), dependencies=[AsJson])
async def skip(payload: SkipRequest, serving: ServingNow, desk: DeskNow) -> dict[str, bool]:
    """Give a text back without a label: others may have it, and the annotator gets it again a day later."""
    await desk.skip(serving.models.current(payload.model).name, payload.id, _person(payload))
    return {"skipped": True}


@router.get("/texts", summary="Get a sample of the texts", responses=OWN.answers(*ERRORS, Code.OUT_OF_RANGE))
async def sample(
    serving: ServingNow,
    desk: DeskNow,
    model: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_SAMPLED, description="Most texts.")] = MOST_TEXTS,
) -> SampleResponse:
    """Texts that clients sent and the server kept, chosen at random, such as those to scan the model with."""
    found = await desk.sample(serving.models.current(model).name, limit)
    return SampleResponse(texts=[one if isinstance(one, str) else Pair(text=one[0], text_pair=one[1]) for one in found])


@router.get(
    "/labels.csv",
    summary="Get the labelled texts",
    response_class=FileResponse,
    responses=OWN.answers(*ERRORS),
)
async def labels(serving: ServingNow, desk: DeskNow, model: str | None = None) -> FileResponse:
    """All labelled texts of a model as a CSV file that bertline train reads."""
    name = serving.models.current(model).name
    folder = Path(tempfile.mkdtemp(prefix="bertline-labels-"))
    remove = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    try:
        await desk.export(name, folder / "labels.csv")
    except BaseException as error:
        await remove()
        if isinstance(error, DataError):
            raise Problem(Code.NOT_FOUND, f"No text of {name} that was kept has a label yet.") from None
        raise
    return FileResponse(
        folder / "labels.csv",
        media_type="text/csv; charset=utf-8",
        filename="labels.csv",
        headers={"Cache-Control": "no-store"},
        background=remove,
    )


def _person(payload: PersonRequest) -> Person:
    from bertline.lifecycle.predictions.labelling import Person

    return Person(storable(payload.annotator), storable(payload.holder))


def _text(one: Candidate) -> ReviewText:
    assert one.texts is not None
    return ReviewText(
        id=one.text_hash,
        request_id=one.request_id,
        index=one.item,
        texts=[*one.texts],
        why=one.why,
        version=one.digest[:VERSION_DIGITS],
        answer=one.answer,
        feedback=one.correct if one.why == "label error" else None,  # a second opinion is one's own
        shadow=one.other,
    )
