"""The training loss of a classifier, and the choice of the best epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import Array
from bertline.tasks.history import EpochRecord


def loss(
    spec: Spec, outputs: Tensor, targets: Tensor, attend: Tensor | None = None, *, class_weights: Tensor | None = None
) -> Tensor:
    """The loss summed over the texts: cross-entropy, its mean over several labels, or the squared error.

    They are the losses of ``transformers`` for the same ``problem_type``.

    Args:
        spec: of the model.
        outputs: logits, [batch, label].
        targets: of ``Spec.arrays``, stacked.
        attend: not read.
        class_weights: factor on the loss of each label, [label]; of a classifier of one label.
    """
    logits = outputs.float()
    if spec.problem == "single":
        return functional.cross_entropy(logits, targets, weight=class_weights, reduction="sum")
    if spec.problem == "several":
        return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1).sum()
    return functional.mse_loss(logits, targets, reduction="none").mean(1).sum()


def balanced_weights(spec: Spec, targets: Sequence[Array]) -> Float[Tensor, " labels"]:
    """Weight of each label such that all labels weigh the same in total and the mean over rows is 1.

    Args:
        spec: of one label per text.
        targets: of ``Spec.arrays``, one for each text.

    >>> balanced_weights(Spec(labels=("a", "b")), [np.array(0)] * 30 + [np.array(1)] * 10).tolist()
    [0.6666666865348816, 2.0]
    """
    rows = torch.bincount(torch.tensor(np.array(targets)), minlength=len(spec.labels)).float()
    return rows.sum() / (len(rows) * rows.clamp(min=1))


def initial_loss(spec: Spec) -> float | None:
    """The loss per text of a network whose logits are all 0; None for numbers, where it depends on the targets."""
    return {"single": math.log(len(spec.labels)), "several": math.log(2), "number": None}[spec.problem]


def better(spec: Spec, history: Sequence[EpochRecord]) -> bool:
    """Whether the last epoch is the best so far.

    The lowest validation loss decides: with one label the loss that temperature scaling leaves, because overconfidence
    alone does not make an epoch worse. The accuracies of two epochs differ in a few rows, which is chance.
    """
    if spec.problem == "single":
        *before, last = [record.figures["calibrated_nll"] for record in history]
    else:
        *before, last = [record.validation_loss for record in history]
    return all(last < earlier for earlier in before)
