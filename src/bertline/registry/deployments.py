"""Which version an alias names, and the log of its moves. Both change in one transaction, or neither does.

MLflow's table of aliases and our log are in one database, so a process that dies between the two leaves neither: there
is nothing to repair. Only a move by another program, such as MLflow's page, is not in the log; ``faults`` finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sql

from bertline.bundle.verdict import SignedVerdict, Verdict
from bertline.errors import RegistryError, UsageError
from bertline.registry.catalogue import Catalogue, ModelVersion, read_versions
from bertline.registry.chain import START, Action, Deployment, Fault, broken, champions
from bertline.registry.database import Database
from bertline.registry.reference import CHAMPION, Reference, check_alias
from bertline.registry.rollout import Rollout
from bertline.registry.rollout_rows import end, insert, open_rollout
from bertline.registry.schema import ALIASES, DEPLOYMENTS, MIGRATIONS, WORKSPACE
from bertline.registry.verdicts import keep


class Deployments:
    """The moves of aliases in a database.

    Args:
        database: of the registry.
        by: who moves them, for the log.
    """

    def __init__(self, database: Database, by: str) -> None:
        self._database, self._by, self._catalogue = database, by, Catalogue(database)

    def promote(
        self,
        reference: Reference,
        alias: str = CHAMPION,
        *,
        verdict: SignedVerdict | None = None,
        reason: str | None = None,
        expected: int | None = None,
        watch: Mapping[str, Any] | None = MappingProxyType({}),
    ) -> Deployment | None:
        """Let an alias name a version; None if it does already.

        A rollout of the model ends. Servers watch the new champion, and roll it back if it is worse than the old one.

        Args:
            reference: of the version.
            alias: to move; a champion needs a verdict, or a reason why there is none.
            verdict: of the gate, which is kept with the version.
            reason: for the log.
            expected: version that the alias names now, as the caller read it; 0: none. By default it is read here.
            watch: settings of the decisions of servers that watch a new champion; None: they do not.

        Raises:
            UsageError: there is neither a verdict nor a reason.
            RegistryError: there is no such version, the verdict is about other bundles or does not say yes, or
                somebody else moved the alias meanwhile.
        """
        check_alias(alias)
        if alias == CHAMPION and verdict is None and not reason:
            raise UsageError(
                f"promoting {reference} to {CHAMPION} needs a gate's verdict: give --verdict FILE, or --force REASON, "
                "which is recorded"
            )
        if expected is None:
            expected = self.current(reference.name, alias)
        MIGRATIONS.prepare(self._database)
        with self._database.changing() as connection:
            new = self._catalogue.resolved(connection, reference)
            digest, _ = new.bundle()
            old = self.now(connection, new.name, alias)
            if old is not None and old.version == new.version:
                return None
            _check_expected(reference.name, alias, old, expected)
            if verdict is not None:
                check_verdict(verdict.verdict, new, digest, self.now(connection, new.name, CHAMPION))
                keep(connection, verdict)
            hash_ = verdict.verdict.hash if verdict else None
            if alias == CHAMPION:
                self._supersede(connection, new.name, f"{new} was promoted by {self._by}")
                if watch is not None and old is not None and old.digest is not None:
                    insert(connection, replace(_watched(old, new, digest, self._by, hash_), plan=dict(watch)))
            return self.move(connection, "promote", alias, old, new, hash_, reason)

    def rollback(self, name: str, alias: str = CHAMPION, *, reason: str | None = None) -> Deployment:
        """Let an alias name the version that it named before, by the log; a second call goes further back.

        Versions that were deleted since are passed over.

        Raises:
            RegistryError: there is no earlier version, or somebody else moved the alias meanwhile.
        """
        expected = self.current(name, alias)
        MIGRATIONS.prepare(self._database)
        with self._database.changing() as connection:
            versions = {one.version: one for one in read_versions(connection, self._database.place, name)}
            old = self.now(connection, name, alias)
            _check_expected(name, alias, old, expected)
            past = champions([one for one in read(connection, name) if one.alias == alias])
            earlier = past[:-1] if old is not None and past[-1:] == [old.version] else past
            target = next((one for one in reversed(earlier) if one in versions and one != (old and old.version)), None)
            if target is None:
                now = f"{old} is the first one" if old else "there is none now"
                raise RegistryError(
                    f"{name} has no earlier {alias} to go back to, {now}: promote another version with "
                    "bertline models promote"
                )
            if alias == CHAMPION:
                self._supersede(connection, name, f"{self._by} rolled back to {versions[target]}")
            return self.move(connection, "rollback", alias, old, versions[target], None, reason)

    def undo(self, entry: Deployment, reason: str) -> Deployment | None:
        """Let an alias other than the champion name what it named before a move; None if it was moved since.

        The alias is removed if it named nothing before, or a version that was deleted since.

        Args:
            entry: of the move.
            reason: for the log.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._database.changing() as connection:
            moves = [one for one in read(connection, entry.model) if one.alias == entry.alias]
            old = self.now(connection, entry.model, entry.alias)
            if moves[-1:] != [entry] or old is None or old.version != entry.to_version:
                return None
            versions = {one.version: one for one in read_versions(connection, self._database.place, entry.model)}
            before = versions.get(entry.from_version or 0)
            return self.move(connection, "rollback", entry.alias, old, before, None, reason)

    def current(self, name: str, alias: str) -> int:
        """The version that an alias names; 0 if none."""
        with self._database.reading() as connection:
            now = self.now(connection, name, alias)
        return now.version if now else 0

    def entries(self, name: str | None = None) -> list[Deployment]:
        """The log, of one model or of all, the oldest entry first.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._database.reading() as connection:
            return read(connection, name) if MIGRATIONS.version(connection, self._database) else []

    def faults(self, head: str | None = None) -> list[str]:
        """What contradicts the log, a sentence each; empty if nothing does.

        Args:
            head: hash of an entry that was noted earlier.
        """
        with self._database.reading() as connection:
            entries = read(connection) if MIGRATIONS.version(connection, self._database) else []
            versions = read_versions(connection, self._database.place)
        if fault := broken(entries, head):
            return [_sentence(fault)]
        return [*_moved(entries, versions), *_replaced(entries, versions)]

    def now(self, connection: sql.Connection, name: str, alias: str) -> ModelVersion | None:
        """The version that an alias names, within a transaction."""
        versions = read_versions(connection, self._database.place, name)
        return next((one for one in versions if alias in one.aliases), None)

    def _supersede(self, connection: sql.Connection, name: str, why: str) -> None:
        """End the rollout of a model whose champion is moved by somebody else."""
        rollout = open_rollout(connection, name)
        if rollout is not None:
            end(connection, rollout, "aborted", why)
            self.release(connection, rollout, why)

    def release(self, connection: sql.Connection, rollout: Rollout, reason: str) -> None:
        """Remove the alias that a rollout's challenger has while it is neither champion nor rejected."""
        if rollout.role == "watch":
            return
        held = self.now(connection, rollout.model, rollout.role)
        if held is not None:
            self.move(connection, "step", rollout.role, held, None, None, reason)

    def move(
        self,
        connection: sql.Connection,
        action: Action,
        alias: str,
        old: ModelVersion | None,
        new: ModelVersion | None,
        verdict: str | None,
        reason: str | None,
    ) -> Deployment:
        """Move an alias, or remove it, and write the entry, within a transaction."""
        either = new or old
        assert either is not None, "an alias moves from or to a version"
        last = connection.execute(sql.select(DEPLOYMENTS).order_by(DEPLOYMENTS.c.number.desc()).limit(1)).first()
        entry = Deployment(
            number=last.number + 1 if last else 1,
            time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            by=self._by,
            action=action,
            model=either.name,
            alias=alias,
            from_version=old.version if old else None,
            from_digest=old.digest if old else None,
            to_version=new.version if new else None,
            to_digest=new.digest if new else None,
            verdict=verdict,
            reason=reason,
            previous=last.hash if last else START,
        ).sealed()
        key = {"workspace": WORKSPACE, "name": either.name, "alias": alias}
        connection.execute(sql.delete(ALIASES).where(*(ALIASES.c[name] == value for name, value in key.items())))
        if new is not None:
            connection.execute(sql.insert(ALIASES).values(**key, version=new.version))
        connection.execute(sql.insert(DEPLOYMENTS).values(**asdict(entry)))
        return entry


