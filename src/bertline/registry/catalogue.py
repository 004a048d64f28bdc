"""Models, their versions and aliases, read from MLflow's tables without importing MLflow.

MLflow's store takes 3 s and 217 MB to import, SQLAlchemy 0.3 s and 27 MB (docs/log.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql

from bertline.config import nearest
from bertline.errors import RegistryError
from bertline.registry.database import Database
from bertline.registry.reference import CHAMPION, Reference
from bertline.registry.schema import ALIASES, DELETED, TAGS, VERSIONS, WORKSPACE, has_models

PREFIX = "bertline."  # of tags


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a model.

    Attributes:
        name: of the model.
        version: its number.
        digest: of the bundle, the SHA-256 by which stores know it; None if MLflow registered something else.
        address: from which the bundle is fetched, pinned.
        added: when, in UTC, as ISO 8601.
        run: id of the MLflow run that trained it.
        aliases: that name it.
        task: of the bundle.
        facts: what was written of the bundle when it was added: lineage, data, settings, figures, engines.
    """

    name: str
    version: int
    digest: str | None
    address: str | None
    added: str
    run: str | None = None
    aliases: tuple[str, ...] = ()
    task: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    def bundle(self) -> tuple[str, str]:
        """Digest and address.

        Raises:
            RegistryError: it is not a bundle.
        """
        if self.digest is None or self.address is None:
            raise RegistryError(f"{self} was registered by another program and is not a bundle: bertline models add")
        return self.digest, self.address


class Catalogue:
    """The versions in a database.

    Args:
        database: of the registry.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._has_models = database, False

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """All versions, of one model or of all, by name and the newest first.

        Raises:
            RegistryError: there is no such model, or the database cannot be used.
        """
        with self._database.reading() as connection:
            versions = read_versions(connection, self._database.place, name)
            if name is not None and not versions:
                raise self._no_model(name, read_versions(connection, self._database.place))
        return versions

    def version(self, reference: Reference) -> ModelVersion:
        """The version that a reference names; of a model without alias and number, the champion.

        Raises:
            RegistryError: there is none.
        """
        with self._database.reading() as connection:
            return self.resolved(connection, reference)

    def resolved(self, connection: sql.Connection, reference: Reference) -> ModelVersion:
        """As ``version``, within a transaction; of the other versions nothing is read, because servers ask often."""
        place, name = self._database.place, reference.name
        if (found := self._one(connection, reference)) is not None:
            return found
        versions = read_versions(connection, place, name)
        if not versions:
            raise self._no_model(name, read_versions(connection, place))
        if reference.version is not None:
            raise RegistryError(
                f"{name} has no version {reference.version} in {place}: its newest one is {versions[0].version}"
            )
        alias = reference.alias or CHAMPION
        aliases = sorted({alias for one in versions for alias in one.aliases})
        there = f"its aliases are {', '.join(aliases)}" if aliases else "it has no alias"
        raise RegistryError(
            f"{name} has no {alias} in {place}, {there}: bertline models promote {versions[0]} --to {alias} sets it"
        )

    def _one(self, connection: sql.Connection, reference: Reference) -> ModelVersion | None:
        """The version that a reference names; None if there is none, for whatever reason."""
        self._has_models = self._has_models or has_models(connection)
        number = reference.version
        if self._has_models and number is None:
            own = ALIASES.c.workspace == WORKSPACE, ALIASES.c.name == reference.name
            alias = reference.alias or CHAMPION
            number = connection.scalar(sql.select(ALIASES.c.version).where(*own, ALIASES.c.alias == alias))
        found = _read(connection, reference.name, number) if self._has_models and number is not None else []
        return found[0] if found else None

    def with_digest(self, name: str, digest: str) -> ModelVersion | None:
        """The version of a model that is this bundle; None if there is none."""
        with self._database.reading() as connection:
            versions = read_versions(connection, self._database.place, name)
        return next((one for one in versions if one.digest == digest), None)

    def _no_model(self, name: str, others: Sequence[ModelVersion]) -> RegistryError:
        names = sorted({one.name for one in others})
        known = nearest(name, names) if names else ": it is empty, and bertline models add fills it"
        return RegistryError(f"the registry {self._database.place} has no model {name}{known}")


def read_versions(connection: sql.Connection, place: str, name: str | None = None) -> list[ModelVersion]:
    """All versions but deleted ones, by name and the newest first.

    Raises:
        RegistryError: MLflow's tables are of an older release.
    """
    if not has_models(connection):
        if sql.inspect(connection).has_table(ALIASES.name):
            raise RegistryError(f"the registry {place} is of an older MLflow: run mlflow db upgrade with its URL")
        return []
    return _read(connection, name)


def _read(connection: sql.Connection, name: str | None, number: int | None = None) -> list[ModelVersion]:
    versions = sql.select(VERSIONS).where(VERSIONS.c.workspace == WORKSPACE, VERSIONS.c.current_stage != DELETED)
    tags = sql.select(TAGS).where(TAGS.c.workspace == WORKSPACE, TAGS.c.key.startswith(PREFIX))
    aliases = sql.select(ALIASES).where(ALIASES.c.workspace == WORKSPACE)
    if name is not None:
        versions, tags = versions.where(VERSIONS.c.name == name), tags.where(TAGS.c.name == name)
        aliases = aliases.where(ALIASES.c.name == name)
    if number is not None:
        versions, tags = versions.where(VERSIONS.c.version == number), tags.where(TAGS.c.version == number)
        aliases = aliases.where(ALIASES.c.version == number)
    order = versions.order_by(VERSIONS.c.name, VERSIONS.c.version.desc())
    notes: dict[tuple[str, int], dict[str, str]] = {}
    for row in connection.execute(tags):
        notes.setdefault((row.name, row.version), {})[row.key.removeprefix(PREFIX)] = row.value
    names: dict[tuple[str, int], list[str]] = {}
    for row in connection.execute(aliases):
        names.setdefault((row.name, row.version), []).append(row.alias)
    return [
        _version(row, notes.get((row.name, row.version), {}), sorted(names.get((row.name, row.version), [])))
        for row in connection.execute(order)
    ]


def _version(row: sql.Row[Any], notes: Mapping[str, str], aliases: Sequence[str]) -> ModelVersion:
    added = datetime.fromtimestamp((row.creation_time or 0) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ModelVersion(
        name=row.name,
        version=row.version,
        digest=notes.get("digest"),
        address=notes.get("address"),
        added=added,
        run=row.run_id,
        aliases=tuple(aliases),
        task=notes.get("task"),
        facts=json.loads(notes.get("facts", "{}")),
    )
