"""The whole verb: a bundle and texts in, a smaller bundle out that answers as the first one does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bertline import __version__
from bertline.data.settings import LabelledTableSettings, UnlabelledSettings
from bertline.destination import claim
from bertline.encoder.heads import Classifier
from bertline.errors import DestinationError, UsageError
from bertline.statistics.intervals import Estimate
from bertline.tasks.contract import Evaluation
from bertline.tasks.history import EpochRecord
from bertline.training.checkpoint import discard_state, settle_unfinished, working_directory
from bertline.training.device import Placement, place
from bertline.training.distillation.answer_speed import AnswerSpeed, side_by_side
from bertline.training.distillation.distance import Answers
from bertline.training.distillation.fidelity import Kept, OnValidation, measure_closeness
from bertline.training.distillation.held_out import HeldOut, read_held_out
from bertline.training.distillation.pruning import Width, busy_heads, narrow
from bertline.training.distillation.publish import Compared, Student, compare_on_test, publish_student
from bertline.training.distillation.settings import DistillSettings
from bertline.training.distillation.student import Origin, begin
from bertline.training.distillation.task import distillation
from bertline.training.distillation.teacher import Teacher
from bertline.training.distillation.transfer import Transfer, check_heads, fingerprint, read_transfer
from bertline.training.estimate import measure_run
from bertline.training.loop import Run
from bertline.training.preflight import check_disk, check_start
from bertline.training.progress import Plan, Progress
from bertline.training.row_task import RowTask, figures_of
from bertline.training.scoring import score

# Settings that change how often or how fast, but not what comes out; those of the data are told by its hashes, the
# start by its version.
_FREE_TO_CHANGE = {
    *("checkpoint_every_s", "start", "eval_data"),
    *(UnlabelledSettings.model_fields | LabelledTableSettings.model_fields),
}

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """Of a network."""

    layers: int
    attention_heads: int
    feed_forward: int
    parameters: int

    @classmethod
    def of(cls, classifier: Classifier) -> Size:
        """Count: all heads together, all parameters but those of heads that were left out."""
        config, heads = classifier.config, sum(busy_heads(classifier))
        of_a_head = config.head_size * (4 * config.hidden + 3)
        left_out = (config.layers * config.heads - heads) * of_a_head
        parameters = sum(one.numel() for one in classifier.parameters()) - left_out
        return cls(config.layers, heads, config.feed_forward, parameters)


@dataclass(frozen=True)
class Distilled:
    """What a distillation made, what it kept, and how close it came to the teacher."""

    bundle: Path
    evaluation: Evaluation
    kept: Kept
    validation: OnValidation
    teacher: Size
    student: Size
    speed: AnswerSpeed
    history: tuple[EpochRecord, ...]

    def headline(self) -> list[tuple[str, Estimate]]:
        """What the student kept of its teacher, on the test rows."""
        return self.kept.headline()

    def to_json(self) -> dict[str, Any]:
        """Every figure as plain JSON values."""
        speed = self.speed
        return {
            **self.evaluation.to_json(),
            "kept": self.kept.to_json(),
            "validation": self.validation.to_json(),
            "networks": {"teacher": asdict(self.teacher), "student": asdict(self.student)},
            "speed": {
                "engine": speed.engine,
                "teacher_texts_s": speed.teacher_texts_s,
                "student_texts_s": speed.student_texts_s,
                "ratio": speed.ratio,
            },
        }


def distill(
    bundle: Path,
    data: str | None,
    out: Path,
    settings: DistillSettings,
    progress: Progress,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Distilled:
    """Distill ``bundle`` into a smaller student and write it to ``out``.

    Args:
        bundle: directory of the teacher.
        data: a table whose texts are transfer texts, ``-`` for standard input; None if others are in the settings.
        out: directory of the student.
        settings: of the run.
        progress: is told what happens.
        resume: go on with an unfinished run that was started with the same data and settings, if there is one.
        overwrite: replace a bundle at ``out``, and forget an unfinished run.

    Raises:
        UsageError: no transfer texts, no held-out rows, more layers, neurons or heads than there are, a start that is
            no student of this teacher, or ``out`` is one of the two.
        DataError, BundleError, CheckpointError: the texts, the teacher, the start or the target cannot be used.
        TrainingError: an unfinished run is in the way, or differs from what is asked; a loss is not finite.
        Interrupted: a signal asked to stop; the state to resume from is on disk.
    """
    _check_out(out, bundle, settings.start)
    check_start(out, overwrite=overwrite, baselines=False)
    with claim(out, "the bundle"):
        directory = working_directory(out)
        settle_unfinished(directory, resume=resume, overwrite=overwrite)
        placement = place(settings)
        work = _open(bundle, data, out, settings, placement, progress)
        answers = work.answers(out)
        history = work.fit(*answers, directory, resume=resume)
        compared = work.compare()
        validation = work.on_validation(compared.validation, answers[1])
        try:
            publish_student(out, work.made(compared, validation, history), overwrite=overwrite)
        except DestinationError as error:
            raise DestinationError(
                f"{error}; the trained weights are kept: run the same command with --resume"
            ) from error
        discard_state(directory)
    speed = side_by_side(bundle, out, work.held_out.test.inputs, work.test.lengths)
    sizes = Size.of(work.teacher.classifier), Size.of(work.student)
    return Distilled(out, compared.evaluation, compared.kept, validation, *sizes, speed, history)


def _open(
    bundle: Path, data: str | None, out: Path, settings: DistillSettings, placement: Placement, progress: Progress
) -> _Work:
    """Everything that is read: the teacher and the start before the tables."""
    teacher = Teacher.load(bundle)
    torch.manual_seed(settings.seed)
    origin = begin(teacher, settings)
    check_disk(out, origin.classifier)
    settings = settings.model_copy(update={"layers": origin.classifier.config.layers})
    check_heads(data, settings, reads=teacher.spec.reads)
    held_out = read_held_out(teacher.bundle, settings)
    if held_out.left_out:
        progress.note(f"Rows left out because the teacher does not know their label: {held_out.left_out}")
    transfer = read_transfer(data, settings, held_out.inputs, reads=teacher.spec.reads)
    for name, value in transfer.facts:
        progress.note(f"{name}: {value}")
    return _Work(teacher, origin, held_out, transfer, settings, placement, progress)


def _check_out(out: Path, bundle: Path, start: Path | None) -> None:
    if out.resolve() == bundle.resolve():
        raise UsageError(f"--out is the teacher itself ({out}): choose another directory for the student")
    if start is not None and out.resolve() == start.resolve():
        raise UsageError(f"--out is the student that --start goes on from ({out}): choose another directory")


class _Work:
    def __init__(
        self,
        teacher: Teacher,
        origin: Origin,
        held_out: HeldOut,
        transfer: Transfer,
        settings: DistillSettings,
        placement: Placement,
        progress: Progress,
    ) -> None:
        self.teacher, self.origin, self.held_out, self.transfer = teacher, origin, held_out, transfer
        self.settings, self.placement, self.progress = settings, placement, progress
        self.train = teacher.transfer_rows(transfer)
        self.validation, self.test = (teacher.held_out_rows(rows) for rows in (held_out.validation, held_out.test))
        self.student = self._narrowed()

    def _narrowed(self) -> Classifier:
        """The network to train. A resumed run chooses again, which takes seconds, and then takes up its own weights."""
        origin, width = self.origin.classifier, Width.asked(self.settings)
        if chosen := width.told(origin.config):
            self.progress.note(f"Choosing {chosen} in each layer")
        student = narrow(
            origin,
            width,
            self.train,
            self.placement,
            seed=self.settings.seed,
            activation=self.teacher.spec.activation,
        )
        if width.attention_heads is not None:
            self.progress.note(f"Attention heads by layer: {', '.join(map(str, busy_heads(student)))}")
        return student

    def answers(self, out: Path) -> tuple[Answers, Answers]:
        """The teacher's to the transfer texts and the validation rows, in the precision of the run."""
        train, validation = (
            self.teacher.answers(rows, self.placement, out, self.progress) for rows in (self.train, self.validation)
        )
        return train, validation

    def fit(self, answers: Answers, validation: Answers, directory: Path, *, resume: bool) -> tuple[EpochRecord, ...]:
        """Train the student; afterwards it has the weights of the epoch that was closest to the teacher."""
        classifier, spec = self.teacher.classifier.to(self.placement.device), self.teacher.spec
        figures, weight = figures_of(spec, self.validation), self.settings.value_relations
        task = distillation(
            (self.train, self.validation),
            self.settings,
            classifier,
            spec.activation,
            answers,
            validation,
            figures,
            relations_weight=weight,
        )
        identity = self._identity()
        self.progress.planned(self._plan(task))
        run = Run(self.student, task, self.settings, self.placement, self.progress, directory, identity)
        return run.fit(resume=resume)

    def compare(self) -> Compared:
        """Both networks on the test rows, in fp32, as their bundles answer."""
        self.progress.note("Evaluating on the test rows")
        test, validation = (score(self.student, rows, self.placement.device) for rows in (self.test, self.validation))
        wanted = self.teacher.exact_answers(self.test, self.placement)
        return compare_on_test(self.teacher, test, wanted, self.test, self.validation, validation)

    def on_validation(self, outputs: Sequence[Array], answers: Answers) -> OnValidation:
        """How close the student came by its ``outputs``, and how close the one was that it went on from."""
        start, before, spec = self.origin.start, None, self.teacher.spec
        if start is not None:
            device = self.placement.device
            own = score(start.classifier.to(device), self.validation, device)
            before = measure_closeness(spec, self.validation, own, answers)
        return OnValidation(measure_closeness(spec, self.validation, outputs, answers), before)

    def made(self, compared: Compared, validation: OnValidation, history: tuple[EpochRecord, ...]) -> Student:
        """What is to be published."""
        return Student(
            self.student,
            self.origin,
            self.teacher,
            self.held_out,
            self.settings.model_copy(update={"feed_forward": self.student.config.feed_forward}),
            compared,
            validation,
            history,
            self.placement.name,
            self.transfer.facts,
            self.train,
            self.validation,
        )

    def _identity(self) -> Mapping[str, Any]:
        """What an unfinished run must share with the one that goes on with it."""
        return {
            "teacher": self.teacher.bundle.version,
            "start": self.origin.start and self.origin.start.bundle.version,
            "data": fingerprint(self.transfer.inputs),
            "evaluation data": fingerprint(self.held_out.inputs),
            **self.settings.model_dump(mode="json", exclude=_FREE_TO_CHANGE),
            "place": self.placement.name,
            "bertline version": __version__,
            "torch version": version("torch"),
        }

    def _plan(self, task: RowTask) -> Plan:
        settings = self.settings
        seconds, token_seconds = measure_run(self.student, task, settings, self.placement)
        return Plan(
            train_rows=len(self.train.readings),
            validation_rows=len(self.validation.readings),
            test_rows=len(self.test.readings),
            labels=self.teacher.spec.names,
            epochs=settings.epochs,
            steps=len(self.train.plan(settings.batch_tokens, 0)) * settings.epochs,
            tokens_per_epoch=sum(self.train.lengths),
            place=self.placement.name,
            seconds=seconds,
            token_seconds=token_seconds,
        )
