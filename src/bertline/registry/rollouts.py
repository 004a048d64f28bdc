"""Rollouts in the registry's database: begun by a command, counted and decided by the servers, recorded in the log.

A change is a compare-and-set of the rollout's revision, in one transaction with the move of aliases and the entry in
the log. So a decision is taken once, whichever server takes it, and one that is killed leaves all of it or nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sql

from bertline.bundle.verdict import SignedVerdict
from bertline.errors import RegistryError, UsageError
from bertline.registry.catalogue import Catalogue, ModelVersion, read_versions
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments, check_verdict
from bertline.registry.reference import CHAMPION, Reference
from bertline.registry.rollout import SHADOW, Rollout, Status, Tally
from bertline.registry.rollout_rows import change, insert, last_rollout, open_rollout, put_tally, tallies
from bertline.registry.schema import HAS_ROLLOUTS, MIGRATIONS
from bertline.registry.verdicts import keep
from bertline.statistics.figures import rate

BY = "rollout"


class Rollouts:
    """The rollouts of a registry.

    Args:
        database: of the registry.
        by: who changes them, for the log; servers are ``rollout``.
    """

    def __init__(self, database: Database, by: str = BY) -> None:
        self._database, self._by = database, by
        self._deployments, self._catalogue = Deployments(database, by), Catalogue(database)

    def begin(
        self,
        reference: Reference,
        steps: Sequence[str],
        plan: Mapping[str, Any],
        *,
        verdict: SignedVerdict | None = None,
        reason: str | None = None,
    ) -> Rollout:
        """Begin a rollout.

        Args:
            reference: of the challenger.
            steps: of ``Rollout``; only shadow needs neither verdict nor reason.
            plan: settings of the decisions.
            verdict: of the gate, which is kept with the version.
            reason: why there is no verdict.

        Raises:
            UsageError: there is neither a verdict nor a reason.
            RegistryError: there is no such version or no other champion, a rollout of the model goes on already, or the
                verdict is about other bundles or does not say yes.
        """
        if list(steps) != [SHADOW] and verdict is None and not reason:
            raise UsageError(
                f"rolling {reference} out needs a gate's verdict: give --verdict FILE, or --force REASON, which is "
                "recorded"
            )
        MIGRATIONS.prepare(self._database)
        with self._database.changing() as connection:
            new = self._catalogue.resolved(connection, reference)
            digest, _ = new.bundle()
            old = self._deployments.now(connection, new.name, CHAMPION)
            _check_begin(new, old, open_rollout(connection, new.name))
            assert old is not None
            if verdict is not None:
                check_verdict(verdict.verdict, new, digest, old)
                keep(connection, verdict)
            rollout = insert(
                connection,
                Rollout(
                    number=0,
                    model=new.name,
                    champion=old.version,
                    champion_digest=old.bundle()[0],
                    challenger=new.version,
                    challenger_digest=digest,
                    steps=tuple(steps),
                    plan=plan,
                    verdict=verdict.verdict.hash if verdict else None,
                    by=self._by,
                    reason=reason or "begun",
                ),
            )
            if rollout.role == "watch":
                raise UsageError(f"{rate(1.0)} alone is a promotion: leave --canary out, or give smaller steps")
            self._name(connection, rollout, new, f"rollout {rollout.number} begins: {rollout.step}")
        return rollout

    def current(self, model: str) -> Rollout | None:
        """The rollout of a model that goes on.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._database.reading() as connection:
            return open_rollout(connection, model) if self._ready(connection) else None

    def last(self, model: str) -> Rollout | None:
        """The last rollout of a model, open or ended.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._database.reading() as connection:
            return last_rollout(connection, model) if self._ready(connection) else None

    def count(self, rollout: Rollout, replica: str, tally: Tally) -> Mapping[int, Tally]:
        """Record what a server has counted in this step, and read the sums over all servers, by step.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._database.changing() as connection:
            put_tally(connection, rollout, replica, tally)
            return tallies(connection, rollout)

    def totals(self, rollout: Rollout) -> Mapping[int, Tally]:
        """The sums over all servers, by step.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._database.reading() as connection:
            return tallies(connection, rollout)

    def bound(self, rollout: Rollout, slow_ms: float) -> bool:
        """Set from when on a request is slow, unless another server was first.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._database.changing() as connection:
            return change(connection, rollout, slow_ms=slow_ms)

    def pause(self, rollout: Rollout, *, paused: bool) -> bool:
        """Hold a rollout in its step, or go on.

        Raises:
            RegistryError: the database cannot be used.
        """
        with self._database.changing() as connection:
            status = "paused" if paused else "running"
            return change(connection, rollout, status=status, reason=f"{status} by {self._by}", since_s=time.time())

    def abort(self, model: str) -> Rollout:
        """End the rollout of a model: the old champion answers everything again.

        Raises:
            RegistryError: none goes on, or the database cannot be used.
        """

        def end(going: Rollout) -> bool:
            status: Status = "rolled_back" if going.role == "watch" else "aborted"
            return self.move(going, status, going.place, "aborted by hand")

        return self.change(model, end)

    def change(self, model: str, change: Callable[[Rollout], bool]) -> Rollout:
        """Change the rollout of a model, which its servers change too; ``change`` says whether it was in time.

        Raises:
            RegistryError: none goes on, or the database cannot be used.
        """
        for _ in range(5):  # servers change it every few seconds at most
            going = self.current(model)
            if going is None:
                raise RegistryError(
                    f"{model} has no rollout that goes on: bertline models rollout {model} shows the last"
                )
            if change(going) and (changed := self.last(model)) is not None:
                return changed
        raise RegistryError(f"servers changed the rollout of {model} at the same moment: try again")

    def move(self, rollout: Rollout, status: Status, place: int, reason: str) -> bool:
        """Take a rollout to another step, or end it; whether it still was as it was read.

        Raises:
            RegistryError: the database cannot be used, or somebody else moved the champion.
        """
        with self._database.changing() as connection:
            if not change(connection, rollout, status=status, place=place, reason=reason, since_s=time.time()):
                return False
            self._record(connection, rollout, replace(rollout, status=status, place=place), reason)
        return True

    def _record(self, connection: sql.Connection, before: Rollout, after: Rollout, reason: str) -> None:
        """Move the aliases that a change of the rollout moves, and write the entries."""
        champion = self._deployments.now(connection, before.model, CHAMPION)
        versions = {one.version: one for one in read_versions(connection, self._database.place, before.model)}
        if after.open and after.role != "watch":
            if after.role != before.role:
                self._deployments.release(connection, before, reason)
            self._name(connection, after, versions.get(before.challenger or 0), reason)
            return
        self._deployments.release(connection, before, reason)
        if after.status == "watching":
            if champion is None or champion.version != before.champion:
                raise RegistryError(
                    f"somebody else moved the champion of {before.model}, it is {champion or 'none'} now: abort the "
                    f"rollout with bertline models rollout {before.model} --abort"
                )
            new = self._catalogue.resolved(connection, Reference(before.model, version=before.challenger))
            self._deployments.move(connection, "promote", CHAMPION, champion, new, before.verdict, reason)
        elif before.role == "watch" and champion is not None and champion.version == before.challenger:
            kept = after.status != "rolled_back"
            back = champion if kept else versions.get(before.champion or 0)
            self._deployments.move(connection, "step" if kept else "rollback", CHAMPION, champion, back, None, reason)

    def _name(self, connection: sql.Connection, rollout: Rollout, new: ModelVersion | None, reason: str) -> None:
        """Let the alias of the challenger's role name it."""
        if new is None:
            raise RegistryError(f"{rollout.name} was deleted: abort its rollout")
        old = self._deployments.now(connection, rollout.model, rollout.role)
        self._deployments.move(connection, "step", rollout.role, old, new, rollout.verdict, reason)

    def close(self) -> None:
        """See ``State.close``."""
        self._database.close()

    def _ready(self, connection: sql.Connection) -> bool:
        return MIGRATIONS.version(connection, self._database) >= HAS_ROLLOUTS


def _check_begin(new: ModelVersion, old: ModelVersion | None, going: Rollout | None) -> None:
    if old is None:
        raise RegistryError(
            f"{new.name} has no {CHAMPION} to compare {new} with: promote the first one with bertline models promote"
        )
    if old.version == new.version:
        raise RegistryError(f"{new} is the {CHAMPION} already: roll another version out")
    if going is not None:
        raise RegistryError(
            f"a rollout of {going.name} goes on ({going.step}): wait, or end it with bertline models rollout "
            f"{new.name} --abort"
        )
