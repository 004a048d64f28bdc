"""The rows of rollouts in the registry's database, within somebody else's transaction."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sql

from bertline.registry.rollout import OPEN, Rollout, Status, Tally
from bertline.registry.schema import ROLLOUT_COUNTS, ROLLOUTS

NUMBERS = tuple(one.name for one in fields(Tally))


def open_rollout(connection: sql.Connection, model: str) -> Rollout | None:
    """The rollout of a model that goes on."""
    query = sql.select(ROLLOUTS).where(ROLLOUTS.c.model == model, ROLLOUTS.c.status.in_(OPEN))
    row = connection.execute(query.order_by(ROLLOUTS.c.number.desc()).limit(1)).first()
    return _rollout(row) if row else None


def last_rollout(connection: sql.Connection, model: str) -> Rollout | None:
    """The last rollout of a model, open or ended."""
    query = sql.select(ROLLOUTS).where(ROLLOUTS.c.model == model).order_by(ROLLOUTS.c.number.desc()).limit(1)
    row = connection.execute(query).first()
    return _rollout(row) if row else None


def insert(connection: sql.Connection, rollout: Rollout) -> Rollout:
    """Add a rollout, which gets its number and the time; what was counted in the model's earlier ones is deleted.

    The log of deployments has the figures that they were decided by.
    """
    earlier = sql.select(ROLLOUTS.c.number).where(ROLLOUTS.c.model == rollout.model)
    connection.execute(sql.delete(ROLLOUT_COUNTS).where(ROLLOUT_COUNTS.c.rollout.in_(earlier)))
    last = connection.scalar(sql.select(sql.func.max(ROLLOUTS.c.number))) or 0
    values = asdict(rollout) | {"number": last + 1, "since_s": time.time()}
    row = values | {"steps": ",".join(rollout.steps), "plan": json.dumps(dict(rollout.plan))}
    connection.execute(sql.insert(ROLLOUTS).values(**row))
    return Rollout(**values)


def change(connection: sql.Connection, rollout: Rollout, **values: Any) -> bool:
    """Change a rollout unless somebody else has changed it since it was read; whether it was changed."""
    is_same = ROLLOUTS.c.number == rollout.number, ROLLOUTS.c.revision == rollout.revision
    done = connection.execute(sql.update(ROLLOUTS).where(*is_same).values(revision=rollout.revision + 1, **values))
    return done.rowcount == 1


def end(connection: sql.Connection, rollout: Rollout, status: Status, reason: str) -> bool:
    """End a rollout, as ``change``."""
    return change(connection, rollout, status=status, reason=reason, since_s=time.time())


def put_tally(connection: sql.Connection, rollout: Rollout, replica: str, tally: Tally) -> None:
    """Replace what a server has counted in the current step by its new counts."""
    key = {"rollout": rollout.number, "place": rollout.place, "replica": replica}
    own = [ROLLOUT_COUNTS.c[name] == value for name, value in key.items()]
    values = {name: getattr(tally, name) for name in NUMBERS}
    if connection.execute(sql.update(ROLLOUT_COUNTS).where(*own).values(**values)).rowcount == 0:
        connection.execute(sql.insert(ROLLOUT_COUNTS).values(**key, **values))


def tallies(connection: sql.Connection, rollout: Rollout) -> Mapping[int, Tally]:
    """The sums over all servers, by step."""
    sums = [sql.func.sum(ROLLOUT_COUNTS.c[name]).label(name) for name in NUMBERS]
    query = sql.select(ROLLOUT_COUNTS.c.place, *sums).where(ROLLOUT_COUNTS.c.rollout == rollout.number)
    rows = connection.execute(query.group_by(ROLLOUT_COUNTS.c.place))
    kinds: dict[str, Any] = {one.name: float if one.type == "float" else int for one in fields(Tally)}
    return {row.place: Tally(**{name: kinds[name](getattr(row, name)) for name in NUMBERS}) for row in rows}


def _rollout(row: sql.Row[Any]) -> Rollout:
    values = dict(row._mapping)
    return Rollout(**values | {"steps": tuple(values["steps"].split(",")), "plan": json.loads(values["plan"])})
