"""Other versions of a model while the server runs: load one, go back.

A server that asks for credentials takes the scope ``admin`` from anywhere; one that asks for none, this machine alone.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path

from fastapi import APIRouter, Depends, Request

from bertline.service.guard.door import ANONYMOUS
from bertline.service.name_convertor import converted
from bertline.service.routes.context import UNREAD, AsJson, ServingNow, error_answers
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.own.router import described
from bertline.service.routes.own.schema import LoadRequest, ModelState
from bertline.serving.problems import Code, Problem

# A proxy on this machine makes every client look local; these headers give it away.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-prefix", "x-real-ip", "via")


async def _from_this_machine(request: Request) -> None:
    """Refuse clients elsewhere, and pages of other sites that a browser here shows.

    Such a page names its own host when that host points here, and its own origin when it asks this one.
    """
    if request.state.client is not ANONYMOUS:  # the guard knows who asks, and that the scope is there
        return
    peer = request.client.host if request.client else ""
    named = (request.url.hostname or "").strip("[]")
    here = _loopback(peer) and (named == "localhost" or _loopback(named))
    own = f"{request.url.scheme}://{request.url.netloc}"
    foreign = request.headers.get("origin", own) != own
    if not here or foreign or any(one in request.headers for one in FORWARDED):
        raise Problem(Code.NOT_LOCAL, "Models are changed from the machine that serves them: ask 127.0.0.1 there.")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


router = APIRouter(
    prefix="/admin/models", tags=["admin"], dependencies=[Depends(_from_this_machine)], route_class=JsonRoute
)


@router.get(
    converted("/{name}"),
    summary="Show a model's versions",
    responses=error_answers(Code.NOT_LOCAL, Code.UNKNOWN_MODEL, Code.NOT_READY),
)
async def show(name: str, serving: ServingNow) -> ModelState:
    """The version that answers, and the one that a rollback brings back."""
    return _state(serving, name)


@router.put(
    converted("/{name}"),
    summary="Put a bundle in service",
    dependencies=[AsJson],
    responses=error_answers(
        Code.NOT_LOCAL,
        Code.CANNOT_LOAD,
        Code.INVALID_JSON,
        Code.INVALID_TEXT,
        Code.NOT_JSON,
        Code.MISSING_FIELD,
        Code.WRONG_TYPE,
        Code.UNKNOWN_FIELD,
        *UNREAD,
    ),
)
async def load(name: str, asked: LoadRequest, serving: ServingNow) -> ModelState:
    """Put a bundle in service under this name.

    Its hashes and probe answers are checked and it is warmed up beside the version that answers; then it takes its
    place at once. When it cannot be used, nothing changes.
    """
    if "\0" in asked.bundle:
        raise Problem(Code.CANNOT_LOAD, "Nothing was changed: no directory has a name with a zero byte.", "bundle")
    await serving.models.load(name, Path(asked.bundle))
    return _state(serving, name)


@router.post(
    converted("/{name}/rollback"),
    summary="Let the version before answer again",
    responses=error_answers(Code.NOT_LOCAL, Code.CANNOT_LOAD, Code.UNKNOWN_MODEL, Code.NOT_READY, *UNREAD),
)
async def roll_back(name: str, serving: ServingNow) -> ModelState:
    """Let the version before this one answer again. Its process never stopped, so it does at once."""
    await serving.models.roll_back(name)
    return _state(serving, name)


def _state(serving: ServingNow, name: str) -> ModelState:
    current, previous = serving.models.named(name, None), serving.models.previous(name)
    return ModelState(current=described(current), previous=described(previous) if previous else None)
