"""``POST /v1/anatomy``: one sentence on its way through a model.

There is no GET: a text in the address would be in the access logs of every proxy on its way.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from bertline.explanation.anatomy.settings import AnatomySettings
from bertline.service.explaining import Explaining
from bertline.service.problems import OWN
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, SettingsNow
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.own.explain import SIDES, input_of
from bertline.service.routes.own.schema import ModelReference
from bertline.serving.problems import Code
from bertline.serving.texts import check_texts

router = APIRouter(route_class=JsonRoute)


class AnatomyRequest(BaseModel):
    """One sentence or pair, and where to look."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"text": "I liked the movie, but hated the score.", "layer": 0, "head": 0}]},
    )

    text: str = Field(description="The sentence, of at most 64 tokens.")
    text_pair: str | None = Field(None, description="The second text, for a model that reads pairs.")
    model: str | None = Field(None, description="Name of the model; required only if several are served.")
    layer: int = Field(0, ge=0, description="The layer that the steps show, from 0.")
    head: int = Field(0, ge=0, description="The head that they show, from 0.")
    token: int | None = Field(None, ge=0, description="The token that they follow; by default the text's first.")
    window: int = Field(3, ge=2, le=16, description="Neighbouring words that the model is given together.")
    parts: bool = Field(True, description="Also ask the model about each word and window by itself.")

    def settings(self) -> AnatomySettings:
        """Where to look."""
        return AnatomySettings(
            layer=self.layer, head=self.head, token=self.token, window=self.window, skip_parts=not self.parts
        )


class AnatomyToken(BaseModel):
    """A token of the sentence."""

    text: str = Field(description="Its entry in the vocabulary.")
    id: int
    kind: str = Field(description="special, word, or piece of the word before it.")
    segment: int


class AnatomyStep(BaseModel):
    """One step of the way."""

    name: str
    title: str
    says: str = Field(description="A paragraph that holds for the values.")
    formula: str
    values: dict[str, Any] = Field(description="The numbers of the step, by name.")


class TurnedBy(BaseModel):
    """The word that turns another, and what the label has without it."""

    text: str
    start: int
    end: int
    without: float = Field(description="The label's probability without it.")
    without_both: float = Field(description="Without it and the word that it turns.")


class Alone(BaseModel):
    """A word or a window, given to the model by itself."""

    text: str
    start: int
    end: int
    shown: float = Field(description="The label's probability, or the number.")
    against: float | None = Field(description="Of a model of sentiment: the probability of the other side's label.")
    valence: float | None = Field(description="Of a word of sentiment in VADER's list, −4 to 4.")
    without: float | None = Field(description="Of a word: what the label has in the sentence without it.")
    pieces: list[str] = Field(description="Of a word: what the tokenizer makes of it in the sentence.")
    turned_by: TurnedBy | None = Field(description="The word without which this one does what the list says.")
    differs: bool = Field(description="The list and the model differ on the word.")
    why: str | None = Field(description="How they differ and why; each claim holds for the numbers.")


class AnatomyParts(BaseModel):
    """Words and windows by themselves."""

    label: str
    whole: float
    words: list[Alone]
    windows: list[Alone]
    window: int
    says: str


class AnatomyResponse(BaseModel):
    """One sentence on its way through the model."""

    model: ModelReference
    tokens: list[AnatomyToken]
    layers: int
    heads: int
    layer: int
    head: int
    token: int
    steps: list[AnatomyStep]
    attentions: list[list[list[list[float]]]] = Field(description="Of all heads: [layer][head][token][token].")
    parts: AnatomyParts | None
    answer: dict[str, Any] = Field(description="As the engine gives it.")
    cut_tokens: int = Field(description="Tokens that truncation left out.")


@router.post(
    "/v1/anatomy",
    summary="Anatomy",
    tags=["explain"],
    response_model=AnatomyResponse,
    responses=OWN.answers(*MODEL_ERRORS, Code.UNKNOWN_FIELD),
    dependencies=[AsJson],
)
async def anatomy(
    payload: AnatomyRequest, request: Request, serving: ServingNow, settings: SettingsNow, deadline_s: DeadlineNow
) -> Response:
    """One sentence through the model, step by step, with the numbers of each step.

    Attention weights say what was mixed, not why the model answers as it does; see Explain for that. It waits behind
    all predictions, and its tokens count in the limits.
    """
    version = serving.models.named(payload.model)
    one = input_of(version, payload.text, payload.text_pair)
    check_texts([one], settings, "text", sides=SIDES)
    explaining: Explaining = request.app.state.explaining
    found = await explaining.anatomy(version, one, payload.settings(), deadline_s)
    model: dict[str, Any] = {"name": version.name, "version": version.version}
    headers = {
        "X-Model": quote(version.name, safe=" /"),
        "X-Model-Version": version.version,
        "Cache-Control": "no-store",
    }
    return Response(to_json({"model": model, **found.to_json()}), media_type="application/json", headers=headers)
