"""The verdicts of gates, kept with the versions that they are about, by the hash that the log of deployments has."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql
from pydantic import ValidationError

from bertline.bundle.verdict import SignedVerdict, Verdict
from bertline.errors import RegistryError
from bertline.registry.database import Database
from bertline.registry.schema import HAS_VERDICTS, MIGRATIONS, VERDICTS


class Verdicts:
    """The verdicts in a database.

    Args:
        database: of the registry.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, signed: SignedVerdict) -> None:
        """Keep a verdict, whatever it decided.

        Raises:
            RegistryError: the database cannot be used.
        """
        MIGRATIONS.prepare(self._database)
        with self._database.changing() as connection:
            keep(connection, signed)

    def about(self, digest: str) -> list[SignedVerdict]:
        """The verdicts on a bundle, the newest first; none in a registry of an earlier bertline.

        Args:
            digest: of the bundle that was judged.

        Raises:
            RegistryError: the database cannot be used, or a verdict was changed after it was written.
        """
        query = sql.select(VERDICTS).where(VERDICTS.c.challenger == digest)
        with self._database.reading() as connection:
            if MIGRATIONS.version(connection, self._database) < HAS_VERDICTS:
                return []
            rows = connection.execute(query.order_by(VERDICTS.c.created.desc(), VERDICTS.c.hash)).all()
        return [self._read(row) for row in rows]

    def _read(self, row: sql.Row[Any]) -> SignedVerdict:
        try:
            signed = SignedVerdict.model_validate_json(row.content)
        except ValidationError:
            signed = None
        # The columns too: the one finds the verdict, the other sorts it.
        if signed is None or _columns(signed.verdict) != (row.hash, row.challenger, row.created):
            raise RegistryError(
                f"the verdict {row.hash[:12]} in {self._database.place} was changed after it was written: restore the "
                "registry from a backup"
            )
        return signed


def _columns(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.hash, verdict.challenger, verdict.created


def keep(connection: sql.Connection, signed: SignedVerdict) -> None:
    """Keep a verdict, within a transaction; one that is there already stays as it is."""
    verdict = signed.verdict
    if connection.scalar(sql.select(VERDICTS.c.hash).where(VERDICTS.c.hash == verdict.hash)) is not None:
        return
    row = {"hash": verdict.hash, "challenger": verdict.challenger, "created": verdict.created}
    connection.execute(sql.insert(VERDICTS).values(**row, content=signed.model_dump_json()))
