"""From a trained student to what ships: figures beside the teacher's, report, model card and the bundle around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from bertline.bundle import Manifest
from bertline.bundle.compose import Parts, compose
from bertline.data.settings import LabelledTableSettings, UnlabelledSettings
from bertline.encoder.heads import Classifier
from bertline.evaluation.kinds import kind_of
from bertline.evaluation.report import write_report
from bertline.export.exporter import FP32
from bertline.export.network_files import write_network
from bertline.statistics.figures import percent, percent_range, value
from bertline.tasks import task
from bertline.tasks.contract import Evaluation, TaskSpec
from bertline.tasks.history import EpochRecord
from bertline.training.distillation.distance import DISTANCES
from bertline.training.distillation.fidelity import Kept, OnValidation
from bertline.training.distillation.held_out import HeldOut
from bertline.training.distillation.pruning import SCORED_TOKENS, busy_heads
from bertline.training.distillation.settings import DistillSettings
from bertline.training.distillation.student import Origin
from bertline.training.distillation.teacher import Teacher
from bertline.training.publish import probes_of
from bertline.training.rows import Rows

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Compared:
    """What the test rows showed: the student's figures, what it kept, and the teacher's own figures.

    ``spec`` has the temperature that the validation rows chose; ``validation`` has the student's output for them.
    """

    spec: TaskSpec
    evaluation: Evaluation
    kept: Kept
    teacher: Evaluation
    validation: Sequence[Array]


@dataclass(frozen=True)
class Student:
    """Everything that a finished distillation hands over to be published."""

    classifier: Classifier
    origin: Origin
    teacher: Teacher
    held_out: HeldOut
    settings: DistillSettings
    compared: Compared
    validation: OnValidation
    history: tuple[EpochRecord, ...]
    place: str
    facts: tuple[tuple[str, str], ...]
    transfer: Rows
    validation_rows: Rows

    @property
    def narrowed(self) -> bool:
        """Whether neurons were left out."""
        return self.classifier.config.feed_forward < self.origin.classifier.config.feed_forward

    @property
    def heads(self) -> list[int]:
        """Attention heads of each layer, without those that were left out."""
        return busy_heads(self.classifier)

    @property
    def lost_heads(self) -> bool:
        """Whether heads were left out, now or before."""
        return min(self.heads) < self.classifier.config.heads


def compare_on_test(
    teacher: Teacher,
    outputs: Sequence[Array],
    wanted: Sequence[Array],
    test: Rows,
    validation: Rows,
    validation_outputs: Sequence[Array],
) -> Compared:
    """Evaluate the test rows by the student's ``outputs`` and by those ``wanted``, the teacher's.

    The validation rows give the student's temperature. Thresholds stay the teacher's, whose probabilities it learned.
    """
    spec, measure = teacher.spec, task(teacher.spec.task).measure
    tuned = measure.tune(spec, validation.targets, validation.by_text(validation_outputs), validation.readings)
    spec = spec.model_copy(update={"temperature": tuned.temperature})
    own, other = test.by_text(outputs), test.by_text(wanted)
    evaluation = measure.measure(spec, test.targets, own, test.readings)
    of_teacher = measure.measure(teacher.spec, test.targets, other, test.readings)
    comparison = measure.compare(spec, test.targets, own, other, test.readings)
    return Compared(spec, evaluation, Kept.of(evaluation, of_teacher, comparison), of_teacher, validation_outputs)


def publish_student(out: Path, student: Student, *, overwrite: bool) -> None:
    """Write the bundle ``out``, whole or not at all."""
    manifest = _manifest(out.name, student)
    parts = Parts(
        network=partial(write_network, classifier=student.classifier, spec=manifest.task),
        tokenizer=student.teacher.tokenizer,
        probes=probes_of(student.validation_rows, student.compared.validation, student.classifier.output),
        reference={"validation": student.held_out.validation, "test": student.held_out.test},
        trained=(one.ids for one in student.transfer.pieces),
        report=partial(
            write_report,
            evaluation=student.compared.evaluation,
            title=out.name,
            facts=[*_comparison(student), *student.facts, _course(student), ("Trained on", student.place)],
            settings=[(name, str(value)) for name, value in _asked(student.settings).items()],
        ),
    )
    compose(out, manifest, parts, overwrite=overwrite)


def _comparison(student: Student) -> list[tuple[str, str]]:
    kept, manifest = student.compared.kept, student.teacher.bundle.manifest
    score = kept.comparison.score
    ratio = (
        ""
        if kept.ratio is None
        else f"{percent(kept.ratio.value)} of the teacher’s {score} (95 % interval {percent_range(kept.ratio)}); "
    )
    return [
        (
            "Teacher",
            f"{manifest.name}, version {student.teacher.bundle.version}: {score} {value(score, kept.teacher.value)} on "
            "the same rows",
        ),
        ("Start", _start(student)),
        *([("Feed-forward networks", _width(student))] if student.narrowed else []),
        *([("Attention heads", _heads(student))] if student.lost_heads else []),
        ("Kept", f"{ratio}the two give the same answer to {percent(kept.agreement.value)} of the rows"),
        ("On the validation rows", _on_validation(student.validation)),
    ]


def _start(student: Student) -> str:
    start, layers = student.origin.start, student.origin.layers
    of_teacher = "" if layers is None else f"the teacher’s layers {', '.join(str(layer + 1) for layer in layers)}"
    if start is None:
        return of_teacher
    return f"{start.bundle.manifest.name}, version {start.bundle.version}" + (f", from {of_teacher}" * bool(of_teacher))


def _width(student: Student) -> str:
    kept, before = (one.config.feed_forward for one in (student.classifier, student.origin.classifier))
    return (
        f"{kept:,} of {before:,} neurons in each layer: those without which the answers to the transfer texts "
        f"({SCORED_TOKENS:,} tokens of them at most) would move most"
    )


def _heads(student: Student) -> str:
    kept = ", ".join(map(str, student.heads))
    return (
        f"{kept} of {student.classifier.config.heads} by layer: those without which the answers move most; the "
        "others are zeros in the checkpoint, and engines leave them out"
    )


def _on_validation(measured: OnValidation) -> str:
    ends = [("", measured.student), *([] if measured.start is None else [("; the start: ", measured.start)])]
    return "".join(
        f"{name}the teacher’s answer on {percent(one.agreement.value)}, {one.divergence_text}, "
        f"{one.name} {value(one.name, one.score.value)}"
        for name, one in ends
    )


def _course(student: Student) -> tuple[str, str]:
    """In words: the report's curves are of losses in nats, which this distance need not be."""
    shown = ", ".join(f"{record.train_loss:.3f} ({record.validation_loss:.3f})" for record in student.history)
    what = DISTANCES[student.teacher.spec.activation].name
    return (
        "Distance by epoch",
        f"{shown}: {what}, on transfer texts (on validation rows); the epoch that is closest on the validation rows is "
        "kept",
    )


