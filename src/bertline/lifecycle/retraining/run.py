"""One retraining from its reason to a challenger, or to a record of why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bertline.bundle.verify import read_manifest
from bertline.errors import BertlineError, DestinationError, Interrupted, RegistryError, StoreError
from bertline.lifecycle.predictions.records import PredictionStoreError
from bertline.lifecycle.retraining import judging_steps, registering_steps, rows_steps, training_steps
from bertline.lifecycle.retraining.context import Facts, Run
from bertline.lifecycle.retraining.journal import Journal, Outcome, read, write
from bertline.lifecycle.retraining.registering_steps import withdraw
from bertline.lifecycle.retraining.triggers import after
from bertline.registry.catalogue import ModelVersion
from bertline.registry.reference import CHAMPION, Reference
from bertline.registry.resolve import look_up
from bertline.registry.settings import RegistrySettings

# In their order. What a step found is in the journal by its name.
STEPS: dict[str, Callable[[Run], Facts]] = {
    "snapshot": rows_steps.snapshot,
    "validate": rows_steps.validate,
    "train": training_steps.fine_tune,
    "optimize": training_steps.build_engines,
    "gate": judging_steps.judge,
    "record": judging_steps.record,
    "register": registering_steps.register,
    "shadow": registering_steps.shadow,
}
PROMOTED = "promoted"  # instead of the steps that are left: somebody made the challenger the champion
# What may pass by itself: the run goes on at the same step the next time.
PASSING = (RegistryError, StoreError, PredictionStoreError, DestinationError, Interrupted)


def carry_out(run: Run, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Journal:
    """Do the steps that are left, and record each; returns the record.

    Raises:
        BertlineError: the registry, a store or a disk cannot be used, or it was interrupted: the run can go on. Any
            other error ends the run, and is recorded and raised.
    """
    try:
        return _ended(_stepped(run), now())
    except PASSING:
        raise
    except BertlineError as error:
        sentence = _with_alias(str(error), withdraw(run.registry, run.journal, run.by, "failed"))
        write(run.folder, _current(run).over("failed", sentence, now()))
        run.home.tidy(run.settings.keep)  # runs that fail every day must not fill the disk either
        raise


def give_up(folder: Path, journal: Journal, registry: RegistrySettings, by: str, now: datetime) -> Journal:
    """End an interrupted run without a challenger; returns the record.

    Args:
        folder: of the run.
        journal: the record so far.
        registry: where its challenger may be.
        by: who gives it up, for the log.
        now: the time, in UTC.

    Raises:
        RegistryError: its challenger may still be one, because the database cannot be used; nothing is recorded.
    """
    over = journal.over("given up", _with_alias("by --restart", withdraw(registry, journal, by, "given up")), now)
    write(folder, over)
    return over


def _stepped(run: Run) -> Run:
    """After the last step that is done: the last of all, or the gate's no."""
    while (name := next_step(run.journal)) is not None:
        run.progress.note(f"Step: {name}")
        champion = _champion(run) if _needs_champion(run, name) else None
        if champion is not None and champion.digest == read_manifest(run.bundle).checksum:
            run = _recorded(run, _current(run).with_step(PROMOTED, {"version": champion.version}))
            continue
        if champion is not None and name != "gate" and champion.digest != run.journal.done["gate"]["champion_digest"]:
            run.progress.note("The champion was replaced meanwhile, so the gate judges again")
            again = ("gate", "record", "register")
            done = {step: facts for step, facts in run.journal.done.items() if step not in again}
            run = _recorded(run, replace(run.journal, done=done))
            continue
        facts = STEPS[name](run)
        run = _recorded(run, _current(run).with_step(name, facts))
    return run


def next_step(journal: Journal) -> str | None:
    """The step that a run is at; None if there is none left."""
    judged = journal.done.get("gate")
    if PROMOTED in journal.done:
        return None
    for name in STEPS:
        if name in ("register", "shadow") and judged and judged["decision"] != "yes":
            return None
        if name not in journal.done:
            return name
    return None


def _needs_champion(run: Run, step: str) -> bool:
    """Whether a step compares the challenger with the champion of now, or needs the gate to have done so."""
    return step in ("gate", "register") or (step == "shadow" and not run.settings.no_shadow)


def _champion(run: Run) -> ModelVersion:
    """The champion of now; the end of an overdue rollout may move it."""
    registering_steps.end_earlier(run)
    return look_up(Reference(run.journal.model, alias=CHAMPION), run.registry)


def _ended(run: Run, now: datetime) -> Journal:
    outcome, sentence = _outcome(run)
    state = run.home.state()
    run.home.remember(after(state, run.journal, run.snapshot.new_rows))
    journal = run.journal.over(outcome, sentence, now)
    write(run.folder, journal)
    run.home.tidy(run.settings.keep)
    return journal


def _outcome(run: Run) -> tuple[Outcome, str]:
    """How a run ended, and why."""
    model, done = run.journal.model, run.journal.done
    if PROMOTED in done:
        return "champion", f"{model}:{done[PROMOTED]['version']} was promoted meanwhile, it is the champion"
    judged = done["gate"]
    champion = f"{model}:{judged['champion']}"
    if judged["decision"] == "yes":
        names = "challenger" if run.settings.no_shadow else "challenger, in the shadow"
        return "challenger", f"{model}:{done['register']['version']} is the {names}; the champion is {champion}"
    withdrawn = withdraw(run.registry, run.journal, run.by, "rejected by the gate")
    return "rejected", _with_alias(f"{judging_steps.said(dict(judged))}; the champion stays {champion}", withdrawn)


def _with_alias(sentence: str, withdrawn: str | None) -> str:
    return f"{sentence}; {withdrawn}" if withdrawn else sentence


def _current(run: Run) -> Journal:
    """The journal as it is on disk, where the training recorded its time meanwhile."""
    return read(run.folder) or run.journal


def _recorded(run: Run, journal: Journal) -> Run:
    write(run.folder, journal)
    return replace(run, journal=journal)


def spender(folder: Path) -> Callable[[float], None]:
    """Records the seconds of training in the journal of a folder."""

    def spend(seconds: float) -> None:
        journal = read(folder)
        if journal is not None:
            write(folder, replace(journal, spent_s=round(seconds, 1)))

    return spend
