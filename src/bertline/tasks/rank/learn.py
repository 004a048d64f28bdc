"""The training loss of a ranker, and the choice of the best epoch.

The losses look at one text at a time, like ``BinaryCrossEntropyLoss`` and ``MSELoss`` of ``sentence-transformers``'
cross-encoders.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from bertline.tasks.history import EpochRecord
from bertline.tasks.rank.spec import Spec


def loss(spec: Spec, outputs: Tensor, targets: Tensor, attend: Tensor | None = None) -> Tensor:
    """The loss summed over the texts: binary cross-entropy of the score; of grades, the squared error.

    Args:
        spec: of the model.
        outputs: logits, [batch, 1].
        targets: scores, [batch, 1].
        attend: not read.
    """
    of = functional.mse_loss if spec.graded else functional.binary_cross_entropy_with_logits
    return of(outputs.float(), targets, reduction="sum")


def initial_loss(spec: Spec) -> float | None:
    """The loss per text of a network whose logits are all 0; None for grades, where it depends on the targets."""
    return None if spec.graded else math.log(2)


def better(spec: Spec, history: Sequence[EpochRecord]) -> bool:
    """Whether the last epoch has the highest NDCG so far; the lower loss decides between equals."""
    *before, last = [(record.figures["ndcg_at_10"], -record.validation_loss) for record in history]
    return all(last > earlier for earlier in before)
