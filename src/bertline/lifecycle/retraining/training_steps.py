"""The steps that make a challenger: training within the budget, then engines like the champion's."""

from __future__ import annotations

import shutil
from typing import Any

from bertline.bundle.fields import MANIFEST
from bertline.bundle.verify import read_manifest
from bertline.errors import Interrupted
from bertline.lifecycle.retraining.budget import Budgeted, OverBudget
from bertline.lifecycle.retraining.context import Facts, Run
from bertline.lifecycle.retraining.recipe import has_engines
from bertline.lifecycle.tracked import TrackedProgress
from bertline.optimization.run import optimize
from bertline.registry.tracking import TrackedRun
from bertline.tasks.history import EpochRecord
from bertline.training.checkpoint import working_directory
from bertline.training.run import train


def fine_tune(run: Run) -> Facts:
    """Train the challenger; a killed training goes on from its checkpoint, a whole bundle is kept.

    The run in MLflow is found again by the run's id, so that a continued training is not recorded twice.
    """
    training = run.training
    tags = {"retraining": run.journal.id, "model": run.journal.model}
    given = training.model_dump(mode="json", include=training.model_fields_set)
    tracked = TrackedRun(run.registry, run.settings.experiment, run.bundle, given, run.by, tags=tags)
    try:
        history = () if _is_whole(run) else _train(run, tracked)
        id_ = tracked.finish(run.bundle, _used(run), history)
    except (Interrupted, KeyboardInterrupt):
        tracked.end("KILLED")
        raise
    except BaseException:
        tracked.end("FAILED")
        raise
    metrics = read_manifest(run.bundle).metrics
    return {"run": id_, "digest": read_manifest(run.bundle).checksum, "metrics": metrics}


def _used(run: Run) -> dict[str, Any]:
    """The settings of the training, with the epochs that the table decided, which the bundle leaves out."""
    kept = read_manifest(run.bundle).training
    decided = {"epochs", "patience"} - kept.keys() if "epochs_run" in kept else set()
    return run.training.model_dump(mode="json") | dict.fromkeys(decided, kept.get("epochs_run"))


def _train(run: Run, tracked: TrackedRun) -> tuple[EpochRecord, ...]:
    heard = TrackedProgress(run.progress, tracked)
    watched = Budgeted(heard, 60 * run.settings.budget_min, run.journal.spent_s, run.spend)
    run.bundle.parent.mkdir(parents=True, exist_ok=True)
    try:
        rows = str(run.snapshot.rows)
        trained = train(rows, run.bundle, run.training, watched, resume=True, lineage=_lineage(run))
    except OverBudget:
        shutil.rmtree(working_directory(run.bundle), ignore_errors=True)  # nobody goes on from it
        raise
    finally:
        run.spend(watched.spent_s)
    return trained.history


def _is_whole(run: Run) -> bool:
    """Whether the bundle was written before the process was killed."""
    if not (run.bundle / MANIFEST).is_file():
        return False
    return bool(read_manifest(run.bundle).lineage.get("snapshot") == run.snapshot.facts["sha256"])


def _lineage(run: Run) -> dict[str, Any]:
    """What the bundle says of where it comes from."""
    parent, facts = run.manifest, run.snapshot.facts
    base = {"base_model": parent.lineage.get("base_model", "")} if run.settings.start == "champion" else {}
    return {
        **base,
        "parent": run.title,
        "parent_version": parent.checksum,
        "start": run.settings.start,
        "snapshot": facts["sha256"],
        "rows_added": facts["added"],
    }


def build_engines(run: Run) -> Facts:
    """Build engines if the champion has such; with fp32 alone the gate would find the challenger slow."""
    if run.settings.engines == "none" or not has_engines(run.manifest):
        return {"picked": None}
    if has_engines(read_manifest(run.bundle)):  # done before the process was killed
        return {"picked": read_manifest(run.bundle).engines[0].name}
    return {"picked": optimize(run.bundle, run.optimizing, run.progress.note).picked}
