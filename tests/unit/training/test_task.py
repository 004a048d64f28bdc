from __future__ import annotations

import numpy as np
import pytest
import torch

from bertline.tasks.classify.learn import balanced_weights, loss
from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import tiny_classifier
from bertline.text import Piece, Reading
from bertline.training.rows import Rows
from bertline.training.task import classification

ROWS = Rows([Reading([Piece([2, 7 + i, 3])], 3) for i in range(6)], [0, 1, 1, 0, 1, 1], range(2, 8))


@pytest.mark.parametrize("balanced", [False, True])
def test_to_classify_is_the_cross_entropy_of_the_labels_of_the_rows_in_the_batch(balanced: bool) -> None:
    model = tiny_classifier(family="bert", labels=2, pooling="cls").eval().requires_grad_(False)
    batch = ROWS.batch([4, 0, 3])
    ids, attend = torch.from_numpy(batch.ids), torch.from_numpy(batch.attend)
    weights = balanced_weights([2, 4]) if balanced else None
    expected = loss(Spec(labels=("a", "b")), model(ids, attend), torch.tensor([1, 0, 0]), class_weights=weights)
    assert torch.equal(classification(ROWS, ROWS, balanced=balanced).loss(model, ids, attend, [4, 0, 3]), expected)


def test_to_classify_takes_a_batch_without_attend() -> None:
    """Its rows have one length: it is the same loss to the bit."""
    model = tiny_classifier(family="bert", labels=2, pooling="mean").eval().requires_grad_(False)
    task, batch = classification(ROWS, ROWS), ROWS.batch([4, 0, 3])
    assert not task.reads_attend
    ids, attend = torch.from_numpy(batch.ids), torch.from_numpy(batch.attend)
    assert torch.equal(task.loss(model, ids, None, [4, 0, 3]), task.loss(model, ids, attend, [4, 0, 3]))


def test_the_validation_loss_is_the_mean_over_the_validation_rows() -> None:
    logits = np.log(np.array([[0.5, 0.5]] * 6))
    assert classification(ROWS, ROWS).validation_loss(logits) == pytest.approx(np.log(2))
