"""``/v1/scan``: which changes of a text break the model's answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import to_json

from bertline.errors import UsageError
from bertline.lifecycle.probes.change import Group, Kind
from bertline.lifecycle.probes.found import described
from bertline.lifecycle.probes.settings import MOST_ROWS, ProbeSettings
from bertline.lifecycle.probes.table import probes_for
from bertline.service.explaining import MOST_ANSWERS, Explaining
from bertline.service.problems import OWN
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, SettingsNow
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.own.schema import MeasuredFigure, ModelReference, check_entries
from bertline.service.routes.pairs import Pair, input_of
from bertline.serving.problems import Code, Problem
from bertline.serving.texts import check_texts
from bertline.serving.version import Version

router = APIRouter(prefix="/v1/scan", tags=["explain"], route_class=JsonRoute)
Truth = Literal["surely", "likely"]


class ProbeDescription(BaseModel):
    """A probe."""

    name: str
    group: Group
    about: str = Field(description="What is changed.")
    kind: Kind = Field(description="invariance: the answer must stay; direction: it must not move one way.")
    truth: Truth = Field(description="Whether what is true of a text surely stays the same, or only likely.")


class ScanProbes(BaseModel):
    """The probes for a model."""

    model: ModelReference
    probes: list[ProbeDescription]


class ScanRequest(BaseModel):
    """Texts, and how to probe the model with them."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"texts": ["I didn't like anything about it."], "probes": ["typos"]}]},
    )

    texts: Annotated[list[str | Pair], BeforeValidator(check_entries)] = Field(description="Texts or pairs.")
    model: str | None = Field(None, description="Name of the model; required only if several are served.")
    probes: list[str] = Field(
        [], max_length=50, description="Names of probes or groups; by default all that fit the model."
    )
    budget: int = Field(
        MOST_ANSWERS, ge=8, le=MOST_ANSWERS, description="Most answers of the model that the scan may take."
    )
    seed: int = Field(0, ge=0, description="Of the changes; the same seed changes a text alike.")
    passed: bool = Field(False, description="Also return the cases that passed.")


class ScannedText(BaseModel):
    """A text before or after a change."""

    texts: list[str] = Field(description="The text, or both of a pair.")
    marks: list[list[tuple[int, int]]] = Field(description="For each text, start and end of the words that differ.")
    answer: str = Field(description="The answer in words; of a direction the label that it is about.")
    probability: float | None = Field(description="Of that label.")


class BrokenText(BaseModel):
    """A text whose changed version got another answer."""

    index: int = Field(description="Of the text in the request.")
    before: ScannedText
    after: ScannedText
    label: str | None = Field(description="Of a direction: whose probability went the wrong way.")
    moves: Literal["up", "down"] | None = Field(description="Of a direction: where it may go.")


class ProbeResult(ProbeDescription):
    """What a probe found."""

    texts: int = Field(description="In which there was something to change.")
    alike: int = Field(description="Of them, changed to what the model reads as the same tokens.")
    failed: int = Field(description="Of them, with another answer.")
    rate: MeasuredFigure | None = Field(description="failed / texts, with its 95 % interval.")
    broken: list[BrokenText] = Field(description="The answer that moved furthest first.")


class ScanResponse(BaseModel):
    """What all probes found."""

    model: ModelReference
    texts: int = Field(description="That were probed.")
    left_out: int = Field(description="Of which the model reads nothing.")
    answers: int = Field(description="Of the model that it took.")
    seed: int
    probes: list[ProbeResult]
    cases: list[dict[str, Any]] = Field(description="What broke, as lines of a file for bertline gate --behaviour.")
    passed: list[dict[str, Any]] = Field(description="What did not break, if it was asked for.")


def _reference(version: Version) -> dict[str, Any]:
    return {"name": version.name, "version": version.version}


@router.get("", summary="List probes", responses=OWN.answers(Code.UNKNOWN_MODEL, Code.UNSUPPORTED, Code.NOT_READY))
async def probes(serving: ServingNow, model: str | None = None) -> ScanProbes:
    """The probes that say something about a model."""
    version = serving.models.named(model)
    try:
        fitting = probes_for(version.spec)
    except UsageError as error:
        message = f"{error}."
        raise Problem(Code.UNSUPPORTED, f"{message[0].upper()}{message[1:]}", "model") from None
    return ScanProbes(
        model=ModelReference(**_reference(version)), probes=[ProbeDescription(**described(one)) for one in fitting]
    )


@router.post(
    "",
    summary="Scan",
    response_model=ScanResponse,
    responses=OWN.answers(*MODEL_ERRORS, Code.UNKNOWN_FIELD),
    dependencies=[AsJson],
)
async def scan(
    payload: ScanRequest, request: Request, serving: ServingNow, settings: SettingsNow, deadline_s: DeadlineNow
) -> Response:
    """Change texts so that the answer must stay, or move one way, and see which changes break it.

    It takes an answer for each text and each changed text, up to budget, which count as tokens in the limits, and waits
    behind all predictions. A scan that would take more is refused before its first answer.
    """
    version = serving.models.named(payload.model)
    inputs = [input_of(one) for one in payload.texts]
    check_texts(inputs, settings, "texts")
    if any(isinstance(one, str) == version.spec.pairs for one in inputs):
        reads = (
            "pairs of texts: send them as {text, text_pair}" if version.spec.pairs else "single texts: send no pairs"
        )
        raise Problem(Code.UNSUPPORTED, f"{version.name} reads {reads}.", "texts")
    how = ProbeSettings(
        probes=tuple(payload.probes), rows=min(len(inputs), MOST_ROWS), budget=payload.budget, seed=payload.seed
    )
    explaining: Explaining = request.app.state.explaining
    found = await explaining.scan(version, inputs, how, deadline_s)
    headers = {
        "X-Model": quote(version.name, safe=" /"),
        "X-Model-Version": version.version,
        "Cache-Control": "no-store",
    }
    content = {"model": _reference(version), **found.to_json(passed=payload.passed)}
    return Response(to_json(content), media_type="application/json", headers=headers)
