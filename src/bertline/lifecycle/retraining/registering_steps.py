"""The last steps of a run: the challenger becomes a version, and servers compute with it in the shadow."""

from __future__ import annotations

from bertline.bundle.verify import read_manifest
from bertline.lifecycle.retraining.context import Facts, Run
from bertline.lifecycle.retraining.journal import Journal
from bertline.lifecycle.retraining.judging_steps import verdict_of
from bertline.lifecycle.rollout.overdue import end_overdue
from bertline.registry.add import add
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.rollout import SHADOW, Rollout
from bertline.registry.rollouts import Rollouts
from bertline.registry.settings import RegistrySettings

CHALLENGER = "challenger"


def register(run: Run) -> Facts:
    """Add the bundle, which is the same version however often, and let the alias challenger name it."""
    added = add(run.bundle, run.journal.model, run.registry, by=run.by, run=run.journal.done["train"]["run"])
    version = added.version.version
    with Database(run.registry.place) as database:
        reference = Reference(run.journal.model, version=version)
        entry = Deployments(database, run.by).promote(
            reference, CHALLENGER, verdict=verdict_of(run), reason=_reason(run.journal)
        )
    number = None if entry is None else entry.number  # None: it named the version already
    return {"version": version, "digest": read_manifest(run.bundle).checksum, "entry": number}


def withdraw(registry: RegistrySettings, journal: Journal, by: str, why: str) -> str | None:
    """Take the alias challenger from the version of a run that ends without one; what became of it, for people.

    None if the run never moved the alias, or somebody has moved it since. A rollout that the run began ends too.

    Args:
        registry: where the alias is.
        journal: of the run.
        by: who retrains, for the log.
        why: the run ends so.

    Raises:
        RegistryError: the database cannot be used.
    """
    model, reason = journal.model, f"{why} in run {journal.id}"
    with Database(registry.place) as database:
        rollouts, deployments = Rollouts(database, by), Deployments(database, by)
        going = rollouts.current(model)
        if going is not None and _began(journal, going):
            rollouts.abort(model)
        last = next((one for one in reversed(deployments.entries(model)) if one.alias == CHALLENGER), None)
        if last is not None and last.reason == _reason(journal):
            last = deployments.undo(last, reason)
    if last is None or last.reason != reason:  # it has this reason too if the process was killed just after that
        return None
    now = f"names {model}:{last.to_version} again" if last.to_version else "is removed"
    return f"the alias {CHALLENGER}, which named {model}:{last.from_version}, {now}"


def end_earlier(run: Run) -> None:
    """End an earlier rollout that servers should have ended, which may move the champion.

    Raises:
        RegistryError: the database cannot be used.
    """
    with Database(run.registry.place) as database:
        if ended := end_overdue(Rollouts(database, _by(run.by, run.journal)), run.journal.model):
            run.progress.note(ended)


def shadow(run: Run) -> Facts:
    """Begin a rollout that is all shadow: servers that follow the champion compare both, and only the champion answers.

    Raises:
        RegistryError: another rollout of the model goes on; this step is done once it has ended.
    """
    if run.settings.no_shadow:
        return {"rollout": None}
    version = run.journal.done["register"]["version"]
    with Database(run.registry.place) as database:
        rollouts = Rollouts(database, _by(run.by, run.journal))
        last = rollouts.last(run.journal.model)
        if last is None or not _began(run.journal, last):  # else it was begun before the process was killed
            reference = Reference(run.journal.model, version=version)
            last = rollouts.begin(reference, (SHADOW,), run.plan, verdict=verdict_of(run), reason=_reason(run.journal))
    return {"rollout": last.number}


def _by(by: str, journal: Journal) -> str:
    return f"{by}, run {journal.id}"


def _began(journal: Journal, rollout: Rollout) -> bool:
    """Whether a run began a rollout, whoever goes on with it now."""
    return rollout.by.endswith(_by("", journal))


def _reason(journal: Journal) -> str:
    return f"retrained by run {journal.id}: {'; '.join(journal.because)}"
