"""The loss of a tagger is transformers' on one text, ln of the labels at the start, and adds up over texts."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from bertline.tasks.history import EpochRecord
from bertline.tasks.tag.alignment import UNLABELLED
from bertline.tasks.tag.learn import better, initial_loss, loss
from bertline.tasks.tag.spec import Spec

SPEC = Spec(types=("x",), scheme="BIO")
GENERATOR = torch.Generator().manual_seed(0)
OUTPUTS = torch.randn(3, 5, 3, generator=GENERATOR)
TARGETS = torch.tensor([[UNLABELLED, 1, 2, UNLABELLED, UNLABELLED], [UNLABELLED, 0, 2, 2, 1], [UNLABELLED] * 5])


def test_of_one_text_it_is_the_mean_over_its_labelled_tokens() -> None:
    for row in range(2):
        theirs = functional.cross_entropy(OUTPUTS[row], TARGETS[row])  # as in BertForTokenClassification
        assert float(loss(SPEC, OUTPUTS[row : row + 1], TARGETS[row : row + 1])) == pytest.approx(
            float(theirs), abs=1e-6
        )


def test_it_adds_up_over_texts_and_a_text_without_labels_costs_nothing() -> None:
    each = [float(loss(SPEC, OUTPUTS[i : i + 1], TARGETS[i : i + 1])) for i in range(3)]
    assert float(loss(SPEC, OUTPUTS, TARGETS)) == pytest.approx(sum(each), abs=1e-6)
    assert each[2] == 0.0


def test_an_untrained_network_has_the_loss_that_theory_predicts() -> None:
    assert float(loss(SPEC, torch.zeros(2, 5, 3), TARGETS[:2])) == pytest.approx(2 * initial_loss(SPEC), abs=1e-6)
    assert initial_loss(SPEC) == math.log(3)


@pytest.mark.parametrize(
    ("history", "best"),
    [
        ([(0.5, 1.0)], True),
        ([(0.5, 1.0), (0.6, 2.0)], True),
        ([(0.6, 1.0), (0.5, 0.5)], False),
        ([(0.6, 1.0), (0.6, 0.5)], True),
        ([(0.6, 1.0), (0.6, 1.0)], False),
    ],
)
def test_the_best_epoch(history: list[tuple[float, float]], best: bool) -> None:
    records = [EpochRecord(1, 1, 1.0, 1, 0.5, validation_loss, {"f1": f1}) for f1, validation_loss in history]
    assert better(SPEC, records) is best
