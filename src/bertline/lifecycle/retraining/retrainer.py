"""A model is looked after: an interrupted run goes on, and a new one begins when there is a reason."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bertline.bundle.verify import read_manifest
from bertline.errors import BertlineError, Interrupted, UsageError
from bertline.lifecycle.predictions.records import PredictionStoreError
from bertline.lifecycle.retraining.context import Run
from bertline.lifecycle.retraining.corpus import collect
from bertline.lifecycle.retraining.drifted import DriftSource, Finding
from bertline.lifecycle.retraining.fallen import AccuracySource, Fall
from bertline.lifecycle.retraining.findings import keep, recalled
from bertline.lifecycle.retraining.home import Home
from bertline.lifecycle.retraining.journal import Journal, new_id, stamp, write
from bertline.lifecycle.retraining.judging_steps import bounds_of
from bertline.lifecycle.retraining.labelled import Labelled
from bertline.lifecycle.retraining.recipe import check_trainable
from bertline.lifecycle.retraining.run import carry_out, give_up, spender
from bertline.lifecycle.retraining.settings import RetrainSettings, period
from bertline.lifecycle.retraining.triggers import Decision, Going, Look, decide
from bertline.lifecycle.rollout.overdue import end_overdue, ending, outlook
from bertline.monitoring.logs.error_path import path_of
from bertline.optimization.settings import OptimizeSettings
from bertline.registry.database import Database
from bertline.registry.reference import CHAMPION, Reference, check_name
from bertline.registry.resolve import Located, locate, look_up
from bertline.registry.rollouts import Rollouts
from bertline.registry.settings import RegistrySettings
from bertline.statistics.sequential import Baseline
from bertline.training.progress import Progress


class UnexpectedError(BertlineError):
    """A bug in a look, by its class and place."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one look.

    Attributes:
        decision: of the triggers; None if an interrupted run went on.
        journal: of the run; None if none was due.
    """

    decision: Decision | None
    journal: Journal | None


@dataclass(frozen=True, slots=True)
class Retrainer:
    """Retrains one model.

    Attributes:
        model: by its name in the registry.
        settings: of retraining.
        registry: where it is.
        optimizing: settings of ``optimize``.
        plan: settings of the shadow's decisions (``lifecycle.rollout.plan``).
        progress: hears of the work.
        labelled: rows of production; None if there are none.
        by: who retrains, for the log.
        now: the time, in UTC.
    """

    model: str
    settings: RetrainSettings
    registry: RegistrySettings
    optimizing: OptimizeSettings
    progress: Progress
    labelled: Labelled | None
    by: str
    plan: Mapping[str, Any] = field(default_factory=dict)
    now: Callable[[], datetime] = _now
    findings: dict[Path, Finding] = field(default_factory=dict, repr=False)  # the last one about each champion
    expected: dict[Path, Baseline] = field(default_factory=dict, repr=False)  # by the test rows of each champion
    falls: dict[Path, Fall] = field(default_factory=dict, repr=False)  # of the last look

    @property
    def home(self) -> Home:
        """Where runs are kept."""
        return Home(self.settings.directory, check_name(self.model))

    def unfinished(self) -> Journal | None:
        """The run that was interrupted."""
        return self.home.unfinished()

    def look(self, *, by_hand: bool = False) -> Decision:
        """Is a run due? Nothing is changed.

        Raises:
            UsageError: there are no rows to train on or to judge by.
            BertlineError: the registry or a table cannot be used.
        """
        self._check()
        located = self._champion()
        look = Look(
            champion=str(located.version.digest),
            since=datetime.fromisoformat(located.version.added),
            journals=self.home.journals(),
            state=self.home.state(),
            drift=self._drift(located.path),
            labels=lambda: self._new_labels(located.path),
            going=self._rollout(),
            now=self.now(),
            accuracy=self._accuracy(located.path),
        )
        return decide(self.settings, look, by_hand=by_hand)

    def once(self, *, by_hand: bool = False, restart: bool = False) -> Result:
        """Go on with the interrupted run, or begin one if it is due.

        Args:
            by_hand: begin one without another reason.
            restart: give an interrupted run up.

        Raises:
            DestinationError: another process retrains this model.
            BertlineError: the run cannot be done, or not now.
        """
        home = self.home
        with home.alone():
            open_run = home.unfinished()
            if open_run is not None and restart:
                give_up(home.folder(open_run), open_run, self.registry, self.by, self.now())
                home.tidy(self.settings.keep)
            elif open_run is not None:
                return Result(None, carry_out(self._run(open_run), self.now))
            self.falls.clear()
            decision = self.look(by_hand=by_hand)
            self._record_accuracy()
            if decision.state.evidence != home.state().evidence:
                self._record_drift(decision.state.evidence)
            home.remember(decision.state)
            self._keep_finding(str(decision.state.champion))
            if not decision.due:
                return Result(decision, None)
            self._end_overdue()  # before the run takes the champion, which this may move
            journal = self._begun(decision)
            return Result(decision, carry_out(self._run(journal), self.now))

    def _check(self) -> None:
        """Check the settings that any run needs.

        Raises:
            UsageError: there are no rows to train on or to judge by.
        """
        if not self.settings.data and self.labelled is None:
            raise UsageError(f"there are no rows to train {self.model} on: give --data TABLE, or --feedback URL")
        if not self.settings.frozen:
            raise UsageError(
                f"there are no rows to judge {self.model} by: give --frozen TABLE, labelled rows that are never "
                "trained on"
            )
        bounds_of(self.settings)

    def _champion(self) -> Located:
        """The champion and its bundle.

        Raises:
            TrainingError: it was not trained by ``train``.
        """
        located = locate(look_up(Reference(self.model, alias=CHAMPION), self.registry))
        check_trainable(str(located.version), read_manifest(located.path))
        return located

    def _rollout(self) -> Going | None:
        """The rollout of the model that goes on."""
        with Database(self.registry.place) as database:
            rollouts = Rollouts(database, self.by)
            current = rollouts.current(self.model)
            if current is None:
                return None
            tallies, now_s = rollouts.totals(current), time.time()  # the clock by which rollouts are dated
        over = ending(current, tallies, now_s)
        if over is None:
            return Going(outlook(current, tallies, now_s), blocks=True)
        return Going(f"rollout {current.number} of {current.name} ends when the next run begins: {over.reason}", False)

    def _end_overdue(self) -> None:
        """End a rollout that servers should have ended."""
        with Database(self.registry.place) as database:
            if ended := end_overdue(Rollouts(database, self.by), self.model):
                self.progress.note(ended)

    def _drift(self, champion: Path) -> Callable[[], Finding] | None:
        source = self._drift_source
        if source is None:
            return None

        def look() -> Finding:
            last = self.findings.get(champion) or recalled(self.home, source, read_manifest(champion).checksum)
            found = self.findings[champion] = source.look(champion, self.now(), last)
            return found

        return look

    def _accuracy(self, champion: Path) -> Callable[[str | None], Fall] | None:
        if self.settings.accuracy is None:
            return None

        def look(since: str | None) -> Fall:
            found = self.falls[champion] = self._accuracy_source.look(champion, since)
            return found

        return look

    @property
    def _accuracy_source(self) -> AccuracySource:
        return AccuracySource(str(self.settings.accuracy), self.settings.served_as or self.model, self.expected)

    def _record_accuracy(self) -> None:
        """Let the store of predictions have what this look found in its labels."""
        for found in self.falls.values():
            if found.check is not None:
                try:
                    self._accuracy_source.record(found.check)
                except PredictionStoreError as error:  # it may be read only: no reason not to retrain
                    self.progress.note(f"The test of accuracy is not recorded: {error}")

    @property
    def _drift_source(self) -> DriftSource | None:
        if self.settings.drift is None:
            return None
        return DriftSource(self.settings.drift, self.settings.served_as or self.model, self.settings)

    def _record_drift(self, evidence: str | None) -> None:
        """Let the store of predictions have the check of its texts, once for each window."""
        source = self._drift_source
        for found in self.findings.values():
            if source is not None and found.check is not None and found.evidence == evidence:
                try:
                    source.record(found.check)
                except PredictionStoreError as error:  # it may be read only: no reason not to retrain
                    self.progress.note(f"The check for drift is not recorded: {error}")

    def _keep_finding(self, champion: str) -> None:
        """For the next process: a timer starts one for each look."""
        source = self._drift_source
        for path, found in self.findings.items():
            if source is not None and read_manifest(path).checksum == champion:
                keep(self.home, source, champion, found)

    def _new_labels(self, champion: Path) -> int:
        """Rows to train on that the champion did not learn from.

        Fresh rows do not count: no champion ever learns from them, so they would make each one's successor due.
        """
        with tempfile.TemporaryDirectory(prefix="bertline-retrain-") as folder:
            feedback = Path(folder) / "feedback.jsonl"
            there = self.labelled is not None and self.labelled.export(feedback) > 0
            spec = read_manifest(champion).task
            return collect(champion, spec, self.settings, feedback if there else None).new_rows

    def _begun(self, decision: Decision) -> Journal:
        """A new run, recorded."""
        now, champion = self.now(), self._champion().version
        journal = Journal(
            id=new_id(now),
            model=self.model,
            began=stamp(now),
            because=decision.because,
            champion=champion.version,
            digest=str(champion.digest),
            settings=self.settings.model_dump(mode="json"),
        )
        write(self.home.folder(journal), journal)
        return journal

    def _run(self, journal: Journal) -> Run:
        """A run with the settings and the champion that it began with."""
        began_with = look_up(Reference(self.model, version=journal.champion), self.registry)
        return Run(
            home=self.home,
            journal=journal,
            settings=RetrainSettings(**journal.settings),
            registry=self.registry,
            champion=locate(began_with).path,
            progress=self.progress,
            spend=spender(self.home.folder(journal)),
            labelled=self.labelled,
            optimizing=self.optimizing,
            plan=self.plan,
            by=self.by,
        )


def watch(
    retrainer: Retrainer, heard: Callable[[Result | BertlineError], None], sleep: Callable[[float], None]
) -> None:
    """Look again and again, until a signal ends the process; what goes wrong is told, and looked at again later.

    An error that is a bug is told by its class and place, once until it is another or a look succeeds: its message may
    hold texts.

    Args:
        retrainer: of the model.
        heard: is told each result, and each error.
        sleep: waits so many seconds.
    """
    pause_s = period(retrainer.settings.check_every).total_seconds()
    known: str | None = None
    while True:
        bug: str | None = None
        try:
            heard(retrainer.once())
        except Interrupted:
            raise
        except BertlineError as error:
            heard(error)
        except Exception as error:
            bug = path_of(error)
        if bug is not None and bug != known:
            heard(UnexpectedError(f"retraining {retrainer.model} failed unexpectedly, and is tried again: {bug}"))
        known = bug
        sleep(pause_s)
