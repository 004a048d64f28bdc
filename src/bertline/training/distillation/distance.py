"""The distance of a student's output from its teacher's, by the activation of the spec, over the units that count.

A unit has one row of logits: it is a text, or a token if the output is by token. Special tokens and padding do not
count, because no answer depends on them.

Suffixes: B batch, U units, L labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bertline.encoder.outputs import OUTPUTS
from bertline.statistics.activation import Activation
from bertline.training.rows import Rows, stacked

Array = np.ndarray[Any, Any]
Logits = Float[Tensor, "*units labels"]
PerUnit = Float[Tensor, "*units"]


@dataclass(frozen=True)
class Distance:
    """What a student minimises, and the divergence that people read.

    Attributes:
        name: in words.
        between: distance of the student's logits from the teacher's, for each unit.
        essence: the logits without the part that changes no answer.
        divergence: of the student's answers from the teacher's, for each unit, without temperature.
        key: of the divergence in JSON.
        title: of the divergence in a sentence, followed by its unit.
    """

    name: str
    between: Callable[[Logits, Logits], PerUnit]
    essence: Callable[[Logits], Logits]
    divergence: Callable[[Logits, Logits], PerUnit]
    key: str = "kl_nats"
    title: tuple[str, str] = ("KL divergence", " nats")


def squared(student: Logits, teacher: Logits) -> PerUnit:
    """Squared difference of the logits around their mean, summed over labels.

    A constant added to all logits of a unit changes no answer, so it does not count. This is the limit of Hinton's soft
    labels at a high temperature (Hinton et al. 2015, section 2.1; Kim et al. 2021 compare the two). A student of movie
    reviews came a little closer to its teacher with it than with the divergence of the probabilities, even as measured
    by that divergence (docs/log.md).

    >>> logits = torch.tensor([[2.0, -1.0], [0.5, 0.0]])
    >>> squared(logits + 3, logits).tolist(), squared(logits, torch.zeros(2, 2)).tolist()
    ([0.0, 0.0], [4.5, 0.125])
    """
    return centred(student - teacher).square().sum(-1)


def centred(logits: Logits) -> Logits:
    """The logits around their mean over the labels."""
    return logits - logits.mean(-1, keepdim=True)


def of_softmax(student: Logits, teacher: Logits) -> PerUnit:
    """KL of the student's probabilities from the teacher's."""
    own, wanted = student.log_softmax(-1), teacher.log_softmax(-1)
    return (wanted.exp() * (wanted - own)).sum(-1)


def of_sigmoids(student: Logits, teacher: Logits) -> PerUnit:
    """KL of each label's probability from the teacher's, mean over labels: cross-entropy less the teacher's entropy.

    >>> of_sigmoids(torch.tensor([[2.0, 0.0]]), torch.tensor([[2.0, 0.0]])).tolist()
    [0.0]
    """
    wanted = teacher.sigmoid()
    own, least = (
        functional.binary_cross_entropy_with_logits(one, wanted, reduction="none") for one in (student, teacher)
    )
    return (own - least).mean(-1)


def of_numbers(student: Logits, teacher: Logits) -> PerUnit:
    """Squared difference of the numbers."""
    return (student - teacher).square().mean(-1)


DISTANCES: Mapping[Activation, Distance] = {
    "softmax": Distance("squared difference to the teacher’s logits", squared, centred, of_softmax),
    "sigmoid": Distance(
        "divergence from the teacher’s probabilities, mean over labels", of_sigmoids, torch.clone, of_sigmoids
    ),
    "none": Distance(
        "squared difference to the teacher’s numbers",
        of_numbers,
        torch.clone,
        of_numbers,
        "squared_difference",
        ("mean squared difference", ""),
    ),
}


@dataclass(frozen=True)
class Units:
    """The rows of a flat array that belong to each piece, and their weights.

    Attributes:
        starts: the first unit of each piece, then the number of units, [pieces + 1].
        weights: of each unit in the mean of its piece, [units]; 0 for special tokens.
        by_token: whether a piece is an array of tokens, not a single row.
    """

    starts: Array
    weights: Array
    by_token: bool

    @classmethod
    def of(cls, rows: Rows, output: str) -> Units:
        """The units of all pieces; for tokens, ``rows`` must have been read with offsets."""
        if not OUTPUTS[output].by_token:
            return cls(np.arange(len(rows) + 1), np.ones(len(rows), dtype=np.float32), False)
        counted = [np.array(piece.places or ()) >= 0 for piece in rows.pieces]
        weights = [one.astype(np.float32) / max(1, int(one.sum())) for one in counted]
        return cls(np.cumsum([0, *rows.lengths]), np.concatenate(weights), True)

    def __len__(self) -> int:
        return len(self.weights)

    def batch(self, indices: Sequence[int], flat: Array | None = None) -> Float[Tensor, "batch units *labels"]:
        """The rows of ``flat`` for the units of some pieces, by default their weights; padding is 0."""
        values = self.weights if flat is None else flat
        return torch.from_numpy(stacked([values[slice(*self.starts[[i, i + 1]])] for i in indices], fill=0))


@dataclass(frozen=True)
class Answers:
    """A network's output for rows, [unit, label]; ``flat`` may lie on disk."""

    flat: Array
    units: Units

    @classmethod
    def of(cls, outputs: Sequence[Array], rows: Rows, output: str) -> Answers:
        """The output for each piece of ``rows``."""
        return cls(np.concatenate([np.atleast_2d(one) for one in outputs]), Units.of(rows, output))

    def pieces(self) -> list[Array]:
        """The output for each piece: [label], or [token, label]."""
        bounds = zip(self.units.starts[:-1], self.units.starts[1:], strict=True)
        return [self.flat[start:end] if self.units.by_token else self.flat[start] for start, end in bounds]

    def batch(self, indices: Sequence[int]) -> tuple[Float[Tensor, "batch units labels"], Float[Tensor, "batch units"]]:
        """Logits and weights of some pieces; padding weighs nothing."""
        return self.units.batch(indices, self.flat), self.units.batch(indices)


def between(
    activation: Activation,
    student: Float[Tensor, "batch *axes"],
    teacher: Float[Tensor, "batch units labels"],
    weights: Float[Tensor, "batch units"],
) -> Float[Tensor, ""]:
    """The distance of a batch: the mean over each piece's units that count, summed over pieces."""
    each_BU = DISTANCES[activation].between(student.float().view_as(teacher), teacher.float())
    return summed(each_BU, weights)


def summed(each: PerUnit, weights: PerUnit) -> Float[Tensor, ""]:
    """Weighted sum; a unit of weight 0 may have any value, even NaN."""
    return (torch.where(weights > 0, each, 0.0) * weights).sum()


def mean_of(measured: Callable[[Logits, Logits], PerUnit], outputs: Sequence[Array], teacher: Answers) -> float:
    """A distance or divergence of ``outputs`` for each piece, mean over pieces, in double precision."""
    own = torch.from_numpy(np.concatenate([np.atleast_2d(one) for one in outputs])).double()
    each = measured(own, torch.from_numpy(np.array(teacher.flat)).double())
    return float(summed(each, torch.from_numpy(teacher.units.weights).double())) / len(outputs)
