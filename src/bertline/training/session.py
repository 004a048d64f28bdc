"""Around the loop: claim the directory, resume and clean up for every recipe; for a bundle also estimate and score."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from bertline.bundle import load
from bertline.destination import claim
from bertline.encoder.network import TextNetwork
from bertline.errors import TrainingError
from bertline.evaluation.report import FOLDER, OF_REPORT, RECORD
from bertline.tasks.contract import Array
from bertline.tasks.history import EpochRecord
from bertline.training.averaging import SEEDS_APART, fit_averaged
from bertline.training.checkpoint import discard_state, settle_unfinished, state_bytes, working_directory
from bertline.training.device import Placement, place
from bertline.training.estimate import measure_run
from bertline.training.facts import Fact
from bertline.training.finished import AlreadyFinished, Finished, check_same_run, figures_of, read_run, with_versions
from bertline.training.loop import Run
from bertline.training.parallel.join import current
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.preflight import check_start
from bertline.training.progress import Plan, Progress, Silent
from bertline.training.row_task import RowTask
from bertline.training.rows import Rows
from bertline.training.scoring import score
from bertline.training.settings import LoopSettings
from bertline.training.task import Model, Targets, Task


@dataclass(frozen=True)
class Fitted:
    """A trained classifier's epochs, and its outputs in fp32 for each piece of the validation and test rows.

    ``facts``: about its runs, where there were several; the epochs are those of the best one.
    """

    history: tuple[EpochRecord, ...]
    validation: list[Array]
    test: list[Array]
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Session:
    """One run of a recipe.

    Attributes:
        out: directory of its output.
        directory: of the checkpoints.
        placement: device and precision.
        progress: listens to the run.
        resume: continue from a checkpoint, if there is one.
        overwrite: replace what is at ``out``.
        ranks: the processes that train together.
        before: the record of a finished run at ``out`` that is to be resumed; None if there is none.
    """

    out: Path
    directory: Path
    placement: Placement
    progress: Progress
    resume: bool
    overwrite: bool
    ranks: Ranks = ALONE
    before: Mapping[str, Any] | None = None

    @property
    def resumes(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self.ranks.leaders(self.resume and state_bytes(self.directory) > 0)

    def end_as_finished(self, identity: Mapping[str, Any]) -> NoReturn:
        """End a run whose bundle is there ``before`` it; what the earlier run may have left beside it is removed.

        Args:
            identity: of the data and the settings; the earlier run must have had the same.

        Raises:
            AlreadyFinished: it had.
            TrainingError: it had not; what differs is named.
            BundleError: the bundle is damaged.
        """
        assert self.before is not None, "there is a finished run"
        check_same_run(self.out, "a bundle", self.before["identity"], identity)
        self.ranks.dismiss()
        load(self.out)
        record = json.loads((self.out / FOLDER / RECORD).read_text(encoding="utf-8"))
        figures = {name: one for name, one in record.items() if name not in OF_REPORT} | self.before["more"]
        self.end_with(Finished(self.out, self.before["title"], figures_of(self.before), figures))

    def end_with(self, finished: Finished) -> NoReturn:
        """Say that there is nothing left to do, remove checkpoints, and end the run.

        Raises:
            AlreadyFinished: always.
        """
        self.progress.note(finished.sentence)
        discard_state(self.directory)
        raise AlreadyFinished(finished)

    def train(
        self,
        model: Model,
        task: Task[Model, Targets],
        settings: LoopSettings,
        identity: Mapping[str, Any],
        progress: Progress,
    ) -> tuple[EpochRecord, ...]:
        """Train ``model``, which then has the best epoch's weights.

        Args:
            model: to train.
            task: what it learns.
            settings: of the loop.
            identity: of the data and the settings; a resumed run must have the same.
            progress: listens to the steps.

        Raises:
            TrainingError, Interrupted: as ``Run.fit``.
            TrainingError: the ranks have not the same data, settings and versions.
        """
        identity = with_versions(identity)
        check_same(self.ranks.gather(json.dumps(identity, sort_keys=True)))
        identity |= {"place": self.placement.name}
        run = Run(model, task, settings, self.placement, progress, self.directory, identity, self.ranks)
        return run.fit(resume=self.resume)

    def fit(
        self, classifier: TextNetwork, task: RowTask, test: Rows, identity: Mapping[str, Any], *, runs: int = 1
    ) -> Fitted:
        """Train ``classifier``, which then has the best epoch's weights, and score the held-out rows.

        Of several ranks, only the leader returns: it has the outputs, and the rest of the run is its work.

        Args:
            classifier: to train.
            task: what it learns.
            test: rows of which nothing is learned.
            identity: of the data and the settings; a resumed run must have the same.
            runs: whose weights are averaged; each has a state of its own.

        Raises:
            TrainingError, Interrupted: as ``Run.fit``.
        """
        self.progress.planned(self._plan(classifier, task, test, runs))

        def fit(number: int) -> tuple[EpochRecord, ...]:
            if runs == 1:
                return self.train(classifier, task, task.settings, identity, self.progress)
            self.progress.note(f"Run {number + 1} of {runs}")
            settings = task.settings.model_copy(update={"seed": task.settings.seed + SEEDS_APART * number})
            own = replace(self, directory=self.directory / f"run-{number + 1}")
            return own.train(classifier, replace(task, settings=settings), settings, identity, self.progress)

        def validate() -> tuple[float, Mapping[str, float]]:
            with self.placement.computing():
                return self.ranks.leaders(task.validate(classifier, self.placement.device, self.ranks))

        averaged = fit_averaged(classifier, runs, fit, validate, task.better)
        for fact in averaged.facts:
            self.progress.note(": ".join(fact))
        self.progress.note("Evaluating on the test rows")
        # In fp32, as the bundle will answer.
        device, ranks = self.placement.device, self.ranks
        validation, tested = (score(classifier, rows, device, ranks) for rows in (task.validation, test))
        ranks.dismiss()
        return Fitted(averaged.history, validation, tested, averaged.facts)

    def _plan(self, classifier: TextNetwork, task: RowTask, test: Rows, runs: int) -> Plan:
        seconds, token_seconds = measure_run(classifier, task, task.settings, self.placement, self.ranks)
        epoch, epochs = task.epoch(0), task.settings.epochs
        return Plan(
            train_rows=len(task.train.readings),
            validation_rows=len(task.validation.readings),
            test_rows=len(test.readings),
            epochs=epochs,
            steps=epoch.steps * epochs,
            tokens_per_epoch=epoch.tokens,
            place=self.placement.name,
            seconds=seconds.times(runs),
            runs=runs,
            token_seconds=token_seconds,
        )


@contextmanager
def session(
    out: Path, settings: LoopSettings, progress: Progress, *, resume: bool, overwrite: bool, baselines: bool = False
) -> Iterator[Session]:
    """Within: the bundle ``out`` is ours to write, as ``claimed`` says.

    Raises:
        UsageError: a package that the end of the run needs is not installed (``baselines``: theirs too).
        BundleError, DestinationError: ``out`` is taken, or cannot be written.
        TrainingError: as ``claimed``.
    """
    before = run_before(out / FOLDER, resume=resume, overwrite=overwrite)
    if current().leads and before is None:
        check_start(out, overwrite=overwrite, baselines=baselines)
    with claimed(out, "the bundle", settings, progress, resume=resume, overwrite=overwrite, before=before) as run:
        yield run


def run_before(directory: Path, *, resume: bool, overwrite: bool) -> Mapping[str, Any] | None:
    """The record of a finished run, for all ranks alike; None if there is none, or it is to be replaced."""
    ranks = current()
    return ranks.leaders(read_run(directory) if ranks.leads and resume and not overwrite else None)


@contextmanager
def claimed(
    out: Path,
    what: str,
    settings: LoopSettings,
    progress: Progress,
    *,
    resume: bool,
    overwrite: bool,
    before: Mapping[str, Any] | None = None,
) -> Iterator[Session]:
    """Within: ``out`` is ours to write. Without an error, the checkpoints are removed at the end.

    Of several ranks, the leader claims ``out``, and the others wait until it has.

    Args:
        out: directory of the output.
        what: it will be, for messages.
        settings: with the device.
        progress: listens to the run.
        resume: continue from a checkpoint, if there is one.
        overwrite: discard an unfinished run.
        before: the record of a finished run at ``out``.

    Raises:
        DestinationError: another process writes there.
        TrainingError: an unfinished run is in the way, or there is no GPU as required.
    """
    ranks, directory = current(), working_directory(out)
    with claim(out, what) if ranks.leads else nullcontext():
        if ranks.leads:
            settle_unfinished(directory, resume=resume, overwrite=overwrite)
        placement = place(settings, ranks)  # a collective: nobody is past it before the leader has claimed
        shown = progress if ranks.leads else Silent()
        yield Session(out, directory, placement, shown, resume, overwrite, ranks, before)
        if ranks.leads:
            discard_state(directory)


def check_same(identities: Sequence[str]) -> None:
    """Check that all ranks do the same work.

    Raises:
        TrainingError: a rank has other data, settings or versions than the leader; they are named.
    """
    first, *others = map(json.loads, identities)
    for rank, one in enumerate(others, start=1):
        if other := [name for name in sorted({*first, *one}) if first.get(name) != one.get(name)]:
            raise TrainingError(
                f"process {rank} has another {', '.join(other)} than process 0: give all processes the same command, "
                "data on storage that they share, and the same versions"
            )
