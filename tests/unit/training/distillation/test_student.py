from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from bertline.encoder.config import EncoderConfig, Family
from bertline.encoder.heads import Classifier, Pooling
from bertline.errors import UsageError
from bertline.testing.tiny import VOCABULARY, tiny_classifier, write_tiny_bundle
from bertline.text import Tokenizer
from bertline.training.distillation.settings import DistillSettings
from bertline.training.distillation.student import begin, chosen_layers, student_of
from bertline.training.distillation.teacher import Teacher

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


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    path = tmp_path_factory.mktemp("bundles") / "teacher"
    write_tiny_bundle(path)
    return Teacher.load(path)


def start(path: Path, teacher: Teacher, **changes: Any) -> Path:
    """A bundle as a distillation writes it, with its own weights."""
    lineage = {"teacher": "teacher", "teacher_version": teacher.bundle.version, "layers": [0, 1]}
    write_tiny_bundle(path, **{"seed": 7, "lineage": lineage, **changes})
    return path


def test_without_a_start_it_begins_with_the_teachers_layers(teacher: Teacher) -> None:
    origin = begin(teacher, DistillSettings(layers=1))
    assert (origin.layers, origin.start, origin.classifier.config.layers) == ([1], None, 1)
    with pytest.raises(UsageError, match=r"--layers is 3, but the teacher has 2 layers"):
        begin(teacher, DistillSettings())


def test_with_a_start_it_begins_with_its_weights(teacher: Teacher, tmp_path: Path) -> None:
    path = start(tmp_path / "start", teacher)
    for layers in (None, 2):
        origin = begin(teacher, DistillSettings(start=path, layers=layers, dropout=0.25))
        assert origin.layers == [0, 1]
        assert origin.start is not None
        assert origin.start.bundle.path == path
        assert origin.classifier.config.dropout == 0.25
        own, wanted = origin.classifier.state_dict(), origin.start.classifier.state_dict()
        assert all(torch.equal(own[name], weight) for name, weight in wanted.items())
        assert all(one.requires_grad for one in origin.classifier.parameters())
        assert not any(
            torch.equal(own[name], one) for name, one in teacher.classifier.state_dict().items() if "qkv.w" in name
        )


def test_layers_of_another_teacher_are_not_attributed_to_this_one(teacher: Teacher, tmp_path: Path) -> None:
    path = start(tmp_path / "start", teacher, lineage={"teacher_version": "0" * 12, "layers": [0, 1]})
    assert begin(teacher, DistillSettings(start=path)).layers is None


def test_a_start_keeps_its_layers(teacher: Teacher, tmp_path: Path) -> None:
    path = start(tmp_path / "start", teacher)
    with pytest.raises(
        UsageError, match=r"--layers is 1, but --start .*start has 2 layers and keeps them: leave --layers out"
    ):
        begin(teacher, DistillSettings(start=path, layers=1))


@pytest.mark.parametrize("with_start", [False, True])
def test_it_cannot_keep_more_neurons_or_heads_than_exist(teacher: Teacher, tmp_path: Path, with_start: bool) -> None:
    path = start(tmp_path / "start", teacher) if with_start else None
    name = "start" if with_start else "teacher"
    with pytest.raises(
        UsageError,
        match=rf"--feed-forward is 65, but each layer of .*{name} has 64 feed-forward neurons: give 1 to 64",
    ):
        begin(teacher, DistillSettings(layers=2, start=path, feed_forward=65))
    with pytest.raises(
        UsageError, match=rf"--attention-heads is 5, but each layer of .*{name} has 4 attention heads: give 1 to 4"
    ):
        begin(teacher, DistillSettings(layers=2, start=path, attention_heads=5))
    assert begin(teacher, DistillSettings(layers=2, start=path, feed_forward=64)).classifier.config.feed_forward == 64


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"labels": ("negative", "positive", "neutral")},
            "answers with negative, positive, neutral, but its teacher .* with negative, neutral, positive",
        ),
        ({"pooling": "mean"}, "has the pooling mean, but its teacher .* has cls"),
        ({"family": "distilbert"}, "has the architecture distilbert, but its teacher .* has bert"),
    ],
)
def test_a_start_of_another_task_or_kind_is_refused(
    teacher: Teacher, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = start(tmp_path / "start", teacher, **changes)
    with pytest.raises(
        UsageError, match=rf"--start .*start {said}.*: give a student that was distilled from .*teacher"
    ):
        begin(teacher, DistillSettings(start=path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden": 48}, "has the hidden width 32, but its teacher .* has 48"),
        ({"heads": 8}, "has the number of attention heads 4, but its teacher .* has 8"),
        ({"max_positions": 128}, "has the number of positions 64, but its teacher .* has 128"),
    ],
)
def test_a_start_of_another_shape_is_refused(
    teacher: Teacher, tmp_path: Path, changes: dict[str, int], said: str
) -> None:
    config: EncoderConfig = replace(teacher.classifier.config, **changes)  # type: ignore[arg-type]
    other = replace(teacher, classifier=Classifier(config, 3))
    path = start(tmp_path / "start", teacher)
    with pytest.raises(UsageError, match=rf"--start .*start {said}: give a student that was distilled from .*teacher"):
        begin(other, DistillSettings(start=path))


def test_a_start_that_reads_other_tokens_is_refused(teacher: Teacher, tmp_path: Path) -> None:
    words = [*VOCABULARY[:5], *reversed(VOCABULARY[5:])]
    pieces = BertWordPieceTokenizer(vocab={word: id_ for id_, word in enumerate(words)}, lowercase=True)
    other = replace(teacher, tokenizer=Tokenizer(tokenizers.Tokenizer.from_str(pieces.to_str()), lowercase=True))
    path = start(tmp_path / "start", teacher)
    with pytest.raises(
        UsageError,
        match=r"--start .*start has another vocabulary than its teacher .*: give a student that was distilled",
    ):
        begin(other, DistillSettings(start=path))
