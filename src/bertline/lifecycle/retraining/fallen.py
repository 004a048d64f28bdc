"""Whether the champion's accuracy has fallen, by the feedback on its predictions in a store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from bertline.bundle.verify import read_manifest
from bertline.errors import UsageError
from bertline.lifecycle.drift.live_accuracy import accuracy_check, expected_accuracy
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck, add_accuracy_check
from bertline.lifecycle.predictions.store import open_store
from bertline.lifecycle.predictions.verdicts import Verdicts, verdicts
from bertline.statistics.figures import percent
from bertline.statistics.sequential import HORIZON, AccuracyDrop, Baseline, accuracy_drop
from bertline.tasks import task

LATEST = 200  # labels that have to be as right as expected before a drop counts again


@dataclass(frozen=True, slots=True)
class Fall:
    """What feedback says of the champion's accuracy.

    Attributes:
        evidence: names the labels that were looked at: the same twice is one finding. None if there are none.
        fallen: whether accuracy dropped, and has not come back since.
        steady: whether the latest ``LATEST`` labels are as right as expected.
        newest: when the newest prediction that has a label was made, in ISO 8601; None if there is none.
        sentence: what was found, for people.
        check: what the store keeps of it; None if there are no labels.
    """

    evidence: str | None
    fallen: bool
    steady: bool
    newest: str | None
    sentence: str
    check: AccuracyCheck | None = field(default=None, compare=False)  # it has the time


@dataclass(frozen=True, slots=True)
class AccuracySource:
    """Where feedback comes from.

    Attributes:
        url: of the store of predictions.
        model: its name in the store.
        expected: what the test rows of each champion say, so that its test rows are answered once in a process.
    """

    url: str
    model: str
    expected: dict[Path, Baseline] = field(default_factory=dict)

    def look(self, champion: Path, since: str | None) -> Fall:
        """Test the feedback on predictions of a champion.

        Args:
            champion: directory of its bundle.
            since: when the first of the predictions was made at the earliest, in ISO 8601.

        Raises:
            UsageError: its task is not tested.
            BundleError: it carries no test rows.
            PredictionStoreError: the store cannot be read.
        """
        manifest = read_manifest(champion)
        if not task(manifest.task.task).feedback.as_tested(manifest.task):
            raise UsageError(
                f"the accuracy of {self.model} in production cannot be expected from its test rows: leave out "
                "--accuracy"
            )
        span = None if since is None else datetime.fromisoformat(since), None
        with open_store(self.url) as store:
            found = verdicts(store, self.model, manifest.checksum, span, most=HORIZON)
        if not found.right:
            return Fall(None, False, False, None, f"there is no feedback on answers of the champion as {self.model}")
        if champion not in self.expected:
            self.expected[champion] = expected_accuracy(champion, DriftSettings())
        drop = accuracy_drop(np.array(found.right, dtype=bool), self.expected[champion])
        return _fall(found, drop, accuracy_check(self.model, manifest.checksum, found, drop))

    def record(self, check: AccuracyCheck) -> None:
        """Keep a finding in the store where its labels are, so that metrics and the page show it.

        Raises:
            PredictionStoreError: the store cannot be written.
        """
        with open_store(self.url) as store:
            add_accuracy_check(store, check)


def _fall(found: Verdicts, drop: AccuracyDrop, check: AccuracyCheck) -> Fall:
    latest = np.array(found.right[-LATEST:], dtype=bool)
    steady = len(latest) == LATEST and float(latest.mean()) >= drop.baseline
    newest = found.made(-1).isoformat()
    return Fall(_evidence(found), drop.lasts, steady, newest, _sentence(found, drop), check)


def _evidence(found: Verdicts) -> str:
    each = zip(found.ids, found.right, strict=True)
    return hashlib.sha256("".join(f"{one}{right:d}" for one, right in each).encode()).hexdigest()


def _sentence(found: Verdicts, drop: AccuracyDrop) -> str:
    expected = f"{percent(drop.baseline)} was expected"
    if drop.lasts and drop.since is not None and drop.after is not None:
        began, number = found.made(drop.since), drop.labels - drop.since
        return f"accuracy fell: {percent(drop.after)} on {number:,} labels since {began:%Y-%m-%d %H:%M} UTC, {expected}"
    return f"no drop of accuracy: {percent(drop.accuracy)} on {drop.labels:,} labels, {expected}"
