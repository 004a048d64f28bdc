"""Prune feed-forward neurons and attention heads by their effect on the logits.

Every layer keeps the same number of neurons, since an HF ``config.json`` has one width for all layers. Pruned heads
stay in the checkpoint as zeros (``SelfAttention.silence``), and engines do not compute them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bertline.encoder.attention import SelfAttention
from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import Layer
from bertline.encoder.heads import Classifier
from bertline.errors import UsageError
from bertline.statistics.activation import Activation
from bertline.training.device import Placement, to_device
from bertline.training.distillation.distance import DISTANCES, Answers, Units, mean_of
from bertline.training.distillation.settings import DistillSettings
from bertline.training.rows import Rows
from bertline.training.scoring import score

Array = np.ndarray[Any, Any]
Importance = Float[Tensor, "layers feed_forward"]
HeadImportance = Float[Tensor, "whole_layers heads"]
Neurons = Int[Tensor, "layers neurons"]

SCORED_TOKENS = 60_000  # read to rank neurons: about 2,000 sentences
HEAD_TOKENS = 7_500  # read to rank heads, once for each head
BATCH_TOKENS = 1024
_CUT = {"up.weight": 0, "up.bias": 0, "down.weight": 1}  # of a layer: the axis of its neurons


@dataclass(frozen=True)
class Width:
    """The number of neurons and heads that each layer keeps; None is all.

    Attributes:
        feed_forward: neurons of the feed-forward network.
        attention_heads: of each layer. The last layer of a network that reads [CLS] keeps all of them, because it
            computes attention for [CLS] alone, a hundredth of the work.
    """

    feed_forward: int | None
    attention_heads: int | None

    @classmethod
    def of(cls, settings: DistillSettings) -> Width:
        """The width in the settings."""
        return cls(settings.feed_forward, settings.attention_heads)

    def check(self, config: EncoderConfig, origin: str) -> None:
        """Check that the layers of a network of ``config`` are at least as wide.

        Raises:
            UsageError: they are not, or none of them would be left.
        """
        for flag, width, there, unit in self._parts(config):
            if width is not None and not 1 <= width <= there:
                raise UsageError(f"{flag} is {width}, but each layer of {origin} has {there} {unit}: give 1 to {there}")

    def described(self, config: EncoderConfig) -> str:
        """What each layer of a network of ``config`` keeps, in words; empty if it keeps everything."""
        parts = self._parts(config)
        return " and ".join(
            f"{width:,} of {there:,} {unit}" for _, width, there, unit in parts if width not in (None, there)
        )

    def _parts(self, config: EncoderConfig) -> list[tuple[str, int | None, int, str]]:
        return [
            ("--feed-forward", self.feed_forward, config.feed_forward, "feed-forward neurons"),
            ("--attention-heads", self.attention_heads, config.heads, "attention heads"),
        ]


def narrow(
    classifier: Classifier,
    width: Width,
    rows: Rows,
    placement: Placement,
    *,
    seed: int,
    activation: Activation = "softmax",
) -> Classifier:
    """The network with the neurons and heads of each layer that matter most for ``rows``; ``width`` is their number.

    Ties keep the first ones, and the order stays. At full width it is the same network.

    Raises:
        UsageError: the network is narrower, or nothing would be left.
    """
    config = classifier.config
    width.check(config, "the student")
    neurons, heads = width.feed_forward or config.feed_forward, width.attention_heads or config.heads
    if (neurons, heads) == (config.feed_forward, config.heads):
        return classifier
    if neurons < config.feed_forward:
        scores = importance(classifier, rows, placement, seed=seed, activation=activation)
        order = scores.argsort(dim=1, descending=True, stable=True)
        narrower = with_neurons(classifier, order[:, :neurons].sort(dim=1).values)
    else:
        narrower = copy.deepcopy(classifier)
    if heads < config.heads:
        scores = head_importance(classifier, rows, placement, activation=activation)
        least = scores.argsort(dim=1, descending=True, stable=True)[:, heads:]
        for attention, idle in zip(_whole_attention(narrower), least, strict=True):
            attention.silence(torch.isin(torch.arange(config.heads), idle).to(attention.out.weight.device))
    return narrower


def busy_heads(classifier: Classifier) -> list[int]:
    """The number of heads of each layer that are not zero."""
    return [int(layer.attention.busy_heads().sum()) for layer in _layers(classifier)]


def _whole_attention(classifier: Classifier) -> list[SelfAttention]:
    """The attention of the layers that compute it for every token."""
    layers = _layers(classifier)
    return [layer.attention for layer in (layers[:-1] if classifier.pooling == "cls" else layers)]


def _layers(classifier: Classifier) -> list[Layer]:
    return [layer for layer in classifier.encoder.layers if isinstance(layer, Layer)]


def head_importance(
    classifier: Classifier, rows: Rows, placement: Placement, *, activation: Activation = "softmax"
) -> HeadImportance:
    """How far the answers to ``rows`` move without each head of the layers that compute attention for every token.

    There are few heads, so each one is left out once, and the answers are compared as in training: by the distance of
    the activation, mean over the rows. The first-order estimate that chooses neurons ranks heads worse (docs/log.md).

    Args:
        classifier: stays unchanged.
        rows: about 7,500 of their tokens are read, evenly spread.
        placement: device.
        activation: of the logits.
    """
    some, heads = _spread(rows, HEAD_TOKENS), torch.arange(classifier.config.heads)

    def outputs(layer: int | None = None, head: int = 0) -> list[Array]:
        probe = copy.deepcopy(classifier).to(placement.device)
        if layer is not None:
            _whole_attention(probe)[layer].silence((heads == head).to(placement.device))
        return score(probe, some, placement.device)

    whole, apart = Answers.of(outputs(), some, classifier.output), DISTANCES[activation].between
    layers = range(len(_whole_attention(classifier)))
    moved = [[mean_of(apart, outputs(layer, head), whole) for head in heads.tolist()] for layer in layers]
    return torch.tensor(moved).view(len(moved), len(heads))


def importance(
    classifier: Classifier, rows: Rows, placement: Placement, *, seed: int, activation: Activation = "softmax"
) -> Importance:
    """How far the answers to ``rows`` would move without each neuron, [layers, feed_forward].

    Without neuron j the logits change, to first order, by −Σᵢ wᵢⱼ ∂logits/∂wᵢⱼ over its column of the down matrix. The
    importance is the square of this change, summed over labels and texts (mean over a text's tokens): what pruning adds
    to the squared distance from the teacher when the network answers as its teacher does. It is the criterion of
    Molchanov et al. 2019 with the logits in place of the loss, whose gradient vanishes once a student has memorised its
    texts.

    One backward pass gives it for a whole batch: with a random sign for each logit, the expected square of the signed
    sum is the sum of the squares (Hutchinson 1989). Tokens that no answer depends on, such as all but [CLS] in the last
    layer of a classifier, have no gradient; a norm of the activations would count them.

    Args:
        classifier: stays unchanged.
        rows: about 60,000 of their tokens are read, evenly spread.
        placement: device and precision.
        seed: of the signs.
        activation: of the logits.
    """
    probe = copy.deepcopy(classifier).to(placement.device).eval().requires_grad_(False)
    columns = [layer.down.weight.requires_grad_(True) for layer in _layers(probe)]
    total = torch.zeros(len(columns), probe.config.feed_forward)
    signs = torch.Generator().manual_seed(seed)
    some = _spread(rows, SCORED_TOKENS)
    units = Units.of(some, probe.output)
    for indices, batch in some.batches(BATCH_TOKENS):
        with placement.computing():
            logits = probe(*to_device(batch, placement.device)).float()
        weights_BU = units.batch(indices).to(logits)
        logits_BUL = logits.view(*weights_BU.shape, -1)
        signed = torch.randint(0, 2, logits_BUL.shape, generator=signs).to(logits) * 2 - 1
        parts = DISTANCES[activation].essence(logits_BUL) * signed * weights_BU.sqrt()[..., None]
        slopes = torch.autograd.grad(parts.sum(), columns)
        moved = [(weight.detach() * slope).sum(0) for weight, slope in zip(columns, slopes, strict=True)]
        total += torch.stack(moved).square().float().cpu()
    return total


def with_neurons(classifier: Classifier, neurons: Neurons) -> Classifier:
    """A copy with only these ``neurons`` of each layer's feed-forward network, and all other weights."""
    narrower = Classifier(
        replace(classifier.config, feed_forward=neurons.shape[1]), classifier.labels, classifier.pooling
    )
    weights = dict(classifier.state_dict())
    for layer, chosen in enumerate(neurons):
        for name, axis in _CUT.items():
            key = f"encoder.layers.{layer}.{name}"
            weights[key] = weights[key].index_select(axis, chosen.to(weights[key].device))
    narrower.load_state_dict(weights)
    return narrower.train(classifier.training)


def _spread(rows: Rows, tokens: int) -> Rows:
    """Texts with about ``tokens`` tokens in total, at equal steps from the first to the last."""
    count = len(rows.readings)
    wanted = round(tokens * count / sum(rows.lengths))
    chosen = np.linspace(0, count - 1, min(count, max(1, wanted)), dtype=np.int64).tolist()
    return replace(rows, readings=[rows.readings[i] for i in chosen], targets=(), lines=[rows.lines[i] for i in chosen])
