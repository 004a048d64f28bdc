"""Loads another version of a model while the server runs, and rolls back.

With authentication it requires the scope ``admin``; without, a client on this machine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, Depends, Request

from bertline.service.guard.door import ANONYMOUS
from bertline.service.loopback import is_loopback
from bertline.service.name_convertor import converted
from bertline.service.problems import OWN
from bertline.service.routes.context import UNREAD, AsJson, ServingNow
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.own.router import described
from bertline.service.routes.own.schema import LoadRequest, ModelState
from bertline.serving.problems import Code, Problem

# A proxy on this machine makes every client look local; these headers reveal it.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-prefix", "x-real-ip", "via")


def local_only(message: str) -> Callable[[Request], Awaitable[None]]:
    """A dependency that rejects remote clients, and pages of other sites in a local browser, with this message.

    Such a page has its own host in Host if that name resolves to this machine, or else its own Origin.
    """

    async def require(request: Request) -> None:
        if request.state.client is not ANONYMOUS:  # the guard has checked the scope
            return
        peer = request.client.host if request.client else ""
        is_local = is_loopback(peer) and is_loopback(request.url.hostname or "")
        own = f"{request.url.scheme}://{request.url.netloc}"
        is_foreign = request.headers.get("origin", own) != own
        if not is_local or is_foreign or any(one in request.headers for one in FORWARDED):
            raise Problem(Code.NOT_LOCAL, message)

    return require


require_local = local_only("Models are changed from the machine that serves them: use 127.0.0.1 there.")
router = APIRouter(prefix="/admin/models", tags=["admin"], dependencies=[Depends(require_local)], route_class=JsonRoute)


@router.get(
    converted("/{name}"),
    summary="Show a model's versions",
    responses=OWN.answers(Code.NOT_LOCAL, Code.UNKNOWN_MODEL, Code.NOT_READY),
)
async def show(name: str, serving: ServingNow) -> ModelState:
    """The current version of a model, and the previous one."""
    return _state(serving, name)


@router.put(
    converted("/{name}"),
    summary="Load a bundle",
    dependencies=[AsJson],
    responses=OWN.answers(
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
async def load(name: str, payload: LoadRequest, serving: ServingNow) -> ModelState:
    """Load a bundle under this name.

    Its hashes and probe answers are checked, and it is warmed up beside the current version; then it replaces that
    version at once. If it cannot be used, nothing changes.
    """
    if "\0" in payload.bundle:
        raise Problem(Code.CANNOT_LOAD, "Nothing was changed: the name of the directory has a zero byte.", "bundle")
    await serving.models.load(name, Path(payload.bundle))
    return _state(serving, name)


@router.post(
    converted("/{name}/rollback"),
    summary="Roll back to the previous version",
    responses=OWN.answers(Code.NOT_LOCAL, Code.CANNOT_LOAD, Code.UNKNOWN_MODEL, Code.NOT_READY, *UNREAD),
)
async def roll_back(name: str, serving: ServingNow) -> ModelState:
    """Roll back to the previous version. Its process is still running, so it answers at once."""
    await serving.models.roll_back(name)
    return _state(serving, name)


def _state(serving: ServingNow, name: str) -> ModelState:
    current, previous = serving.models.current(name, None), serving.models.previous(name)
    return ModelState(current=described(current), previous=described(previous) if previous else None)
