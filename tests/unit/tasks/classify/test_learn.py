from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from bertline.data.targets import Target
from bertline.encoder.checkpoint import save_classifier
from bertline.tasks.classify.learn import balanced_weights, better, initial_loss, loss
from bertline.tasks.classify.spec import Spec
from bertline.tasks.history import EpochRecord
from bertline.testing.tiny import tiny_classifier
from bertline.text import Piece, Reading

SINGLE = Spec(labels=("a", "b", "c"))
SEVERAL = Spec(problem="several", labels=("a", "b", "c"))
PAIR = Spec(labels=("a", "b"))
NUMBER = Spec(problem="number", labels=("stars",))
IDS = torch.randint(5, 60, (64, 7), generator=torch.Generator().manual_seed(0))
ATTEND = torch.ones_like(IDS, dtype=torch.bool)
TARGETS: dict[str, list[Target]] = {"single": ["a", "c"], "several": [("a", "c"), ()], "number": [2.5, -1.0]}


def targets_of(spec: Spec) -> torch.Tensor:
    reading = Reading([Piece([2, 9, 3])], 3)
    return torch.from_numpy(np.stack([spec.arrays(one, reading)[0] for one in TARGETS[spec.problem]]))


@pytest.mark.parametrize("spec", [SINGLE, SEVERAL])
def test_the_loss_of_an_untrained_network_is_what_theory_predicts(spec: Spec) -> None:
    targets = targets_of(spec)
    assert float(loss(spec, torch.zeros(2, 3), targets)) / 2 == pytest.approx(initial_loss(spec), abs=1e-6)


def test_the_loss_of_a_number_is_its_squared_error() -> None:
    targets = targets_of(NUMBER)
    assert float(loss(NUMBER, torch.tensor([[2.0], [1.0]]), targets)) == pytest.approx(0.25 + 4.0)
    assert initial_loss(NUMBER) is None


@pytest.mark.parametrize("spec", [SINGLE, SEVERAL, NUMBER])
def test_the_loss_is_that_of_transformers(spec: Spec, tmp_path: Path) -> None:
    model = tiny_classifier(family="bert", labels=len(spec.labels), pooling="cls").eval().requires_grad_(False)
    save_classifier(tmp_path, model, labels=spec.labels, problem_type=spec.problem_type)
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    ids = torch.tensor([[2, 9, 3], [2, 12, 3]])
    targets = targets_of(spec)
    expected = theirs(input_ids=ids, labels=targets).loss.detach()
    assert float(loss(spec, model(ids, None), targets)) / 2 == pytest.approx(float(expected), abs=1e-5)


def epoch(calibrated_nll: float, validation_loss: float) -> EpochRecord:
    return EpochRecord(1, 1, 1.0, 1, 0.5, validation_loss, {"accuracy": 0.8, "calibrated_nll": calibrated_nll})


def test_the_lowest_loss_after_temperature_scaling_is_the_best_for_one_label_and_the_lowest_loss_for_the_others() -> (
    None
):
    history = [epoch(0.4, 0.4), epoch(0.3, 0.5)]
    assert better(SINGLE, history)
    assert not better(SEVERAL, history)
    assert better(NUMBER, [epoch(0.0, 0.4), epoch(0.0, 0.3)])
    assert not better(SINGLE, [epoch(0.3, 0.4), epoch(0.3, 0.3)])


@pytest.mark.parametrize("labels", [2, 8])
def test_an_untrained_head_knows_nothing_so_its_loss_is_ln_labels(labels: int) -> None:
    spec = Spec(labels=tuple(map(str, range(labels))))
    model = tiny_classifier(family="bert", labels=labels, pooling="cls").eval()
    torch.nn.init.normal_(model.head.out.weight, std=0.02, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(len(IDS)) % labels
    measured = float(loss(spec, model(IDS, ATTEND), targets).detach()) / len(IDS)
    # logits are sums of 32 products of |tanh| ≤ 1 and N(0, 0.02²): their spread is at most 0.113
    assert measured == pytest.approx(math.log(labels), abs=0.06)


def test_class_weights_weigh_each_rows_loss() -> None:
    model = tiny_classifier(family="bert", labels=2, pooling="cls").eval()
    zeros, ones = torch.zeros(64, dtype=torch.long), torch.ones(64, dtype=torch.long)
    weights = torch.tensor([3.0, 0.5])
    for targets, factor in ((zeros, 3.0), (ones, 0.5)):
        plain, weighted = (
            float(loss(PAIR, model(IDS, ATTEND), targets, class_weights=one).detach()) for one in (None, weights)
        )
        assert weighted == pytest.approx(factor * plain, rel=1e-5)


def test_balanced_weights_give_every_label_the_same_total() -> None:
    counts = [5, 20, 75]
    spec = Spec(labels=("a", "b", "c"))
    targets = [np.array(label) for label, count in enumerate(counts) for _ in range(count)]
    weights = balanced_weights(spec, targets)
    totals = [float(weight) * count for weight, count in zip(weights, counts, strict=True)]
    assert totals == pytest.approx([100 / 3] * 3)
