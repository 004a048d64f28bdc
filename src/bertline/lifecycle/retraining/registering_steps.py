"""The last steps of a run: the challenger becomes a version, and aliases name it."""

from __future__ import annotations

from bertline.bundle.verify import read_manifest
from bertline.lifecycle.retraining.context import Facts, Run
from bertline.lifecycle.retraining.judging_steps import verdict_of
from bertline.registry.add import add
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference

CHALLENGER, SHADOW = "challenger", "shadow"


def register(run: Run) -> Facts:
    """Add the bundle, which is the same version however often, and let the alias challenger name it."""
    added = add(run.bundle, run.journal.model, run.registry, by=run.by, run=run.journal.done["train"]["run"])
    version = added.version.version
    entry = _name(run, version, CHALLENGER, with_verdict=True)
    return {"version": version, "digest": read_manifest(run.bundle).checksum, "entry": entry}


def shadow(run: Run) -> Facts:
    """Let the alias shadow name it: servers that follow it answer with it beside the champion, and tell nobody."""
    if run.settings.no_shadow:
        return {"entry": None}
    return {"entry": _name(run, run.journal.done["register"]["version"], SHADOW)}


def _name(run: Run, version: int, alias: str, *, with_verdict: bool = False) -> int | None:
    """Move an alias; the number of the entry in the log, None if it named the version already."""
    with Database(run.registry.place) as database:
        deployments = Deployments(database, run.by)
        entry = deployments.promote(
            Reference(run.journal.model, version=version),
            alias,
            verdict=verdict_of(run) if with_verdict else None,
            reason=f"retrained by run {run.journal.id}: {'; '.join(run.journal.because)}",
        )
    return None if entry is None else entry.number
