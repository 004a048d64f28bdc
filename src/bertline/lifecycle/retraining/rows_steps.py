"""The first steps of a run: the rows are taken, and everything is checked before an hour of training."""

from __future__ import annotations

import shutil

from bertline.data.examples import Dataset, read_examples
from bertline.data.labels import Labels
from bertline.data.settings import LabelledTableSettings
from bertline.data.targets import names_of
from bertline.errors import DataError
from bertline.lifecycle.retraining.context import Facts, Run
from bertline.lifecycle.retraining.corpus import collect, contradictions
from bertline.lifecycle.retraining.recipe import check_trainable
from bertline.lifecycle.retraining.snapshot import take
from bertline.training.run import check


def snapshot(run: Run) -> Facts:
    """Collect the rows and write them where nobody changes them."""
    check_trainable(run.title, run.manifest)
    feedback = None
    if run.labelled is not None:
        feedback = run.folder / "feedback" / "feedback.jsonl"
        feedback.parent.mkdir(parents=True, exist_ok=True)
        feedback.unlink(missing_ok=True)  # of an interrupted attempt
        feedback = feedback if run.labelled.export(feedback) else None
    corpus = collect(run.champion, run.manifest.task, run.settings, feedback)
    settings = run.settings
    grouped = settings.group_column is not None
    taken = take(corpus, run.home.path / "snapshots", slices=settings.slice_columns, grouped=grouped)
    shutil.rmtree(run.folder / "feedback", ignore_errors=True)  # the snapshot has the rows
    return taken.facts


def validate(run: Run) -> Facts:
    """Check all that ``train`` checks, and that the rows have the champion's labels.

    Raises:
        DataError: they have others, or ``train`` could not use them.
    """
    spec, training = run.manifest.task, run.training
    table = LabelledTableSettings(**{name: getattr(training, name) for name in LabelledTableSettings.model_fields})
    rows = read_examples(str(run.snapshot.rows), table, kind=spec.kind, pairs=spec.pairs, trainable=False)
    _check_names(rows, spec.names, run.title)
    run.progress.note(_says(run.snapshot.facts))
    check(str(run.snapshot.rows), run.bundle, training, run.progress)
    disputed = contradictions(rows.examples)
    if disputed:
        run.progress.note(f"{disputed:,} texts occur with different labels")
    return {"contradictions": disputed}


def _check_names(rows: Dataset, names: tuple[str, ...], title: str) -> None:
    """Check that rows have the labels of the champion, all of them and no others."""
    if not names:
        return
    known, occurring = Labels(names), Labels(tuple({name for one in rows.targets for name in names_of(one)}))
    if new := sorted(name for name in occurring.names if name not in known):
        raise DataError(
            f"the rows have labels that {title} does not know ({_listed(new)}): train a model for them with bertline "
            "train, because a gate compares models with the same labels"
        )
    if missing := [name for name in names if name not in occurring]:
        raise DataError(
            f"no row has a label that {title} knows ({_listed(missing)}): add the tables that it was trained on with "
            "--data"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (" and more" if len(names) > 5 else "")


def _says(facts: Facts) -> str:
    some = ", ".join(f"{number:,} {name}" for name, number in facts["left_out"].items()) or "none"
    added = "" if facts["added"] is None else f", {facts['added']:,} of them new to the champion"
    return f"{facts['rows']:,} rows to train on{added}; left out: {some}"
