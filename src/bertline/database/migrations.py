"""Versioned tables: made and changed step by step, in one transaction that no other process runs beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.errors import BertlineError

Step = Callable[[sql.Connection], None]


@dataclass(frozen=True)
class Migrations:
    """The steps of one set of tables. Step n turns version n into version n + 1; the first creates the tables.

    Attributes:
        table: holds the version, in one row.
        steps: all of them; those of a released version do not change.
        enough: the version whose tables can be used; later steps add what can be done without, as
            indices.
    """

    table: sql.Table
    steps: Sequence[Step]
    enough: float = inf

    @classmethod
    def named(cls, table: str, steps: Sequence[Step], enough: float = inf) -> Migrations:
        """With a table of this name for the version."""
        version = sql.Table(table, sql.MetaData(), sql.Column("version", sql.Integer, primary_key=True))
        return cls(version, steps, enough)

    def prepare(self, database: Database) -> BertlineError | None:
        """Create or migrate the tables; safe from several processes at once.

        Tables of the version ``enough`` stay as they are where they cannot be changed, as by a user who may only read,
        or while somebody else holds a lock on them.

        Returns:
            Why they stayed so; None if they are of the newest version.

        Raises:
            database.purpose.error: the database cannot be used, or is of a newer bertline.
        """
        with database.reading() as connection:
            found = self.version(connection, database)
        if found == len(self.steps):
            return None
        try:
            self._migrate(database)
        except database.purpose.error as error:
            if found < self.enough:
                raise
            return error
        return None

    def _migrate(self, database: Database) -> None:
        with database.changing() as connection:
            now = self.version(connection, database)  # another process may have done it meanwhile
            if now == len(self.steps):
                return
            self.table.create(connection, checkfirst=True)
            for step in self.steps[now:]:
                step(connection)
            connection.execute(sql.delete(self.table))
            connection.execute(sql.insert(self.table).values(version=len(self.steps)))

    def version(self, connection: sql.Connection, database: Database) -> int:
        """Of the tables; 0 if there are none.

        Raises:
            database.purpose.error: it is newer than this bertline's.
        """
        if not sql.inspect(connection).has_table(self.table.name):
            return 0
        version = int(connection.scalar(sql.select(self.table.c.version)) or 0)
        if version > len(self.steps):
            raise database.purpose.error(
                f"{database.purpose.what} {database.place} has version {version} and this bertline knows version "
                f"{len(self.steps)}: install the bertline that wrote it, or a newer one"
            )
        return version
