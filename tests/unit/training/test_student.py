from __future__ import annotations

import pytest
import torch

from bertline.encoder.config import Family
from bertline.encoder.heads import Pooling
from bertline.errors import UsageError
from bertline.training.student import chosen_layers, student_of
from tests.unit.inference.tiny import tiny_classifier

IDS = torch.randint(5, 60, (3, 7), generator=torch.Generator().manual_seed(0))
ATTEND = torch.ones_like(IDS, dtype=torch.bool)


@pytest.mark.parametrize(
    ("teacher", "student", "chosen"),
    [(6, 3, [0, 2, 5]), (12, 3, [0, 5, 11]), (12, 6, [0, 2, 4, 6, 8, 11]), (6, 6, [0, 1, 2, 3, 4, 5]), (2, 1, [1])],
)
def test_layers_are_chosen_evenly_with_the_last_among_them(teacher: int, student: int, chosen: list[int]) -> None:
    assert chosen_layers(teacher, student) == chosen


def test_a_student_has_no_more_layers_than_its_teacher() -> None:
    with pytest.raises(UsageError, match=r"--layers is 7, but the teacher has 6 layers: give at most 6"):
        chosen_layers(6, 7)


@pytest.mark.parametrize(("family", "pooling"), [("bert", "cls"), ("distilbert", "cls"), ("bert", "mean")])
def test_a_student_starts_from_the_teachers_weights(family: Family, pooling: Pooling) -> None:
    teacher = tiny_classifier(family=family, labels=3, pooling=pooling)
    student = student_of(teacher, [1], dropout=0.0)
    own, wanted = student.state_dict(), teacher.state_dict()
    assert student.config.layers == 1
    for name, weight in own.items():
        assert torch.equal(weight, wanted[name.replace("encoder.layers.0.", "encoder.layers.1.")]), name


def test_a_student_of_all_layers_answers_as_its_teacher_and_learning_leaves_the_teacher_alone() -> None:
    teacher = tiny_classifier(family="bert", labels=3, pooling="cls").eval().requires_grad_(False)
    student = student_of(teacher, [0, 1], dropout=0.0).eval()
    before = teacher(IDS, ATTEND)
    assert torch.equal(student(IDS, ATTEND), before)
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(1.0)
    assert torch.equal(teacher(IDS, ATTEND), before)
