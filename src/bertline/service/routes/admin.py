"""Loads another version of a model while the server runs, and rolls back.

With authentication it requires the scope ``admin``; without, a client on this machine.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Depends

from bertline.service.name_convertor import converted
from bertline.service.problems import OWN
from bertline.service.routes.context import UNREAD, AsJson, ServingNow
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.local import local_only
from bertline.service.routes.own.router import described
from bertline.service.routes.own.schema import LoadRequest, ModelState
from bertline.serving.problems import Code, Problem

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