def read(connection: sql.Connection, name: str | None = None) -> list[Deployment]:
    """The entries of the log, within a transaction."""
    query = sql.select(DEPLOYMENTS).order_by(DEPLOYMENTS.c.number)
    if name is not None:
        query = query.where(DEPLOYMENTS.c.model == name)
    return [Deployment(**row._mapping) for row in connection.execute(query)]


def _watched(old: ModelVersion, new: ModelVersion, digest: str, by: str, verdict: str | None) -> Rollout:
    return Rollout(
        number=0,
        model=new.name,
        champion=old.version,
        champion_digest=old.digest,
        challenger=new.version,
        challenger_digest=digest,
        steps=("100",),
        status="watching",
        verdict=verdict,
        by=by,
        reason="promoted by hand",
    )


def _check_expected(name: str, alias: str, old: ModelVersion | None, expected: int) -> None:
    if (old.version if old else 0) != expected:
        now = f"is {old} now" if old else "was removed"
        raise RegistryError(
            f"somebody else moved the {alias} of {name} meanwhile, it {now}: look at bertline models history {name}, "
            "then decide again"
        )


def check_verdict(verdict: Verdict, new: ModelVersion, digest: str, old: ModelVersion | None) -> None:
    """Check that a verdict lets a version replace the champion.

    Raises:
        RegistryError: it is about other bundles, or does not say yes.
    """
    if verdict.challenger != digest:
        raise RegistryError(
            f"the verdict is about the bundle {verdict.challenger[:12]}, and {new} is {digest[:12]}: run the gate on it"
        )
    if verdict.champion != (old.digest if old else None):
        then = f"with {verdict.champion[:12]}" if verdict.champion else "with no champion"
        now = f"the champion is {old} ({(old.digest or '')[:12]})" if old else "there is no champion"
        raise RegistryError(f"the verdict compared {new} {then}, and {now} now: run the gate again")
    if verdict.decision != "yes":
        why = "decided no" if verdict.decision == "no" else "could not decide"
        raise RegistryError(
            f"the gate {why} on {new}: look at its report, or give --force REASON, which is recorded, and no --verdict"
        )


