"""The contrastive loss, the batches that it reads, and the head."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from bertline.encoder.agreement import load_tokenizer
from bertline.encoder.checkpoint import load_pretrained
from bertline.tasks.classify.spec import Spec
from bertline.text import Reader, Truncation
from bertline.training.device import Placement
from bertline.training.few_shot.shots import BATCH_TEXTS, TEMPERATURE, Shots, contrastive_loss, draw
from bertline.training.rows import Rows
from bertline.training.settings import TrainSettings


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


def test_tuning_ends_half_way_and_leaves_the_embeddings(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = "ab" * 4
    readings = Reader(load_tokenizer(model, bundle=False), Truncation(8)).read(["is it", "on an"] * 4)
    settings = TrainSettings(max_tokens=8, precision="fp32")
    rows = Rows(readings, [*labels], range(len(labels)))
    shots = Shots(rows, Spec(labels=("a", "b")), settings, Placement(torch.device("cpu"), torch.float32))

    def tuned(share: float) -> dict[str, torch.Tensor]:
        monkeypatch.setattr("bertline.training.few_shot.shots.SHARE", share)
        torch.manual_seed(0)
        classifier = load_pretrained(model, labels=2, pooling="normalised", dropout=None)
        torch.manual_seed(0)
        shots.tune(classifier, range(len(labels)))
        return classifier.encoder.state_dict()

    before, half, after = tuned(0.0), tuned(0.5), tuned(1.0)
    for name, value in half.items():
        torch.testing.assert_close(value, (before[name] + after[name]) / 2)
        assert torch.equal(before[name], after[name]) is name.startswith("embeddings.")