def _manifest(name: str, student: Student) -> Manifest:
    of_teacher, compared = student.teacher.bundle.manifest, student.compared
    metrics: dict[str, Any] = dict(compared.teacher.metrics())
    origin = {
        key: of_teacher.lineage[key] for key in ("base_model", "license", "language") if key in of_teacher.lineage
    }
    return Manifest(
        name=name,
        task=compared.spec,
        max_tokens=of_teacher.max_tokens,
        truncation=of_teacher.truncation,
        pooling=of_teacher.pooling,
        training=_asked(student.settings) | {"place": student.place, "epochs_run": len(student.history)},
        data=dict(student.facts),
        metrics={
            "split": student.held_out.source,
            "rows": compared.evaluation.rows,
            **compared.evaluation.metrics(),
            "kept": compared.kept.to_json(),
            "validation": {"rows": len(student.held_out.validation), **student.validation.to_json()},
            "baselines": {"teacher": {name: metrics[name] for name in kind_of(compared.teacher).compared}},
        },
        lineage={**origin, **_lineage(student)},
        engines=(FP32.model_copy(update={"outputs": (student.classifier.output,)}),),
    )


def _lineage(student: Student) -> dict[str, JsonValue]:
    """The teacher, the start, and what the network was cut to."""
    layers, start = student.origin.layers, student.origin.start
    known: dict[str, JsonValue] = {
        "teacher": student.teacher.bundle.manifest.name,
        "teacher_version": student.teacher.bundle.version,
    }
    if layers is not None:
        known["layers"] = list(layers)
    if start is not None:
        known |= {"start": start.bundle.manifest.name, "start_version": start.bundle.version}
    if student.narrowed:
        known["feed_forward"] = student.classifier.config.feed_forward
        known["feed_forward_of_start"] = student.origin.classifier.config.feed_forward
    if student.lost_heads:
        known["attention_heads"] = list(student.heads)
    return known


def _asked(settings: DistillSettings) -> dict[str, JsonValue]:
    """The settings of the run; those of the data are told as facts, and the start by the lineage."""
    of_data = {"eval_data", "start", *UnlabelledSettings.model_fields, *LabelledTableSettings.model_fields}
    return settings.model_dump(mode="json", exclude=of_data)
