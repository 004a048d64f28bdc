"""What the bundle of a student says beside its figures: those of its teacher, what it kept, its start, its pruning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from bertline.data.settings import LabelledTableSettings, UnlabelledSettings
from bertline.encoder.heads import Classifier
from bertline.evaluation.kinds import kind_of
from bertline.statistics.figures import INTERVAL, percent, percent_range, value
from bertline.tasks.history import EpochRecord
from bertline.text import Truncation
from bertline.training.distillation.distance import DISTANCES
from bertline.training.distillation.fidelity import Compared
from bertline.training.distillation.held_out import HeldOut
from bertline.training.distillation.pruning import SCORED_TOKENS, busy_heads
from bertline.training.distillation.settings import DistillSettings
from bertline.training.distillation.student import Origin
from bertline.training.distillation.teacher import Teacher
from bertline.training.distillation.transfer import Transfer
from bertline.training.facts import Fact
from bertline.training.publish import Product
from bertline.training.row_task import RowTask
from bertline.training.rows import Rows
from bertline.training.session import Fitted
from bertline.training.settings import OF_PROCESSES

# Settings of the data, about which the bundle has facts, and the start, which the lineage names.
_OF_DATA = {"eval_data", "start", *UnlabelledSettings.model_fields, *LabelledTableSettings.model_fields}


@dataclass(frozen=True)
class Student:
    """A network to train, and what it learns from and is measured on.

    Attributes:
        classifier: the network, pruned.
        origin: what it was before pruning.
        teacher: gives the answers.
        held_out: rows of which nothing is learned, as they were read.
        transfer: texts to learn from, as they were read.
        settings: of the distillation; ``layers`` is filled in.
        train: the transfer texts.
        validation: rows that choose the epoch.
        test: rows that give the figures.
        identity: whatever a run must share with this one to be the same, by name.
    """

    classifier: Classifier
    origin: Origin
    teacher: Teacher
    held_out: HeldOut
    transfer: Transfer
    settings: DistillSettings
    train: Rows
    validation: Rows
    test: Rows
    identity: Mapping[str, Any]

    @property
    def narrowed(self) -> bool:
        """Whether neurons were pruned."""
        return self.classifier.config.feed_forward < self.origin.classifier.config.feed_forward

    @property
    def heads(self) -> list[int]:
        """Attention heads of each layer, without pruned ones."""
        return busy_heads(self.classifier)

    @property
    def lost_heads(self) -> bool:
        """Whether heads were pruned, now or before."""
        return min(self.heads) < self.classifier.config.heads


def product(student: Student, task: RowTask, fitted: Fitted, compared: Compared) -> Product:
    """The bundle of a trained student."""
    manifest, evaluation = student.teacher.bundle.manifest, compared.test.student
    settings = student.settings.model_copy(update={"feed_forward": student.classifier.config.feed_forward})
    of_teacher: dict[str, Any] = dict(compared.test.teacher.metrics())
    return Product(
        spec=compared.spec,
        classifier=student.classifier,
        tokenizer=student.teacher.tokenizer,
        truncation=Truncation(manifest.max_tokens, manifest.truncation),
        task=task,
        fitted=fitted,
        evaluation=evaluation,
        test_source=student.held_out.source,
        reference={"validation": student.held_out.validation, "test": student.held_out.test},
        settings=settings.model_dump(mode="json", exclude=_OF_DATA | OF_PROCESSES),
        data=dict(student.transfer.facts),
        facts=[*_facts(student, compared), *student.transfer.facts, _course(student, fitted.history)],
        lineage=_lineage(student),
        metrics={
            "kept": compared.test.to_json(),
            "validation": {"rows": len(student.held_out.validation), **compared.on_validation()},
            "baselines": {"teacher": {name: of_teacher[name] for name in kind_of(compared.test.teacher).compared}},
        },
        curves=False,
        headline=compared.test.headline(),
        identity=student.identity,
    )


def _facts(student: Student, compared: Compared) -> list[Fact]:
    test, bundle, config = compared.test, student.teacher.bundle, student.classifier.config
    score, ratio = test.comparison.score, test.ratio
    score_of_teacher = value(score, test.scores[1].value)
    facts = [
        ("Teacher", f"{bundle.manifest.name}, version {bundle.version}: {score} {score_of_teacher} on the same rows"),
        ("Start", _start(student.origin)),
    ]
    before = student.origin.classifier.config
    if student.narrowed:
        width = (
            f"{config.feed_forward:,} of {before.feed_forward:,} neurons in each layer: those without which "
            f"the answers to the transfer texts ({SCORED_TOKENS:,} tokens of them at most) would move most"
        )
        facts.append(("Feed-forward networks", width))
    if student.lost_heads:
        heads = (
            f"{', '.join(map(str, student.heads))} of {config.heads} by layer: those without which the answers move "
            "most; the others are zeros in the checkpoint, and engines leave them out"
        )
        facts.append(("Attention heads", heads))
    kept = (
        ""
        if ratio is None
        else (f"{percent(ratio.value)} of the teacher’s {score} ({INTERVAL} {percent_range(ratio)}); ")
    )
    same = f"the two give the same answer to {percent(test.agreement.value)} of the rows"
    return [*facts, ("Kept", kept + same), ("On the validation rows", _closeness(compared))]


def _start(origin: Origin) -> str:
    start, layers = origin.start, origin.layers
    of_teacher = "" if layers is None else f"the teacher’s layers {', '.join(str(layer + 1) for layer in layers)}"
    if start is None:
        return of_teacher
    return f"{start.bundle.manifest.name}, version {start.bundle.version}" + (f", from {of_teacher}" * bool(of_teacher))


def _closeness(compared: Compared) -> str:
    ends = [("", compared.validation), ("; the start: ", compared.start)]
    return "".join(
        f"{name}the teacher’s answer on {percent(one.agreement.value)}, {one.divergence_text}, "
        f"{one.comparison.score} {value(one.comparison.score, one.scores[0].value)}"
        for name, one in ends
        if one is not None
    )


def _course(student: Student, history: tuple[EpochRecord, ...]) -> Fact:
    """In words: the report's curves are of losses in nats, which this distance need not be."""
    shown = ", ".join(f"{record.train_loss:.3f} ({record.validation_loss:.3f})" for record in history)
    distance = DISTANCES[student.teacher.spec.activation].name
    return (
        "Distance by epoch",
        f"{shown}: {distance}, on transfer texts (on validation rows); the epoch that is closest on the validation "
        "rows is kept",
    )


def _lineage(student: Student) -> dict[str, JsonValue]:
    """The teacher, the start, and what the network was cut to."""
    layers, start, bundle = student.origin.layers, student.origin.start, student.teacher.bundle
    inherited = bundle.manifest.lineage
    lineage: dict[str, JsonValue] = {
        key: inherited[key] for key in ("base_model", "license", "language") if key in inherited
    }
    lineage |= {"teacher": bundle.manifest.name, "teacher_version": bundle.version}
    if layers is not None:
        lineage["layers"] = list(layers)
    if start is not None:
        lineage |= {"start": start.bundle.manifest.name, "start_version": start.bundle.version}
    if student.narrowed:
        lineage["feed_forward"] = student.classifier.config.feed_forward
        lineage["feed_forward_of_start"] = student.origin.classifier.config.feed_forward
    if student.lost_heads:
        lineage["attention_heads"] = list(student.heads)
    return lineage
