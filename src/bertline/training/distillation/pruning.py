"""Narrower layers: which feed-forward neurons and attention heads a network can do without, and it without them.

Every layer keeps as many neurons, since an HF ``config.json`` has one width for all of them. Heads that are left out
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
Neurons = Int[Tensor, "layers kept"]

SCORED_TOKENS = 60_000  # read to choose neurons by: about 2,000 sentences
HEAD_TOKENS = 7_500  # read to choose heads by, once for each head
BATCH_TOKENS = 1024
_CUT = {"up.weight": 0, "up.bias": 0, "down.weight": 1}  # of a layer: the axis of its neurons


@dataclass(frozen=True)
class Width:
    """How much of each layer is kept; None is all.

    Attributes:
        feed_forward: neurons of the feed-forward network.
        attention_heads: of each layer but the last of a network that reads [CLS]: there attention is computed for
            [CLS] alone, a hundredth of the work, and keeps its heads.
    """

    feed_forward: int | None
    attention_heads: int | None

    @classmethod
    def asked(cls, settings: DistillSettings) -> Width:
        """What the settings say."""
        return cls(settings.feed_forward, settings.attention_heads)

    def check(self, config: EncoderConfig, origin: str) -> None:
        """Whether a network of ``config`` has as much.

        Raises:
            UsageError: more is asked for than there is, or nothing.
        """
        for flag, asked, there, what in self._parts(config):
            if asked is not None and not 1 <= asked <= there:
                raise UsageError(f"{flag} is {asked}, but each layer of {origin} has {there} {what}: give 1 to {there}")

    def told(self, config: EncoderConfig) -> str:
        """What is kept of each layer of a network of ``config``, in words; empty where that is all of it."""
        parts = self._parts(config)
        return " and ".join(
            f"{asked:,} of {there:,} {what}" for _, asked, there, what in parts if asked not in (None, there)
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
    """The same network with what matters most for ``rows``, as much of it as ``width`` says.

    Of equally important neurons and heads the first are kept, in their order. With all of them it is the same network.

    Raises:
        UsageError: the network has not as much, or nothing is to stay.
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
    """How many heads of each layer add something to its answers."""
    return [int(layer.attention.busy_heads().sum()) for layer in _layers(classifier)]


def _whole_attention(classifier: Classifier) -> list[SelfAttention]:
    """Of the layers where it is computed for every token."""
    layers = _layers(classifier)
    return [layer.attention for layer in (layers[:-1] if classifier.pooling == "cls" else layers)]


def _layers(classifier: Classifier) -> list[Layer]:
    return [layer for layer in classifier.encoder.layers if isinstance(layer, Layer)]


def head_importance(
    classifier: Classifier, rows: Rows, placement: Placement, *, activation: Activation = "softmax"
) -> HeadImportance:
    """How much the answers to ``rows`` move without each head of the layers that are computed for every token.

    Heads are few, so each one is left out once and the answers are compared, as they are in training: by the distance
    of the activation, mean over the rows. The first-order estimate that chooses neurons ranks heads worse
    (docs/log.md).

    Args:
        classifier: is left as it is.
        rows: some 7,500 tokens of them are read, evenly spread.
        placement: where.
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
    """How much the answers to ``rows`` would move without each neuron, [layers, feed_forward].

    Without neuron j the logits change, to first order, by −Σᵢ wᵢⱼ ∂logits/∂wᵢⱼ over its column of the down matrix. Of
    this the square is taken, summed over labels and texts (the mean over a text's tokens): what silencing adds to the
    squared distance from the teacher when the network answers as its teacher does. It is the criterion of Molchanov et
    al. 2019 with the logits in place of the loss, whose gradient says little where a student knows its texts by heart.

    One backward pass gives it for a whole batch: with a random sign for each logit, the expected square of the signed
    sum is the sum of the squares (Hutchinson 1989). Tokens that no answer depends on, such as all but [CLS] in the last
    layer of a classifier, count for nothing by themselves, as they would not in a norm of the activations.

    Args:
        classifier: is left as it is.
        rows: some 60,000 tokens of them are read, evenly spread.
        placement: where and in which precision.
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


def _spread(rows: Rows, tokens: int) -> Rows:
    """As many of the texts as have some ``tokens`` tokens, at equal steps from the first to the last."""
    count = len(rows.readings)
    wanted = round(tokens * count / sum(rows.lengths))
    chosen = np.linspace(0, count - 1, min(count, max(1, wanted)), dtype=np.int64).tolist()
    return replace(rows, readings=[rows.readings[i] for i in chosen], targets=(), lines=[rows.lines[i] for i in chosen])
