"""The contrastive loss, the batches that it reads, and the head."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bertline.training.few_shot.shots import BATCH_TEXTS, TEMPERATURE, contrastive_loss, draw


def test_the_loss_is_the_mean_cross_entropy_of_the_texts_of_the_same_label() -> None:
    features = torch.tensor([[2.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    near, far, other = (math.exp(cosine / TEMPERATURE) for cosine in (0.6, 0.0, 0.8))
    first, second = -math.log(near / (near + far)), -math.log(near / (near + other))
    # The third text is the only one of its label.
    assert float(contrastive_loss(features, torch.tensor([0, 0, 1]))) == pytest.approx((first + second) / 3)


@pytest.mark.parametrize(("names", "each", "labels"), [(2, 8, 2), (4, 4, 4), (8, 2, 8), (30, 2, 8)])
def test_a_batch_has_as_many_texts_of_each_of_its_labels_and_at_least_two(names: int, each: int, labels: int) -> None:
    of_texts = np.repeat(np.arange(names), 10)
    batch = draw(of_texts, np.random.default_rng(0))
    assert len(set(batch)) == len(batch) == BATCH_TEXTS
    assert np.unique(of_texts[batch], return_counts=True)[1].tolist() == [each] * labels
