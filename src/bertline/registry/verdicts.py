"""The verdicts of gates, kept with the versions that they are about, by the hash that the log of deployments has."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sql
from pydantic import ValidationError

from bertline.bundle.verdict import SignedVerdict, Verdict
from bertline.registry.database import Database
from bertline.registry.schema import HAS_VERDICTS, MIGRATIONS, VERDICTS


@dataclass(frozen=True, slots=True)
class Kept:
    """A verdict as the database has it.

    Attributes:
        hash: by which the log of deployments names it.
        challenger: digest of the bundle that was judged.
        created: when, in UTC.
        signed: the verdict; None if it was changed after it was written, so that nothing of it can be relied on.
    """

    hash: str
    challenger: str
    created: str
    signed: SignedVerdict | None


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

    def about(self, *digests: str, most: int | None = None) -> list[Kept]:
        """The verdicts on bundles, the newest first; none in a registry of an earlier bertline.

        Each is hashed again, so that a change in the database shows, unless whoever made it wrote another hash too.

        Args:
            digests: of the bundles that were judged.
            most: how many to read; the newest of all.

        Raises:
            RegistryError: the database cannot be used.
        """
        query = sql.select(VERDICTS).where(VERDICTS.c.challenger.in_(digests)).limit(most)
        with self._database.reading() as connection:
            if MIGRATIONS.version(connection, self._database) < HAS_VERDICTS:
                return []
            rows = connection.execute(query.order_by(VERDICTS.c.created.desc(), VERDICTS.c.hash)).all()
        return [_kept(row.hash, row.challenger, row.created, row.content) for row in rows]


def _kept(hash_: str, challenger: str, created: str, content: str) -> Kept:
    signed = _verdict_in(content)
    # The columns too: the one finds the verdict, the other sorts it.
    whole = signed is not None and _columns(signed.verdict) == (hash_, challenger, created)
    return Kept(hash_, challenger, created, signed if whole else None)


def _columns(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.hash, verdict.challenger, verdict.created


def keep(connection: sql.Connection, signed: SignedVerdict) -> None:
    """Keep a verdict, within a transaction; one that is there already gets the signatures that it lacks."""
    verdict = signed.verdict
    this = VERDICTS.c.hash == verdict.hash
    content = connection.scalar(sql.select(VERDICTS.c.content).where(this))
    if content is None:
        row = dict(zip(("hash", "challenger", "created"), _columns(verdict), strict=True))
        connection.execute(sql.insert(VERDICTS).values(**row, content=signed.model_dump_json()))
        return
    there = _verdict_in(content)
    if there is None or there.verdict.hash != verdict.hash:
        return  # it was changed, which whoever reads it is told
    lacking = tuple(one for one in signed.signatures if one not in there.signatures)
    if lacking:
        both = SignedVerdict(verdict=verdict, signatures=(*there.signatures, *lacking))
        connection.execute(sql.update(VERDICTS).where(this).values(content=both.model_dump_json()))


def _verdict_in(content: str) -> SignedVerdict | None:
    try:
        return SignedVerdict.model_validate_json(content)
    except ValidationError:
        return None
