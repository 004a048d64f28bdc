"""Narrower layers: which feed-forward neurons and attention heads a network can do without, and it without them.

Every layer keeps as many neurons, since an HF ``config.json`` has one width for all of them. Heads that are left out
stay in the checkpoint as zeros (``SelfAttention.silence``), and engines do not compute them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bertline.encoder.attention import SelfAttention
from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import Layer
from bertline.encoder.heads import Classifier
from bertline.errors import UsageError
from bertline.training.device import Placement, to_device
from bertline.training.distillation.settings import DistillSettings
from bertline.training.distillation.task import distance
from bertline.training.loop import score
from bertline.training.rows import Rows

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


def narrow(classifier: Classifier, width: Width, rows: Rows, placement: Placement, *, seed: int) -> Classifier:
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
        order = importance(classifier, rows, placement, seed=seed).argsort(dim=1, descending=True, stable=True)
        narrower = with_neurons(classifier, order[:, :neurons].sort(dim=1).values)
    else:
        narrower = copy.deepcopy(classifier)
    if heads < config.heads:
        least = head_importance(classifier, rows, placement).argsort(dim=1, descending=True, stable=True)[:, heads:]
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


def head_importance(classifier: Classifier, rows: Rows, placement: Placement) -> HeadImportance:
    """How much the answers to ``rows`` move without each head of the layers that are computed for every token.

    Heads are few, so each one is left out once and the logits are compared, as they are in training: the squared
    difference around each row's mean, summed. The first-order estimate that chooses neurons ranks heads worse
    (docs/log.md).

    Args:
        classifier: is left as it is.
        rows: some 7,500 tokens of them are read, evenly spread.
        placement: where.
    """
    some, heads = _spread(rows, HEAD_TOKENS), torch.arange(classifier.config.heads)

    def answers(layer: int | None = None, head: int = 0) -> Float[Tensor, "rows labels"]:
        probe = copy.deepcopy(classifier).to(placement.device)
        if layer is not None:
            _whole_attention(probe)[layer].silence((heads == head).to(placement.device))
        return torch.from_numpy(np.stack(score(probe, some, placement.device)))

    whole = answers()
    layers = range(len(_whole_attention(classifier)))
    moved = [[float(distance(answers(layer, head), whole)) for head in heads.tolist()] for layer in layers]
    return torch.tensor(moved).view(len(moved), len(heads))


def importance(classifier: Classifier, rows: Rows, placement: Placement, *, seed: int) -> Importance:
    """How much the answers to ``rows`` would move without each neuron, [layers, feed_forward].

    Without neuron j the logits change, to first order, by −Σᵢ wᵢⱼ ∂logits/∂wᵢⱼ over its column of the down matrix. Of
    this the square is taken, summed over labels and texts: what silencing adds to the distance from the teacher
    (``distill_task.distance``) when the network answers as its teacher does. It is the criterion of Molchanov et al.
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
    columns = [layer.down.weight.requires_grad_(True) for layer in _layers(probe)]
    found = torch.zeros(len(columns), probe.config.feed_forward)
    signs = torch.Generator().manual_seed(seed)
    for _, batch in _spread(rows, SCORED_TOKENS).batches(BATCH_TOKENS):
        ids, attend, _ = to_device(batch, placement.device)
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


def _spread(rows: Rows, tokens: int) -> Rows:
    """As many of the rows as have some ``tokens`` tokens, at equal steps from the first to the last."""
    wanted = round(tokens * len(rows) / sum(rows.lengths))
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), max(1, wanted)), dtype=np.int64).tolist()
    return replace(rows, readings=[rows.readings[i] for i in chosen], targets=(), lines=[rows.lines[i] for i in chosen])
