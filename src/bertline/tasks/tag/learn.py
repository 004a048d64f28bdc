"""The training loss of a tagger, and the choice of the best epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from bertline.tasks.history import EpochRecord
from bertline.tasks.tag.alignment import UNLABELLED
from bertline.tasks.tag.spec import Spec


def loss(spec: Spec, outputs: Tensor, targets: Tensor, attend: Tensor | None = None) -> Tensor:
    """Cross-entropy of the true labels: the mean over each text's labelled pieces, summed over texts.

    An untrained head has a loss of about ln(labels) per text, as a classifier has, so the same learning rate and
    gradient clipping suit both tasks.

    Args:
        spec: of the model.
        outputs: ``tags``, [batch, tokens, labels].
        targets: index of each token's label, [batch, tokens]; ``UNLABELLED`` where it has none.
        attend: True on real tokens, [batch, tokens]; unused, because padding has no label.
    """
    each = functional.cross_entropy(outputs.float().transpose(1, 2), targets, ignore_index=UNLABELLED, reduction="none")
    labelled = (targets != UNLABELLED).sum(dim=1).clamp(min=1)
    return (each.sum(dim=1) / labelled).sum()


def initial_loss(spec: Spec) -> float:
    """The loss per text of a network whose logits are all 0."""
    return math.log(len(spec.labels))


def better(spec: Spec, history: Sequence[EpochRecord]) -> bool:
    """Whether the last epoch has the highest F1 so far; the lower loss decides between equals."""
    *before, last = [(record.figures["f1"], -record.validation_loss) for record in history]
    return all(last > earlier for earlier in before)
