from __future__ import annotations

import math

import pytest
import torch

from bertline.tasks.classify.learn import balanced_weights, loss
from bertline.testing.tiny import tiny_classifier

IDS = torch.randint(5, 60, (64, 7), generator=torch.Generator().manual_seed(0))
ATTEND = torch.ones_like(IDS, dtype=torch.bool)


@pytest.mark.parametrize("labels", [2, 8])
def test_an_untrained_head_knows_nothing_so_its_loss_is_ln_labels(labels: int) -> None:
    model = tiny_classifier(family="bert", labels=labels, pooling="cls").eval()
    torch.nn.init.normal_(model.head.out.weight, std=0.02, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(len(IDS)) % labels
    measured = float(loss(model(IDS, ATTEND), targets).detach()) / len(IDS)
    # logits are sums of 32 products of |tanh| ≤ 1 and N(0, 0.02²): their spread is at most 0.113
    assert measured == pytest.approx(math.log(labels), abs=0.06)


def test_class_weights_weigh_each_rows_loss() -> None:
    model = tiny_classifier(family="bert", labels=2, pooling="cls").eval()
    zeros, ones = torch.zeros(64, dtype=torch.long), torch.ones(64, dtype=torch.long)
    weights = torch.tensor([3.0, 0.5])
    for targets, factor in ((zeros, 3.0), (ones, 0.5)):
        plain, weighted = (float(loss(model(IDS, ATTEND), targets, one).detach()) for one in (None, weights))
        assert weighted == pytest.approx(factor * plain, rel=1e-5)


def test_balanced_weights_give_every_label_the_same_total() -> None:
    counts = [5, 20, 75]
    weights = balanced_weights(counts)
    totals = [float(weight) * count for weight, count in zip(weights, counts, strict=True)]
    assert totals == pytest.approx([100 / 3] * 3)
