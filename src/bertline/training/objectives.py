"""What training minimises: functions from a model and a batch to a summed loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bertline.data.batching import Batch
from bertline.encoder.heads import Classifier


def to_device(batch: Batch, device: torch.device, *, reads_attend: bool = True) -> tuple[Tensor, Tensor | None]:
    """A batch's ids and ``attend`` as tensors on ``device``.

    Args:
        batch: of the host.
        device: to compute on.
        reads_attend: False: who gets them takes None for a batch in which every token is real. Then attention has no
            mask, without which alone a GPU takes its flash kernel. It is asked here, of the host's array, because a
            GPU's answer would have to be waited for.
    """
    ids = torch.from_numpy(batch.ids).to(device)
    if not reads_attend and batch.attend.all():
        return ids, None
    return ids, torch.from_numpy(batch.attend).to(device)


def classify(
    model: Classifier, ids: Tensor, attend: Tensor | None, targets: Tensor, class_weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy of the true labels, summed over the texts of the batch.

    Args:
        model: gives logits, [batch, labels].
        ids: token ids, [batch, tokens].
        attend: True on real tokens, [batch, tokens]; None if every token is real.
        targets: index of each text's label, [batch].
        class_weights: factor on the loss of each label, [labels].
    """
    return functional.cross_entropy(model(ids, attend).float(), targets, weight=class_weights, reduction="sum")


def balanced_weights(counts: list[int]) -> Tensor:
    """Weight of each label such that all labels weigh the same in total and the mean over rows is 1.

    >>> balanced_weights([30, 10]).tolist()
    [0.6666666865348816, 2.0]
    """
    rows = torch.tensor(counts, dtype=torch.float32)
    return rows.sum() / (len(counts) * rows.clamp(min=1))