def _sentence(fault: Fault) -> str:
    return f"entry {fault.number} of the log of deployments {fault.what}"


def _moved(entries: Sequence[Deployment], versions: Sequence[ModelVersion]) -> list[str]:
    """Aliases that another program moved since their last entry."""
    last = {(entry.model, entry.alias): entry for entry in entries}
    now = {(one.name, alias): one.version for one in versions for alias in one.aliases}
    return [
        f"the {alias} of {model} is version {now.get((model, alias), 'none')}, and entry {entry.number}, its last one, "
        f"says {entry.to_version or 'none'}: another program moved it"
        for (model, alias), entry in last.items()
        if now.get((model, alias)) != entry.to_version
    ]


def _replaced(entries: Sequence[Deployment], versions: Sequence[ModelVersion]) -> list[str]:
    """Versions that are another bundle than the one that was deployed."""
    now = {(one.name, one.version): one.digest for one in versions}
    return [
        f"{entry.model}:{entry.to_version} is the bundle {str(now[entry.model, entry.to_version])[:12]}, and entry "
        f"{entry.number} deployed {str(entry.to_digest)[:12]}: its digest was changed"
        for entry in entries
        if entry.to_version is not None
        and (entry.model, entry.to_version) in now
        and now[entry.model, entry.to_version] != entry.to_digest
    ]
