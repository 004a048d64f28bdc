"""``POST /v1/explain``: which words an answer rests on."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from bertline.bundle.reference import Split
from bertline.explanation.changes import How
from bertline.explanation.settings import ExplainSettings, Perturbing, Removal
from bertline.service.explaining import MOST_ANSWERS, Explaining
from bertline.service.problems import OWN
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, SettingsNow
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.own.schema import ModelReference
from bertline.service.settings import ServeSettings
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.texts import check_texts
from bertline.serving.version import Version
from bertline.text import Input

router = APIRouter(route_class=JsonRoute)
SIDES = ("text", "text_pair")
MOST_NEAREST = 20  # rows


class Characters(BaseModel):
    """Where a span of a text is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    start: int = Field(ge=0, description="Of the first character.")
    end: int = Field(ge=1, description="After the last character.")


class ExplainRequest(BaseModel):
    """One text or pair, and how to explain its answer."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"text": "I liked the movie, but hated the score."}]},
    )

    text: str = Field(description="The text.")
    text_pair: str | None = Field(None, description="The second text, for a model that reads pairs.")
    model: str | None = Field(None, description="Name of the model; required only if several are served.")
    label: str | None = Field(None, description="The label to explain; by default the one that the model gives.")
    span: Characters | None = Field(
        None, description="Of a tagger: the characters whose label is explained; by default the first entity."
    )
    method: Perturbing = Field("linear", description="How the share of a word is found.")
    removal: Removal = Field("delete", description="delete: a removed word is gone; mask: [MASK] is in its place.")
    budget: int = Field(
        200, ge=8, le=MOST_ANSWERS, description="Most answers of the model that the explanation may take."
    )
    seed: int = Field(0, ge=0, description="Of the sampled orders.")
    phrases: bool = Field(
        False, description="Also find words that together do more or less than alone, in up to budget answers more."
    )
    counter: bool = Field(
        False,
        description="Also find the smallest change of words that turns the answer, in budget answers more. Where a "
        "text has one label, that is the one that the model gives, whichever label is explained; where it may have "
        "several, it is label.",
    )
    replacements: str | None = Field(
        None,
        description="Name of a served model that fills in words: the change replaces words by ones that it proposes. "
        "Implies counter.",
    )
    nearest: int = Field(
        0,
        ge=0,
        le=MOST_NEAREST,
        description="Also find so many of the labelled rows that the model's bundle carries, those nearest to the text "
        "by embedding. Only if the server has nearest_texts.",
    )

    def settings(self) -> ExplainSettings:
        """How to explain."""
        return ExplainSettings(
            method=self.method, removal=self.removal, budget=self.budget, seed=self.seed, phrases=self.phrases
        )


class WordShare(BaseModel):
    """A word and its share."""

    text: str
    side: int = Field(description="0, or 1 in the second text of a pair.")
    start: int = Field(description="Of its characters in its text.")
    end: int
    share: float = Field(description="What it adds to the value; negative if it speaks against it.")
    error: float | None = Field(description="Standard error of the share, if orders were sampled.")


class PhraseWord(BaseModel):
    """A word of a phrase."""

    text: str
    side: int = Field(description="0, or 1 in the second text of a pair.")
    start: int = Field(description="Of its characters in its text.")
    end: int
    alone: float = Field(description="What the value loses without this word only.")


class PhraseShare(BaseModel):
    """Words that do more or less together than alone."""

    text: str = Field(description="Its words, with … between those that are not neighbours.")
    words: list[PhraseWord]
    share: float = Field(description="What the value loses without all of them. Exact: nothing is sampled.")
    beyond: float = Field(description="share less the sum of alone; 0 of words that act independently.")


class MeasuredFaithfulness(BaseModel):
    """How faithful the shares are (DeYoung et al. 2020)."""

    comprehensiveness: float = Field(description="Mean fall when the words with the largest shares go: high is good.")
    sufficiency: float = Field(description="Mean fall when only those words stay: low is good.")


class CounterWord(BaseModel):
    """A word that is changed."""

    text: str
    side: int = Field(description="0, or 1 in the second text of a pair.")
    start: int = Field(description="Of its characters in its text.")
    end: int
    replacement: str | None = Field(description="The word in its place; null if it is left out.")
    probability: float | None = Field(
        description="That the masked language model gives the replacement there, in the changed text."
    )


class CounterTurn(BaseModel):
    """A change that turns the answer."""

    words: list[CounterWord] = Field(description="That are changed; none if no change was found.")
    texts: list[str] = Field(description="After the change.")
    turned: str = Field(description="The label then.")
    shown: float = Field(description="Its probability.")


class CounterEvidence(CounterTurn):
    """The smallest change of words that turns the answer."""

    label: str = Field(
        description="The answer that the change turns: the one that the model gives, whichever label is explained; "
        "where a text may have several, the one asked about, or not and that one."
    )
    how: How = Field(description="replace, delete, or mask for [MASK] in a word's place.")
    before: list[str] = Field(description="The texts as they came.")
    others: list[CounterTurn] = Field(description="Further replacements of as few words, the most fluent first.")
    ruled_out: int = Field(description="Changes of up to so many words leave the label: all were tried.")
    least: bool = Field(description="Whether no change of fewer words turns the label, with the words proposed.")
    why: str | None = Field(description="Why words are left out and not replaced; null if they are replaced.")
    answers: int = Field(description="Of the model that it took.")
    proposals: int = Field(description="Texts that the masked language model was asked about.")


class NearEntity(Characters):
    """An entity of a row."""

    label: str = Field(description="Its type.")


class NearRow(BaseModel):
    """A row that the bundle carries: it was held out, and the model did not learn from it."""

    text: str
    text_pair: str | None = Field(None, description="The second text of a pair. Absent for a single text.")
    target: str | float | list[str] | list[NearEntity] = Field(
        description="What is true of it: a label, several, a number, or entities."
    )
    similarity: float = Field(description="Cosine of its embedding and the text's, −1 to 1.")
    split: Split = Field(description="Which rows it is of: those of validation, or those of the test.")
    line: int = Field(description="Of reference/{split}.jsonl in the bundle, from 1.")
    has_label: bool | None = Field(
        description="Whether the label that is explained is true of it, or it has such an entity; null for a number."
    )


class ExplainResponse(BaseModel):
    """The shares of the words in one answer."""

    model: ModelReference
    label: str
    span: Characters | None = Field(description="The characters whose label it is, of a tagger.")
    unit: str = Field(description="log-odds, or number.")
    value: float = Field(description="Of the text. base and all shares add up to it, but for leave-one-out.")
    shown: float = Field(description="The same as a probability, or the number.")
    base: float = Field(description="Of the text without any word.")
    words: list[WordShare]
    method: Perturbing
    removal: Removal
    orders: int = Field(description="Of the words that were sampled; 0 if none had to be.")
    answers: int = Field(description="Of the model that it took.")
    cut_tokens: int = Field(description="Tokens that truncation left out.")
    faithfulness: MeasuredFaithfulness | None
    completeness_error: float | None = Field(description="None: base and shares add up exactly.")
    phrases: list[PhraseShare] | None = Field(
        description="If they were asked for: the largest difference from their words alone first."
    )
    counter: CounterEvidence | None = Field(None, description="If it was asked for.")
    nearest: list[NearRow] | None = Field(None, description="If they were asked for: the most similar first.")


def filler_of(serving: Serving, name: str | None) -> Version | None:
    """The model that proposes words; None if none is named.

    Raises:
        Problem: there is no such model, or it fills in no words.
    """
    if name is None:
        return None
    version = serving.models.named(name, "replacements")
    if version.spec.task != "fill":
        message = (
            f"{version.name} fills in no words, its task is {version.spec.task}: name a masked language model, or "
            "leave replacements out."
        )
        raise Problem(Code.UNSUPPORTED, message, "replacements")
    return version


def refuse_nearest(settings: ServeSettings) -> None:
    """Refuse to show rows, unless the server may.

    Raises:
        Problem: it may not.
    """
    if not settings.nearest_texts:
        message = (
            "This server does not show the labelled rows of its models: start it with --nearest-texts, or leave "
            "nearest out."
        )
        raise Problem(Code.UNSUPPORTED, message, "nearest")


def input_of(version: Version, text: str, text_pair: str | None) -> Input:
    """The input of a request.

    Raises:
        Problem: it is a pair and the model reads single texts, or the other way round.
    """
    if version.spec.pairs != (text_pair is not None):
        message = (
            f"{version.name} reads pairs of texts: send the second one in text_pair."
            if version.spec.pairs
            else f"{version.name} reads single texts: send no text_pair."
        )
        raise Problem(Code.UNSUPPORTED, message, "text_pair")
    return text if text_pair is None else (text, text_pair)


@router.post(
    "/v1/explain",
    summary="Explain",
    tags=["explain"],
    response_model=ExplainResponse,
    responses=OWN.answers(*MODEL_ERRORS, Code.UNKNOWN_FIELD),
    dependencies=[AsJson],
)
async def explain(
    payload: ExplainRequest, request: Request, serving: ServingNow, settings: SettingsNow, deadline_s: DeadlineNow
) -> Response:
    """The share of each word in the model's answer to one text.

    It takes up to budget answers of the model, which count as tokens in the limits, and waits behind all predictions;
    with replacements, answers of both models count. The first request for nearest rows waits until the model's rows are
    embedded, which counts for nobody.
    """
    version = serving.models.named(payload.model)
    one = input_of(version, payload.text, payload.text_pair)
    valid = version.spec.names or version.spec.labels
    if payload.label is not None and payload.label not in valid:
        raise Problem(Code.OUT_OF_RANGE, f"label must be one of {', '.join(valid)}.", "label")
    check_texts([one], settings, "text", sides=SIDES)
    explaining: Explaining = request.app.state.explaining
    span = None if payload.span is None else (payload.span.start, payload.span.end)
    filler = filler_of(serving, payload.replacements)
    counter = payload.counter or filler is not None
    if payload.nearest:
        refuse_nearest(settings)
    near = await explaining.nearest(version, one, payload.nearest, deadline_s) if payload.nearest else None
    found, turned = await explaining.explain(
        version, one, payload.settings(), payload.label, span, deadline_s, counter=counter, filler=filler
    )
    model: dict[str, Any] = {"name": version.name, "version": version.version}
    headers = {
        "X-Model": quote(version.name, safe=" /"),
        "X-Model-Version": version.version,
        "Cache-Control": "no-store",
    }
    content = {"model": model, **found.to_json(), "counter": None if turned is None else turned.to_json()}
    content["nearest"] = None if near is None else [row.to_json() | {"has_label": row.has(found.name)} for row in near]
    return Response(to_json(content), media_type="application/json", headers=headers)
