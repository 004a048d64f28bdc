"""What training a tagger minimises, and which epoch is the best."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from bertline.tasks.tag.alignment import UNLABELLED


def loss(outputs: Tensor, targets: Tensor, attend: Tensor | None) -> Tensor:
    """Cross-entropy of the true labels: the mean over each text's labelled pieces, summed over texts.

    An untrained head has a loss of about ln(labels) per text, as a classifier has, so the same learning rate and
    gradient clipping suit both tasks.

    Args:
        outputs: ``tags``, [batch, tokens, labels].
        targets: index of each token's label, [batch, tokens]; ``UNLABELLED`` where it has none.
        attend: True on real tokens, [batch, tokens]; unused, because padding has no label.
    """
    each = functional.cross_entropy(outputs.float().transpose(1, 2), targets, ignore_index=UNLABELLED, reduction="none")
    labelled = (targets != UNLABELLED).sum(dim=1).clamp(min=1)
    return (each.sum(dim=1) / labelled).sum()


def better(history: Sequence[tuple[float, float]]) -> bool:
    """Whether the last epoch has the highest micro F1 so far; the lower loss decides between equals.

    Args:
        history: micro F1 and loss on the validation texts after each epoch.
    """
    *before, last = [(f1, -validation_loss) for f1, validation_loss in history]
    return all(last > one for one in before)
