"""``bertline distill``: from a bundle and texts to a smaller bundle that answers as the first one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bertline.data.settings import LabelledTableSettings, UnlabelledSettings
from bertline.encoder.heads import Classifier
from bertline.errors import UsageError
from bertline.statistics.intervals import Estimate
from bertline.tasks import task as task_of
from bertline.tasks.contract import Evaluation
from bertline.tasks.history import EpochRecord
from bertline.training.distillation.answer_speed import AnswerSpeed, side_by_side
from bertline.training.distillation.distance import Answers
from bertline.training.distillation.fidelity import Compared, Fidelity
from bertline.training.distillation.held_out import HeldOut, read_held_out
from bertline.training.distillation.pruning import Width, busy_heads, narrow
from bertline.training.distillation.publish import Student, product
from bertline.training.distillation.settings import DistillSettings
from bertline.training.distillation.student import Origin, begin
from bertline.training.distillation.task import distillation
from bertline.training.distillation.teacher import Teacher
from bertline.training.distillation.transfer import Transfer, check_heads, fingerprint, read_transfer
from bertline.training.preflight import check_disk
from bertline.training.progress import Progress, Silent
from bertline.training.publish import publish
from bertline.training.scoring import score
from bertline.training.session import Fitted, Session, session
from bertline.training.settings import OF_PROCESSES

# Settings that change how often or how fast, but not what comes out. The hashes of the data stand for its settings, and
# the start's version for its path.
_FREE_TO_CHANGE = {
    *("checkpoint_every_s", "start", "eval_data"),
    *OF_PROCESSES,
    *(UnlabelledSettings.model_fields | LabelledTableSettings.model_fields),
}


@dataclass(frozen=True, slots=True)
class Size:
    """Of a network."""

    layers: int
    attention_heads: int
    feed_forward: int
    parameters: int

    @classmethod
    def of(cls, classifier: Classifier) -> Size:
        """Count: all heads together, all parameters but those of pruned heads."""
        config, heads = classifier.config, sum(busy_heads(classifier))
        pruned = (config.layers * config.heads - heads) * config.head_size * (4 * config.hidden + 3)
        parameters = sum(one.numel() for one in classifier.parameters()) - pruned
        return cls(config.layers, heads, config.feed_forward, parameters)


@dataclass(frozen=True)
class Distilled:
    """The result of a distillation: the bundle, the student beside its teacher, and the epochs."""

    bundle: Path
    compared: Compared
    teacher: Size
    student: Size
    speed: AnswerSpeed
    history: tuple[EpochRecord, ...]

    @property
    def evaluation(self) -> Evaluation:
        """The student's figures of the test rows."""
        return self.compared.test.student

    def headline(self) -> list[tuple[str, Estimate]]:
        """What the student kept of its teacher, on the test rows."""
        return self.compared.test.headline()

    def to_json(self) -> dict[str, Any]:
        """Every figure as plain JSON values."""
        return {
            **self.evaluation.to_json(),
            **_beside_teacher(self.compared, self.teacher, self.student),
            "speed": {**asdict(self.speed), "ratio": self.speed.ratio},
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
        progress: listens to the run.
        resume: continue an unfinished run that was started with the same data and settings, if there is one, or leave
            a finished one as it is.
        overwrite: replace a bundle at ``out``, and discard an unfinished run.

    Raises:
        UsageError: no transfer texts, no held-out rows, more layers, neurons or heads than there are, a start that is
            no student of this teacher, or ``out`` is one of the two.
        DataError, BundleError, CheckpointError: the texts, the teacher, the start or the target cannot be used.
        TrainingError: an unfinished run is in the way, or had other data or settings, as a finished one may have that
            is to be resumed; a loss is not finite.
        Interrupted: a signal asked to stop; a checkpoint is on disk.
        AlreadyFinished: ``resume``, and the student is there, of a run with the same teacher, data and settings.
    """
    _check_out(out, bundle, settings.start)
    with session(out, settings, progress, resume=resume, overwrite=overwrite) as run:
        student = _open(run, bundle, data, settings)
        teacher, rows = student.teacher, (student.train, student.validation)
        answers, held_out = (
            run.ranks.in_turn(partial(teacher.answers, some, run.placement, out, run.progress)) for some in rows
        )
        task = distillation(
            teacher.classifier.to(run.placement.device),
            teacher.spec,
            rows,
            (answers, held_out),
            settings,
            relations_weight=settings.value_relations,
        )
        fitted = run.fit(student.classifier, task, student.test, student.identity)
        compared = _compare(run, student, fitted, held_out)
        sizes = Size.of(teacher.classifier), Size.of(student.classifier)
        made = product(student, task, fitted, compared)
        publish(run, replace(made, more=_beside_teacher(compared, *sizes)))
    speed = side_by_side(bundle, out, student.held_out.test.inputs, student.test.lengths)
    return Distilled(out, compared, *sizes, speed, fitted.history)


def _beside_teacher(compared: Compared, teacher: Size, student: Size) -> dict[str, Any]:
    """What the student kept, and the sizes of the two."""
    return {
        "kept": compared.test.to_json(),
        "validation": compared.on_validation(),
        "networks": {"teacher": asdict(teacher), "student": asdict(student)},
    }


def _check_out(out: Path, bundle: Path, start: Path | None) -> None:
    if out.resolve() == bundle.resolve():
        raise UsageError(f"--out is the teacher itself ({out}): choose another directory for the student")
    if start is not None and out.resolve() == start.resolve():
        raise UsageError(f"--out is the student of --start ({out}): choose another directory")


def _open(run: Session, bundle: Path, data: str | None, settings: DistillSettings) -> Student:
    """Read everything, the teacher and the start before the tables, and prune the student.

    A resumed run prunes again, which takes seconds, and then loads its own weights. One that is finished ends here.
    """
    progress = run.progress if run.before is None else Silent()
    teacher = Teacher.load(bundle)
    torch.manual_seed(settings.seed)
    origin = begin(teacher, settings)
    if run.ranks.leads and run.before is None:
        check_disk(run.out, origin.classifier)
    settings = settings.model_copy(update={"layers": origin.classifier.config.layers})
    check_heads(data, settings, reads=teacher.spec.reads)
    held_out = read_held_out(teacher.bundle, settings)
    if held_out.left_out:
        progress.note(f"Rows left out because the teacher does not know their label: {held_out.left_out}")
    transfer = read_transfer(data, settings, held_out.inputs, reads=teacher.spec.reads)
    for name, value in transfer.facts:
        progress.note(f"{name}: {value}")
    identity = _identity(origin, teacher, held_out, transfer, settings)
    if run.before is not None:
        run.end_as_finished(identity)
    train = teacher.transfer_rows(transfer)
    validation, test = (teacher.held_out_rows(rows) for rows in (held_out.validation, held_out.test))
    width = Width.of(settings)
    if pruned := width.described(origin.classifier.config):
        run.progress.note(f"Choosing {pruned} in each layer")
    classifier = narrow(
        origin.classifier, width, train, run.placement, seed=settings.seed, activation=teacher.spec.activation
    )
    if width.attention_heads is not None:
        run.progress.note(f"Attention heads by layer: {', '.join(map(str, busy_heads(classifier)))}")
    return Student(classifier, origin, teacher, held_out, transfer, settings, train, validation, test, identity)


def _compare(run: Session, student: Student, fitted: Fitted, answers: Answers) -> Compared:
    """The student and its teacher on the held-out rows; ``answers`` are the teacher's to the validation rows.

    The validation rows give the student's temperature. Thresholds stay the teacher's, whose probabilities it learned.
    """
    teacher, validation, test = student.teacher, student.validation, student.test
    spec, start, device = teacher.spec, student.origin.start, run.placement.device
    of_rows = validation.by_text(fitted.validation)
    tuned = task_of(spec.task).measure.tune(spec, validation.targets, of_rows, validation.readings)
    tuned = spec.model_copy(update={"temperature": tuned.temperature})
    exact = Answers.of(teacher.exact_answers(test, run.placement), test, teacher.classifier.output)
    before = None
    if start is not None:
        outputs = score(start.classifier.to(device), validation, device)
        before = Fidelity.of(validation, outputs, answers, spec, spec)
    return Compared(
        tuned,
        Fidelity.of(test, fitted.test, exact, tuned, spec),
        Fidelity.of(validation, fitted.validation, answers, spec, spec),
        before,
    )


def _identity(
    origin: Origin, teacher: Teacher, held_out: HeldOut, transfer: Transfer, settings: DistillSettings
) -> Mapping[str, Any]:
    """Whatever a resumed run must share with the one that it continues."""
    start = origin.start
    return {
        "teacher": teacher.bundle.version,
        "start": start and start.bundle.version,
        "data": fingerprint(transfer.inputs),
        "evaluation data": fingerprint(held_out.inputs),
        **settings.model_dump(mode="json", exclude=_FREE_TO_CHANGE),
    }
