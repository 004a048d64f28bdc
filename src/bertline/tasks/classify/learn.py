"""What fine-tuning of labels minimises, and which epoch is the best."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bertline.tasks.history import EpochRecord


def loss(
    logits: Float[Tensor, "batch labels"],
    targets: Int[Tensor, " batch"],
    class_weights: Float[Tensor, " labels"] | None = None,
) -> Float[Tensor, ""]:
    """Cross-entropy of the true labels, in fp32, summed over the texts of the batch.

    Args:
        logits: of each text.
        targets: index of each text's label.
        class_weights: factor on the loss of each label.
    """
    return functional.cross_entropy(logits.float(), targets, weight=class_weights, reduction="sum")


def balanced_weights(counts: Sequence[int]) -> Float[Tensor, " labels"]:
    """Weight of each label such that all labels weigh the same in total and the mean over rows is 1.

    >>> balanced_weights([30, 10]).tolist()
    [0.6666666865348816, 2.0]
    """
    rows = torch.tensor(counts, dtype=torch.float32)
    return rows.sum() / (len(counts) * rows.clamp(min=1))


def better(history: Sequence[EpochRecord]) -> bool:
    """Whether the last epoch has the highest validation accuracy so far; the lower loss decides between equals."""
    *before, last = [(record.validation_accuracy, -record.validation_loss) for record in history]
    return all(last > one for one in before)
