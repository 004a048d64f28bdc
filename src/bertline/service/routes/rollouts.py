"""Begins, shows and ends the rollout of a model: a shadow, or a canary in steps.

With authentication it requires the scope ``admin``; without, a client on this machine.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bertline.errors import UsageError
from bertline.lifecycle.rollout.plan import Plan
from bertline.registry.rollout import SHADOW, STEPS, parsed_steps
from bertline.service.guard.door import ANONYMOUS
from bertline.service.name_convertor import converted
from bertline.service.problems import OWN
from bertline.service.rollouts import ServerRollouts, Shown
from bertline.service.routes.admin import require_local
from bertline.service.routes.context import UNREAD, AsJson
from bertline.service.routes.json_body import JsonRoute
from bertline.serving.problems import Code, Problem
from bertline.statistics.figures import rate

ERRORS = (
    Code.NOT_LOCAL, Code.CANNOT_LOAD, Code.UNKNOWN_MODEL, Code.NOT_READY, Code.INVALID_JSON, Code.INVALID_TEXT,
    Code.NOT_JSON, Code.MISSING_FIELD, Code.WRONG_TYPE, Code.UNKNOWN_FIELD, Code.OUT_OF_RANGE, *UNREAD,
)  # fmt: skip


class ShadowRequest(BaseModel):
    """A bundle that computes what the model answers, and answers nothing."""

    model_config = ConfigDict(extra="forbid")

    bundle: str = Field(min_length=1, description="Its directory on the machine that serves.")
    plan: Plan = Field(default_factory=Plan, description="Settings of the decisions.")


class CanaryRequest(ShadowRequest):
    """A bundle that answers a rising share of the clients."""

    steps: str = Field(",".join(STEPS), description="Rising shares in percent, perhaps with shadow before them.")


class RolloutCounts(BaseModel):
    """What has been counted in the current step, by this server, or by all if the registry decides."""

    champion_requests: int
    champion_errors: int
    champion_timed: int
    champion_slow: int
    challenger_requests: int
    challenger_errors: int
    challenger_timed: int
    challenger_slow: int
    compared: int
    disagreed: int
    dropped: int
    shift: float = Field(description="Sum over compared requests of the mean difference of scores.")
    champion_s: float = Field(description="Sum of the computing times of compared requests.")
    challenger_s: float


class RolloutState(BaseModel):
    """The last rollout of a model."""

    number: int
    decided_by: Literal["server", "registry"] = Field(
        description="The registry decides for all servers of a model that follows its champion."
    )
    model: str
    challenger: str
    status: str
    step: str
    steps: list[str]
    place: int = Field(description="Index of the current step, or of the last one.")
    share: float = Field(description="Of the requests that the challenger answers in this step, from 0 to 1.")
    since: AwareDatetime = Field(description="When this step began, or the rollout ended.")
    by: str = Field(description="Who began it.")
    reason: str
    outlook: str | None = Field(description="What the counts say of the next step; null once it has ended.")
    slow_ms: float | None = Field(description="A request that takes longer is slow; null before that is known.")
    counts: RolloutCounts | None = Field(description="Null before anything was counted in this step.")


async def _rollouts(request: Request) -> ServerRollouts:
    rollouts: ServerRollouts = request.app.state.rollouts
    return rollouts


RolloutsNow = Annotated[ServerRollouts, Depends(_rollouts)]
router = APIRouter(prefix="/v1/models", tags=["admin"], dependencies=[Depends(require_local)], route_class=JsonRoute)


@router.post(
    converted("/{name}/shadow"), summary="Begin a shadow", dependencies=[AsJson], responses=OWN.answers(*ERRORS)
)
async def shadow(name: str, payload: ShadowRequest, rollouts: RolloutsNow) -> RolloutState:
    """Let a bundle compute what the model answers, to compare both; it never answers."""
    await rollouts.begin(name, _path(payload), (SHADOW,), payload.plan.model_dump())
    return _present(await rollouts.last(name), name)


@router.post(
    converted("/{name}/canary"), summary="Begin a canary", dependencies=[AsJson], responses=OWN.answers(*ERRORS)
)
async def canary(name: str, payload: CanaryRequest, rollouts: RolloutsNow) -> RolloutState:
    """Let a bundle answer a rising share of the clients; it replaces the model, or is rolled back by itself."""
    try:
        steps = parsed_steps(payload.steps)
    except UsageError as error:
        raise Problem(Code.OUT_OF_RANGE, f"{str(error).replace('--steps', 'steps')}.", "steps") from None
    if steps == ("100",):
        message = f"steps of {rate(1.0)} alone are no rollout: load the bundle with PUT, or give smaller steps."
        raise Problem(Code.OUT_OF_RANGE, message, "steps")
    await rollouts.begin(name, _path(payload), steps, payload.plan.model_dump())
    return _present(await rollouts.last(name), name)


@router.get(
    converted("/{name}/rollout"),
    summary="Show a rollout",
    responses=OWN.answers(Code.NOT_LOCAL, Code.UNKNOWN_MODEL, Code.NOT_READY),
)
async def show(name: str, rollouts: RolloutsNow) -> RolloutState | None:
    """The last rollout of a model, open or ended; null if there was none.

    It is the registry's, with the counts of all servers, if the model follows its champion; else this server's.
    """
    shown = await rollouts.last(name)
    return None if shown is None else _present(shown, name)


@router.delete(
    converted("/{name}/rollout"),
    summary="End a rollout",
    responses=OWN.answers(Code.NOT_LOCAL, Code.CANNOT_LOAD, Code.UNKNOWN_MODEL, Code.NOT_READY, *UNREAD),
)
async def abort(name: str, request: Request, rollouts: RolloutsNow) -> RolloutState:
    """End a rollout: the version that answered before it answers again.

    If the registry decides it, its log names the client, and all servers go back within seconds.
    """
    client = request.state.client
    await rollouts.abort(name, "administrator" if client is ANONYMOUS else client.id)
    return _present(await rollouts.last(name), name)


def _path(payload: ShadowRequest) -> Path:
    if "\0" in payload.bundle:
        raise Problem(Code.CANNOT_LOAD, "Nothing was changed: the name of the directory has a zero byte.", "bundle")
    return Path(payload.bundle)


def _present(shown: Shown | None, name: str) -> RolloutState:
    assert shown is not None
    rollout, counts = shown.rollout, shown.counts.get(shown.rollout.place)
    return RolloutState(
        number=rollout.number,
        decided_by=shown.decided_by,
        model=name,
        challenger=rollout.name,
        status=rollout.status,
        step=rollout.step,
        steps=list(rollout.steps),
        place=min(rollout.place, len(rollout.steps) - 1),
        share=rollout.share if rollout.open else 0.0,
        since=datetime.fromtimestamp(rollout.since_s, UTC),
        by=rollout.by,
        reason=rollout.reason,
        outlook=shown.outlook(),
        slow_ms=rollout.slow_ms,
        counts=RolloutCounts(**asdict(counts)) if counts is not None else None,
    )
