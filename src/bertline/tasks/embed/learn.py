"""The training loss of an embedder, and the choice of the best epoch.

Texts that belong together: multiple negatives ranking (Henderson et al. 2017), the loss with which most models of
``sentence-transformers`` were trained: each anchor has to find its positive among the positives and negatives of the
whole batch. Scores: the squared error of the cosine.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bertline.tasks.contract import Array
from bertline.tasks.embed.spec import ANCHOR, MEMBER, NEGATIVE, Spec
from bertline.tasks.history import EpochRecord

SCALE = 20.0  # of cosines before the softmax, as in sentence-transformers
_NEVER = -1e9  # the score of what does not compete


def loss(spec: Spec, outputs: Tensor, targets: Tensor, attend: Tensor | None = None) -> Tensor:
    """The loss per text, summed over the texts; the mean over all lengths that embeddings may be cut to.

    Args:
        spec: of the model.
        outputs: embeddings, [batch, hidden]; the texts of a row are neighbours.
        targets: ``Spec.arrays``, [batch, 1] or [batch, 3].
        attend: not read.
    """
    of = _of_scores if targets.is_floating_point() else _of_roles
    lengths = (outputs.shape[1], *spec.dimensions)
    with torch.autocast(outputs.device.type, enabled=False):  # in bf16, close cosines would be equal
        units = (functional.normalize(outputs.float()[:, :length], dim=1) for length in lengths)
        return torch.stack([of(unit, targets) for unit in units]).mean() * len(outputs)


def groups(targets: Sequence[Array], text_of: Sequence[int], seed: int) -> list[list[int]]:
    """Which texts have to be in one batch: those of a row; where rows have labels, two of a label at a time.

    Args:
        targets: of each text.
        text_of: the number of each text's row.
        seed: of the pairs that share a label.
    """
    labelled = targets[0].shape == (3,) and targets[0][2] == MEMBER
    members: dict[int, list[int]] = {}
    for piece, (target, row) in enumerate(zip(targets, text_of, strict=True)):
        members.setdefault(int(target[1]) if labelled else row, []).append(piece)
    if not labelled:
        return [*members.values()]
    rng, pairs = random.Random(seed), list[list[int]]()
    for pieces in members.values():
        rng.shuffle(pieces)
        odd = [rng.choice(pieces)] if len(pieces) % 2 else []  # of a label with one text it is that text again
        pairs += [[*pair] for pair in zip(pieces[::2], [*pieces[1::2], *odd], strict=True)]
    return pairs


def initial_loss(spec: Spec) -> float | None:
    """None: it depends on the batch."""
    return None


def better(spec: Spec, history: Sequence[EpochRecord]) -> bool:
    """Whether the last epoch has the highest first figure so far; the lower loss decides between equals."""
    *before, last = [(next(iter(record.figures.values())), -record.validation_loss) for record in history]
    return all(last > earlier for earlier in before)


def _of_scores(units: Tensor, scores: Tensor) -> Tensor:
    """Mean squared error of the cosines of pairs."""
    return functional.mse_loss((units[::2] * units[1::2]).sum(dim=1), scores[::2, 0])


def _of_roles(units: Tensor, targets: Tensor) -> Tensor:
    """The mean over anchors of −log of the positive's share among itself and the negatives, by softmax."""
    keys, alike, roles = targets.unbind(dim=1)
    anchors = ((roles == ANCHOR) | (roles == MEMBER)).nonzero()[:, 0]
    others = (roles != ANCHOR).nonzero()[:, 0]
    scores = SCALE * units[anchors] @ units[others].T
    together = alike[anchors, None] == alike[None, others]
    itself = anchors[:, None] == others[None, :]
    positive = together & (roles[others] != NEGATIVE) & ~itself
    # The text of a positive, or the anchor's own, is no negative where it occurs again.
    same_text = (keys[others, None] == keys[None, others]).float()
    known = (positive.float() @ same_text > 0) | (keys[anchors, None] == keys[None, others])
    negative = (~together | (roles[others] == NEGATIVE)[None, :]) & ~known
    competing = scores.masked_fill(~negative, _NEVER).logsumexp(dim=1, keepdim=True)
    each = functional.softplus(competing - scores).masked_fill(~positive, 0.0)
    return (each.sum(dim=1) / positive.sum(dim=1).clamp(min=1)).mean()
