"""Narrower feed-forward networks: which neurons a network can do without, and the network without them.

Every layer keeps the same number, since an HF ``config.json`` has one width for all of them.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bertline.encoder.encoder import Layer
from bertline.encoder.heads import Classifier
from bertline.errors import UsageError
from bertline.training.device import Placement
from bertline.training.objectives import to_device
from bertline.training.rows import Rows

Importance = Float[Tensor, "layers feed_forward"]
Neurons = Int[Tensor, "layers kept"]

SCORED_TOKENS = 60_000  # read to choose by: about 2,000 sentences
BATCH_TOKENS = 1024
_CUT = {"up.weight": 0, "up.bias": 0, "down.weight": 1}  # of a layer: the axis of its neurons


def check_width(asked: int | None, width: int, origin: str) -> None:
    """``asked`` neurons of a feed-forward network can be kept of ``width``; None asks for all of them.

    Raises:
        UsageError: more than there are, or none.
    """
    if asked is not None and not 1 <= asked <= width:
        raise UsageError(
            f"--feed-forward is {asked}, but the feed-forward networks of {origin} have {width} neurons: "
            f"give 1 to {width}"
        )


def narrow(classifier: Classifier, width: int, rows: Rows, placement: Placement, *, seed: int) -> Classifier:
    """The same network with the ``width`` neurons of each feed-forward network that matter most for ``rows``.

    Of equally important ones the first are kept, in their order. With all of them it is the same network.

    Raises:
        UsageError: ``width`` is not from 1 to what the network has.
    """
    check_width(width, classifier.config.feed_forward, "the student")
    if width == classifier.config.feed_forward:
        return classifier
    order = importance(classifier, rows, placement, seed=seed).argsort(dim=1, descending=True, stable=True)
    return with_neurons(classifier, order[:, :width].sort(dim=1).values)


def importance(classifier: Classifier, rows: Rows, placement: Placement, *, seed: int) -> Importance:
    """How much the answers to ``rows`` would move without each neuron, [layers, feed_forward].

    Without neuron j the logits change, to first order, by −Σᵢ wᵢⱼ ∂logits/∂wᵢⱼ over its column of the down matrix. Of
    this the square is taken, summed over labels and texts: what silencing adds to the distance from the teacher
    (``distil_task.distance``) when the network answers as its teacher does. It is the criterion of Molchanov et al.
    2019 with the logits in place of the loss, whose gradient says little where a student knows its texts by heart.

    One backward pass gives it for a whole batch: with a random sign for each text and label, the expected square of the
    signed sum is the sum of the squares (Hutchinson 1989). Tokens that no answer depends on, such as all but [CLS] in
    the last layer, count for nothing by themselves, as they would not in a norm of the activations.

    Args:
        classifier: is left as it is.
        rows: some 60,000 tokens of them are read, evenly spread.
        placement: where and in which precision.
        seed: of the signs.
    """
    probe = copy.deepcopy(classifier).to(placement.device).eval().requires_grad_(False)
    layers = [layer for layer in probe.encoder.layers if isinstance(layer, Layer)]
    columns = [layer.down.weight.requires_grad_(True) for layer in layers]
    found = torch.zeros(len(columns), probe.config.feed_forward)
    signs = torch.Generator().manual_seed(seed)
    for _, batch in _spread(rows).batches(BATCH_TOKENS):
        ids, attend = to_device(batch, placement.device)
        with placement.computing():
            logits = probe(ids, attend).float()
        signed = torch.randint(0, 2, logits.shape, generator=signs).to(logits) * 2 - 1
        # What is added to all logits of a row changes no answer.
        slopes = torch.autograd.grad(((logits - logits.mean(-1, keepdim=True)) * signed).sum(), columns)
        moved = [(weight.detach() * slope).sum(0) for weight, slope in zip(columns, slopes, strict=True)]
        found += torch.stack(moved).square().float().cpu()
    return found


def with_neurons(classifier: Classifier, neurons: Neurons) -> Classifier:
    """A copy with only these ``neurons`` of each layer's feed-forward network; every other weight is kept."""
    narrower = Classifier(
        replace(classifier.config, feed_forward=neurons.shape[1]), classifier.labels, classifier.pooling
    )
    weights = dict(classifier.state_dict())
    for layer, kept in enumerate(neurons):
        for name, axis in _CUT.items():
            key = f"encoder.layers.{layer}.{name}"
            weights[key] = weights[key].index_select(axis, kept.to(weights[key].device))
    narrower.load_state_dict(weights)
    return narrower.train(classifier.training)


def _spread(rows: Rows) -> Rows:
    """As many of the rows as have some ``SCORED_TOKENS`` tokens, at equal steps from the first to the last."""
    wanted = round(SCORED_TOKENS * len(rows) / sum(rows.lengths))
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), max(1, wanted)), dtype=np.int64).tolist()
    return replace(rows, tokens=[rows.tokens[i] for i in chosen], targets=(), lines=[rows.lines[i] for i in chosen])
