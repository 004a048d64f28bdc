from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bertline.tasks.classify.spec import Spec
from bertline.tasks.history import EpochRecord
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training.device import Inputs, place
from bertline.training.distillation.distance import Answers, Units
from bertline.training.distillation.student import student_of
from bertline.training.distillation.task import (
    closest,
    distillation,
    relation_divergence,
    value_relations,
)
from bertline.training.loop import Run
from bertline.training.progress import Silent
from bertline.training.rows import Rows
from bertline.training.scoring import score
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences

IDS = torch.randint(5, 60, (4, 7), generator=torch.Generator().manual_seed(0))
NO_ROWS, SETTINGS = (Rows([], [], []), Rows([], [], [])), TrainSettings()
SPEC = Spec(labels=("a", "b", "c"))
ATTEND = torch.arange(7)[None, :] < torch.tensor([7, 5, 3, 7])[:, None]


def answered(logits: np.ndarray) -> Answers:
    return Answers(logits, Units(np.arange(len(logits) + 1), np.ones(len(logits), dtype=np.float32), False))


def test_value_relations_use_the_last_layers_values() -> None:
    model = tiny_classifier(family="bert", labels=3, pooling="cls").eval().requires_grad_(False)
    encoded = model.encoder(IDS, ATTEND, want_hidden_states=True)
    seen: list[torch.Tensor] = []
    hook = model.encoder.layers[-1].attention.qkv.register_forward_hook(lambda *given: seen.append(given[2]))
    model.encoder(IDS, ATTEND)
    hook.remove()
    values = seen[0][..., 64:].view(4, 7, 4, 8).transpose(1, 2)
    scores = (values @ values.transpose(-1, -2) / 8**0.5).masked_fill(~ATTEND[:, None, None, :], float("-inf"))
    torch.testing.assert_close(value_relations(model, encoded, ATTEND).exp(), scores.softmax(-1))


def test_relations_are_compared_between_real_tokens_only() -> None:
    model = tiny_classifier(family="bert", labels=3, pooling="cls").eval().requires_grad_(False)
    other = tiny_classifier(family="bert", labels=3, pooling="cls", seed=1).eval().requires_grad_(False)

    def relations(which: torch.nn.Module, ids: torch.Tensor, attend: torch.Tensor) -> torch.Tensor:
        return value_relations(which, which.encoder(ids, attend, want_hidden_states=True), attend)

    own, wanted = relations(model, IDS, ATTEND), relations(other, IDS, ATTEND)
    assert float(relation_divergence(own, own, ATTEND)) == 0.0
    whole = float(relation_divergence(own, wanted, ATTEND))
    alone = 0.0
    for row, length in enumerate([7, 5, 3, 7]):
        ids, attend = IDS[row : row + 1, :length], ATTEND[row : row + 1, :length]
        alone += float(relation_divergence(relations(model, ids, attend), relations(other, ids, attend), attend))
    assert whole == pytest.approx(alone, rel=1e-4)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_student_with_all_of_its_teacher_has_nothing_to_learn(weight: float) -> None:
    teacher = tiny_classifier(family="bert", labels=3, pooling="cls").eval().requires_grad_(False)
    student = student_of(teacher, [0, 1], dropout=0.0)
    logits = teacher(IDS, ATTEND).numpy()
    wanted = answered(logits), answered(logits[:2])
    task = distillation(teacher, SPEC, NO_ROWS, wanted, SETTINGS, relations_weight=weight)
    assert float(task.loss(student, Inputs(IDS, ATTEND, None), [0, 1, 2, 3]).detach()) == pytest.approx(0.0, abs=1e-5)
    assert task.validation_loss([*logits[:2]]) == 0.0
    one_layer = student_of(teacher, [1], dropout=0.0)
    assert float(task.loss(one_layer, Inputs(IDS, ATTEND, None), [0, 1, 2, 3]).detach()) > 0.01


def test_the_loss_covers_exactly_the_given_rows() -> None:
    teacher = tiny_classifier(family="bert", labels=3, pooling="cls").eval().requires_grad_(False)
    logits = teacher(IDS, ATTEND).numpy()
    task = distillation(teacher, SPEC, NO_ROWS, (answered(logits[::-1].copy()), answered(logits)), SETTINGS)
    student = student_of(teacher, [0, 1], dropout=0.0)
    assert float(task.loss(student, Inputs(IDS, ATTEND, None), [3, 2, 1, 0]).detach()) == pytest.approx(0.0, abs=1e-5)
    assert float(task.loss(student, Inputs(IDS, ATTEND, None), [0, 1, 2, 3]).detach()) > 0.01


def test_the_epoch_closest_to_the_teacher_is_the_best_whatever_its_accuracy() -> None:
    def record(accuracy: float, loss: float) -> EpochRecord:
        return EpochRecord(1, 1, 1.0, 1, 0.5, loss, {"accuracy": accuracy})

    assert closest([record(0.9, 0.4), record(0.8, 0.3)])
    assert not closest([record(0.8, 0.3), record(0.9, 0.3)])
    assert not np.any([closest([record(0.8, 0.3), record(0.8, 0.2), record(0.9, loss)]) for loss in (0.25, 0.4)])


def test_a_student_learns_its_teachers_answers_by_heart(tmp_path: Path) -> None:
    teacher = tiny_classifier(family="bert", labels=2, pooling="cls").eval().requires_grad_(False)
    tokenizer = tiny_tokenizer()
    readings = Reader(tokenizer, Truncation(64)).read([text for text, _ in sentences(64)])
    rows = Rows(readings, [], range(1, 65), tokenizer.pad_id)
    logits = np.stack(score(teacher, rows, torch.device("cpu")))
    spec = Spec(labels=("bad", "good"))
    labelled = replace(rows, targets=[spec.labels[place] for place in logits.argmax(1)])
    student = student_of(teacher, [1], dropout=0.0)
    settings = TrainSettings(epochs=40, patience=40, lr=3e-3, batch_tokens=256, precision="fp32", weight_decay=0.0)
    wanted = answered(logits)
    task = distillation(teacher, spec, (rows, labelled), (wanted, wanted), settings)
    history = Run(student, task, settings, place(settings), Silent(), tmp_path, {}).fit()
    assert max(one.figures["accuracy"] for one in history) >= 0.95
    assert min(one.validation_loss for one in history) < 0.1 * history[0].train_loss
