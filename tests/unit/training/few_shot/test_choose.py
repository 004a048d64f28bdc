"""Folds of few texts, and the learning curve on features whose accuracy is known."""

from __future__ import annotations

import pytest
import torch

from bertline.statistics.intervals import Estimate
from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training.device import Placement
from bertline.training.few_shot.choose import folds
from bertline.training.few_shot.curve import LearningCurve, learning_curve
from bertline.training.few_shot.shots import Shots
from bertline.training.rows import Rows
from bertline.training.settings import TrainSettings

LABELS = [0] * 8 + [1] * 8 + [2] * 3


def test_each_label_is_spread_over_the_folds_and_each_text_is_in_one() -> None:
    parts = folds(LABELS, [str(i) for i in range(len(LABELS))], seed=0)
    assert sorted(i for part in parts for i in part) == [*range(len(LABELS))]
    for label, count in ((0, 8), (1, 8), (2, 3)):
        each = [sum(LABELS[i] == label for i in part) for part in parts]
        assert sum(each) == count
        assert max(each) - min(each) <= 1


def test_labels_of_equal_size_are_equal_in_what_each_fold_leaves_to_learn() -> None:
    labels = [0, 1] * 8
    for part in folds(labels, [*map(str, range(16))], seed=0):
        assert sum(labels[i] for i in part) == len(part) / 2


def test_no_fold_is_empty_where_every_label_has_two_texts() -> None:
    assert [len(part) for part in folds([0, 0, 1, 1], [*"abcd"], seed=0)] == [1, 2, 1]


def test_duplicates_are_in_one_fold() -> None:
    parts = folds(LABELS, ["same" if i in (0, 3, 5) else str(i) for i in range(len(LABELS))], seed=0)
    assert any({0, 3, 5} <= {*part} for part in parts)


def curve(labels: list[int], features: torch.Tensor) -> LearningCurve:
    readings = Reader(tiny_tokenizer(), Truncation(8)).read(["is"] * len(labels))
    rows = Rows(readings, ["ab"[label] for label in labels], range(len(labels)))
    shots = Shots(rows, Spec(labels=("a", "b")), TrainSettings(), Placement(torch.device("cpu"), torch.float32))
    return learning_curve(shots, features, folds(labels, [*map(str, range(len(labels)))], seed=0))


def test_features_that_say_the_label_are_right_from_one_text_on() -> None:
    labels = [0] * 12 + [1] * 12
    noise = 0.01 * torch.randn(24, 2, generator=torch.manual_seed(0))
    right = curve(labels, torch.nn.functional.one_hot(torch.tensor(labels), 2).float() + noise)
    assert right.sizes == (1, 2, 4, 8)
    assert [one.value for one in right.accuracy] == [1.0] * 4
    assert right.facts() == (
        (
            "Learning curve",
            "accuracy of the frozen encoder 100\u202f% with 1, 100\u202f% with 2, 100\u202f% with 4, "
            "100\u202f% with 8 texts per label",
        ),
        ("More labels", "twice as many would hardly pay: +0.0 points (95\u202f% +0.0 to +0.0)"),
    )


def test_features_that_say_nothing_promise_nothing() -> None:
    one = curve([0, 1] * 16, torch.randn(32, 4, generator=torch.manual_seed(1)))
    assert all(0.2 < accuracy.value < 0.8 for accuracy in one.accuracy)
    assert one.gain.low < 0.02


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        (
            Estimate(0.03, 0.01, 0.05),
            "twice as many would pay: +3.0 points (95\u202f% +1.0 to +5.0)",
        ),
        (Estimate(0.03, 0.0, 0.05), "twice as many may pay: +3.0 points (95\u202f% +0.0 to +5.0)"),
        (
            Estimate(0.003, 0.0, 0.005),
            "twice as many would hardly pay: +0.3 points (95\u202f% +0.0 to +0.5)",
        ),
    ],
)
def test_the_verdict_depends_on_the_interval(gain: Estimate, verdict: str) -> None:
    assert LearningCurve((2, 4), (Estimate(0.7, 0.6, 0.8),) * 2, gain).facts()[1] == ("More labels", verdict)
