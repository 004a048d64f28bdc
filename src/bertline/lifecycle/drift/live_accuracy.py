"""Has the accuracy of a version dropped, by the feedback on its predictions?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bertline.bundle import load
from bertline.data.targets import to_json
from bertline.errors import BundleError, DataError
from bertline.inference import load_predictor
from bertline.lifecycle.drift.reference import Reference
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.statistics.sequential import HORIZON, AccuracyDrop, Baseline, accuracy_drop
from bertline.tasks import task
from bertline.tasks.feedback import FeedbackFault
from bertline.text.reading import texts_of

if TYPE_CHECKING:
    from bertline.database.database import Database
    from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck
    from bertline.lifecycle.predictions.kept import Span
    from bertline.lifecycle.predictions.verdicts import Verdicts


class NoTestRows(BundleError):
    """A bundle carries no test rows, so no accuracy can be expected of it."""


@dataclass(frozen=True, slots=True)
class LiveAccuracy:
    """The test of one version's feedback.

    Attributes:
        drop: what the test found.
        verdicts: that it was made of.
        check: for the store.
    """

    drop: AccuracyDrop
    verdicts: Verdicts
    check: AccuracyCheck

    def notes(self) -> list[str]:
        """Sentences to read beside it."""
        notes = ["the test of accuracy takes feedback for a random sample: people report errors more often"]
        if reviewed := self.verdicts.reviewed:
            notes.append(f"{reviewed:,} labels of texts chosen for review are left out of the test of accuracy")
        if self.drop.since is not None:
            began = self.verdicts.made(self.drop.since)
            notes.append(f"the drop of accuracy began with predictions of about {began:%Y-%m-%d %H:%M} UTC")
        return notes


def accuracy_check(model: str, digest: str, found: Verdicts, drop: AccuracyDrop) -> AccuracyCheck:
    """What a store of predictions keeps of a test that was made now.

    Args:
        model: its name for clients.
        digest: of the version's bundle.
        found: that was tested; at least one.
        drop: what the test found.
    """
    from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck
    from bertline.lifecycle.predictions.records import ms_of, now_ms

    return AccuracyCheck(
        model,
        digest,
        now_ms(),
        drop.labels,
        drop.accuracy if drop.after is None else drop.after,
        drop.baseline,
        drop.lasts,
        None if drop.since is None else ms_of(found.made(drop.since)),
    )


def live_accuracy(
    bundle: Path, store: Database, model: str, settings: DriftSettings, span: Span = (None, None)
) -> LiveAccuracy | None:
    """Test the latest feedback on a bundle's answers, of as many labels as the false-alarm rate is stated for.

    Args:
        bundle: the directory.
        store: of predictions.
        model: its name for clients.
        settings: ``rows`` of the reference are answered at most; with ``labelled``, there has to be feedback.
        span: when the predictions were made.

    Returns:
        None if no feedback calls an answer of this bundle right or wrong.

    Raises:
        NoTestRows: there is feedback, and nothing to expect an accuracy by.
        BundleError: the bundle cannot be loaded.
        DataError: feedback is wanted, and there is none.
        PredictionStoreError: the store cannot be read.
    """
    from bertline.lifecycle.predictions.verdicts import verdicts

    manifest = load(bundle).manifest
    known = task(manifest.task.task).feedback.as_tested(manifest.task)
    found = verdicts(store, model, manifest.checksum, span, most=HORIZON) if known else None
    if found is None or not found.right:
        if settings.labelled:
            raise DataError(_nothing(bundle, store, model, known))
        return None
    drop = accuracy_drop(np.array(found.right, dtype=bool), expected_accuracy(bundle, settings))
    return LiveAccuracy(drop, found, accuracy_check(model, manifest.checksum, found, drop))


def expected_accuracy(bundle: Path, settings: DriftSettings) -> Baseline:
    """How many of the bundle's test rows are answered right by the rule of feedback.

    Raises:
        NoTestRows: no reference row is a test row.
        BundleError: it cannot be loaded, or carries too few reference rows.
    """
    spec = load(bundle).manifest.task
    reference, part = Reference.of(bundle, spec.names, settings), task(spec.task).feedback
    inputs, targets = reference.rows.inputs[: reference.tested], reference.rows.targets[: reference.tested]
    right = []
    answers = load_predictor(bundle, engine=settings.engine).predict(inputs)
    for one, answer, target in zip(inputs, answers, targets, strict=True):
        recorded = part.recorded(spec, answer)
        try:
            correct = part.target(spec, to_json(target), recorded, sum(map(len, texts_of(one))))
        except FeedbackFault:  # a label that the model cannot give
            right.append(False)
        else:
            right.append(bool(part.right(spec, recorded, correct)))
    if not right:
        raise NoTestRows(f"{bundle} carries no test rows (reference/test.jsonl) whose accuracy could be expected")
    return Baseline.of(np.array(right, dtype=bool))


def _nothing(bundle: Path, store: Database, model: str, known: bool) -> str:
    if not known:
        return f"the accuracy of {bundle} in production cannot be expected from its test rows: leave out labelled"
    return (
        f"{store.place} has no feedback on answers of {bundle} as {model} but that of texts chosen for review: leave "
        "out labelled, or import feedback on this version with bertline feedback import"
    )
