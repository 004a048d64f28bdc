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
from bertline.bundle.engine import FULL
from bertline.bundle.probes import Probes, choose
from bertline.encoder.heads import Classifier
from bertline.evaluation.report import write_report
from bertline.export.exporter import FP32
from bertline.export.network_files import write_network
from bertline.statistics.calibration import fit_temperature
from bertline.statistics.figures import percent, percent_range
from bertline.statistics.metrics import confusion
from bertline.tasks.classify.one_label import Evaluation, evaluate, label_scores
from bertline.tasks.classify.truth import read_truth
from bertline.tasks.history import EpochRecord
from bertline.text.reading import texts_of
from bertline.training.distillation.fidelity import Kept, OnValidation, measure_kept
from bertline.training.distillation.held_out import HeldOut
from bertline.training.distillation.pruning import SCORED_TOKENS, busy_heads
from bertline.training.distillation.settings import DistillSettings
from bertline.training.distillation.student import Origin
from bertline.training.distillation.teacher import Teacher
from bertline.training.rows import Rows

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Compared:
    """What the test rows showed: the student's figures, what it kept, and the teacher's own figures."""

    evaluation: Evaluation
    kept: Kept
    teacher: dict[str, JsonValue]
    validation_logits: Array


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
    logits: Array, validation_logits: Array, teacher_logits: Array, rows: Rows, teacher: Teacher, held_out: HeldOut
) -> Compared:
    """Evaluate the test ``rows`` by both networks' logits; the validation rows give the student's temperature."""
    labels, truth = teacher.bundle.manifest.labels, indices(rows, teacher)
    validation_truth = read_truth([str(one) for one in held_out.validation.targets], labels).rows
    evaluation = evaluate(
        truth=truth,
        logits=logits,
        temperature=fit_temperature(validation_logits, validation_truth),
        labels=labels,
        lengths=rows.lengths,
        texts=[str(one) for one in held_out.test.inputs],
    )
    kept = measure_kept(truth, logits.argmax(1).astype(np.int64), teacher_logits.argmax(1).astype(np.int64))
    macro_f1 = label_scores(confusion(truth, teacher_logits), seed=0)["macro_f1"]
    own: dict[str, JsonValue] = {"accuracy": dict(kept.teacher.to_json()), "macro_f1": dict(macro_f1.to_json())}
    return Compared(evaluation, kept, own, validation_logits)


def publish_student(out: Path, student: Student, *, overwrite: bool) -> None:
    """Write the bundle ``out``, whole or not at all."""
    teacher, held_out = student.teacher, student.held_out
    manifest = _manifest(out.name, student)
    validation = held_out.validation.inputs
    chosen = choose([sum(map(len, texts_of(one))) for one in validation])
    logits = {FULL: student.compared.validation_logits[chosen]}
    parts = Parts(
        network=partial(write_network, classifier=student.classifier, spec=manifest.task),
        tokenizer=teacher.tokenizer,
        probes=Probes(tuple(validation[i] for i in chosen), logits),
        reference={"validation": held_out.validation, "test": held_out.test},
        trained=(one.ids for one in student.transfer.pieces),
        report=partial(
            write_report,
            evaluation=student.compared.evaluation,
            title=out.name,
            facts=[*_comparison(student), *student.facts, _course(student.history), ("Trained on", student.place)],
            settings=[(name, str(value)) for name, value in _asked(student.settings).items()],
        ),
    )
    compose(out, manifest, parts, overwrite=overwrite)


def indices(rows: Rows, teacher: Teacher) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The index of each text's label, [row]."""
    return read_truth([str(one) for one in rows.targets], teacher.bundle.manifest.labels).rows


def _comparison(student: Student) -> list[tuple[str, str]]:
    kept, manifest = student.compared.kept, student.teacher.bundle.manifest
    return [
        (
            "Teacher",
            f"{manifest.name}, version {student.teacher.bundle.version}: right on {percent(kept.teacher.value)} of the "
            "same rows",
        ),
        ("Start", _start(student)),
        *([("Feed-forward networks", _width(student))] if student.narrowed else []),
        *([("Attention heads", _heads(student))] if student.lost_heads else []),
        (
            "Kept",
            f"{percent(kept.ratio.value)} of the teacher’s accuracy (95 % interval {percent_range(kept.ratio)}); the "
            f"two give the same label to {percent(kept.agreement.value)} of the rows",
        ),
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


def _on_validation(found: OnValidation) -> str:
    ends = [("", found.student), *([] if found.start is None else [("; the start: ", found.start)])]
    return "".join(
        f"{name}the teacher’s label on {percent(one.agreement.value)}, a divergence of {one.divergence:.4f} nats from "
        f"its probabilities, right on {percent(one.accuracy.value)}"
        for name, one in ends
    )


def _course(history: Sequence[EpochRecord]) -> tuple[str, str]:
    """In words: the report's curves are of losses in nats, which this distance is not."""
    shown = ", ".join(f"{record.train_loss:.3f} ({record.validation_loss:.3f})" for record in history)
    return (
        "Distance by epoch",
        f"{shown}: squared difference to the teacher’s logits, on transfer texts (on validation rows); the epoch that "
        "is closest on the validation rows is kept",
    )


def _manifest(name: str, student: Student) -> Manifest:
    of_teacher, compared = student.teacher.bundle.manifest, student.compared
    origin = {
        key: of_teacher.lineage[key] for key in ("base_model", "license", "language") if key in of_teacher.lineage
    }
    return Manifest(
        name=name,
        task=of_teacher.task.model_copy(update={"temperature": compared.evaluation.temperature}),
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
            "baselines": {"teacher": compared.teacher},
        },
        lineage={**origin, **_lineage(student)},
        engines=(FP32,),
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
    elsewhere = {
        "unlabelled",
        "text_column",
        "label_column",
        "eval_data",
        "format",
        "encoding",
        "skip_bad_rows",
        "start",
    }
    return settings.model_dump(mode="json", exclude=elsewhere)
