"""``GET /v1/models/{name}/verdicts``: what gates said of the versions that are loaded."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from bertline.bundle.verdict import Decided, SignatureState
from bertline.service.name_convertor import converted
from bertline.service.problems import OWN, UNCACHED
from bertline.service.registry_verdicts import RegistryVerdicts
from bertline.service.routes.context import ServingNow
from bertline.serving.problems import Code

router = APIRouter(prefix="/v1/models", tags=["compare"])


class GateCheck(BaseModel):
    """One check of a gate."""

    name: str
    decision: Decided
    sentence: str = Field(description="Why, with its figures.")
    figures: dict[str, Any] = Field(description="The figures as numbers.")


class GateVerdict(BaseModel):
    """What a gate said of a version."""

    hash: str = Field(description="SHA-256, by which the log of deployments names it.")
    version: str = Field(description="The version that was judged: the challenger.")
    challenger: str = Field(description="Digest of its bundle.")
    champion: str | None = Field(description="Digest of the bundle that it was compared with; null if there was none.")
    decision: Decided | None = Field(
        description="Whether it may replace the champion; null if the verdict was changed."
    )
    created: str = Field(description="When, in UTC.")
    rows: int | None = Field(description="Rows that both were judged by.")
    reason: str | None
    checks: list[GateCheck]
    changed: bool = Field(
        description="Whether it was changed in the database after it was written. Nothing of it is shown then."
    )
    signature: SignatureState | None = Field(
        description=(
            "`verified`: a key that the server requires of bundles (`--require-signed-by`) signed it; `unverified`: "
            "another key did; `wrong`: a signature by such a key does not fit; `unsigned`: nobody did; null if the "
            "verdict was changed."
        )
    )
    signed_by: list[str] = Field(description="Ids of the keys that are said to have signed it.")


class GateVerdicts(BaseModel):
    """Verdicts on the loaded versions of a model."""

    model: str
    verdicts: list[GateVerdict] | None = Field(description="Null if the server has no model of a registry.")


@router.get(
    converted("/{name}/verdicts"),
    summary="Show the gate's verdicts",
    response_model=GateVerdicts,
    responses=OWN.answers(Code.UNKNOWN_MODEL, Code.NOT_READY),
)
async def verdicts(name: str, request: Request, serving: ServingNow) -> Response:
    """What gates said of each loaded version of a model, by the registry: the newest 20, with every check.

    The registry keeps the verdict that a version was promoted, tried or added with.
    """
    loaded = serving.models.loaded(serving.models.current(name, None).name)
    registry: RegistryVerdicts | None = request.app.state.verdicts
    if registry is None:
        body = to_json({"model": name, "verdicts": None})
    else:
        body = await registry.body(name, {one.checksum: one.version for _, one in loaded})  # one may be loaded twice
    return Response(body, media_type="application/json", headers=UNCACHED)
