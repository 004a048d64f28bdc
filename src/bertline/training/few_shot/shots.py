"""The labelled texts of few-shot training, and what is learned from some of them: the encoder, then a linear head.

Texts of one label are drawn together and the others apart, over all pairs of a batch (Khosla et al. 2020). So few texts
give many pairs (SetFit, Tunstall et al. 2022). docs/log.md has the losses, rates and heads that were compared.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bertline.encoder.heads import Classifier
from bertline.tasks.classify.learn import balanced_weights
from bertline.tasks.classify.spec import Spec
from bertline.tasks.history import EpochRecord
from bertline.training.device import Inputs, Placement
from bertline.training.linear import Linear, fit_linear
from bertline.training.loop import Run
from bertline.training.parallel.ranks import Ranks
from bertline.training.progress import Silent
from bertline.training.rows import Rows
from bertline.training.settings import TrainSettings
from bertline.training.task import Epoch, TrainingBatch

STEPS = 16  # at least
BATCH_TEXTS = 16  # at least two of each label that is drawn
TEMPERATURE = 0.1  # of the cosines
SHARE = 0.5  # of the way from the encoder as it came to the tuned one
STRENGTH = 10.0  # C of the logistic regression, which is the head


@dataclass(frozen=True)
class Shots:
    """Labelled texts of which each has one piece.

    Attributes:
        rows: of the texts.
        spec: of the labels.
        settings: of the run.
        placement: device and precision.
    """

    rows: Rows
    spec: Spec
    settings: TrainSettings
    placement: Placement

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def labels(self) -> Int[Tensor, " texts"]:
        """The number of each text's label."""
        return torch.from_numpy(np.stack(self.rows.arrays(self.spec)))

    def fit_head(self, features: Float[Tensor, "some hidden"], texts: Sequence[int]) -> Linear:
        """Logistic regression for some of the texts, given their features."""
        labels = self.labels[list(texts)]
        balanced = self.settings.class_weights == "balanced"
        weights = balanced_weights(self.spec, list(labels.numpy())) if balanced else None
        loss = partial(functional.cross_entropy, target=labels, weight=weights, reduction="sum")
        decay = 1 / (STRENGTH * len(labels))
        return fit_linear(features, len(self.spec.labels), loss, decay=decay, standardise=False)

    def tune(self, classifier: Classifier, texts: Sequence[int]) -> None:
        """Tune the layers of ``classifier``'s encoder on some of the texts; its embeddings stay as they are.

        The weights become a mean of those before and after, which keeps most of the gain where tuning helps and loses
        little where it does harm (WiSE-FT, Wortsman et al. 2022).
        """
        embeddings = classifier.encoder.embeddings.requires_grad_(False)
        before = copy.deepcopy(classifier.encoder.layers)
        pairs = Pairs(self.rows.take(texts), self.labels[list(texts)], self.settings.seed)
        settings = self.settings.model_copy(update={"epochs": 1})
        Run(classifier, pairs, settings, self.placement, Silent(), None, {}).fit()
        embeddings.requires_grad_(True)
        with torch.no_grad():
            for own, old in zip(classifier.encoder.layers.parameters(), before.parameters(), strict=True):
                own.lerp_(old, 1 - SHARE)


@dataclass(frozen=True)
class Pairs:
    """A ``Task`` of one epoch without validation: batches of a few texts per label, whose pairs are compared."""

    rows: Rows
    labels: Int[Tensor, " texts"]
    seed: int
    reads_attend: bool = False
    sparse_embeddings: bool = True
    validation_tokens: int = 0

    def epoch(self, number: int) -> Epoch[list[int]]:
        """So many steps that each text is in two batches or more."""
        rng = np.random.default_rng((self.seed, number))
        steps = max(STEPS, math.ceil(2 * len(self.rows) / BATCH_TEXTS))
        drawn = [draw(self.labels.numpy(), rng) for _ in range(steps)]

        def batches(step: int, ranks: Ranks) -> list[TrainingBatch[list[int]]]:
            return [TrainingBatch(self.rows.batch(drawn[step]), drawn[step], 1)]

        lengths = self.rows.lengths
        return Epoch(steps, sum(lengths[i] for texts in drawn for i in texts), 1.0, batches)

    def loss(self, model: Classifier, inputs: Inputs, indices: Sequence[int]) -> Tensor:
        """Of the texts at ``indices``."""
        states = model.encoder(inputs.ids, inputs.attend, segments=inputs.segments).last
        features = model.head.features(states, inputs.attend)
        return contrastive_loss(features, self.labels[list(indices)].to(features.device))

    def place_of(self, indices: Sequence[int]) -> str:
        """The lines of the texts."""
        return f"rows of lines {', '.join(str(self.rows.lines[i]) for i in sorted(indices))}"

    def validate(self, model: Classifier, device: torch.device, ranks: Ranks) -> tuple[float, Mapping[str, float]]:
        """Nothing: all texts are learned."""
        return math.nan, {}

    def is_best(self, history: Sequence[EpochRecord]) -> bool:
        """The only epoch is."""
        return True


def draw(labels: Int[np.ndarray, " texts"], rng: np.random.Generator) -> list[int]:
    """A batch at random: of as many labels as fit an equal number of texts, at least two of each that has them."""
    names = np.unique(labels)
    each = max(2, BATCH_TEXTS // len(names))
    some = rng.permutation(names)[: max(2, BATCH_TEXTS // each)]
    return [int(i) for name in some for i in rng.permutation(np.flatnonzero(labels == name))[:each]]


def contrastive_loss(features: Float[Tensor, "texts hidden"], labels: Int[Tensor, " texts"]) -> Float[Tensor, ""]:
    """The mean over the texts of −log of the share of their own label in a softmax over the other texts' cosines.

    Equation 2 of Khosla et al. 2020: for each text, the mean over the texts of its label of the cross-entropy of
    choosing that text among all others by cosine ÷ ``TEMPERATURE``. A text whose label no other has counts as 0.
    """
    unit = functional.normalize(features.float(), dim=-1)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    likeness = (unit @ unit.T / TEMPERATURE).masked_fill(itself, -torch.inf)
    chosen = likeness.log_softmax(-1).masked_fill(itself, 0.0)
    same = (labels[:, None] == labels[None]) & ~itself
    return -((chosen * same).sum(1) / same.sum(1).clamp(min=1)).mean()
