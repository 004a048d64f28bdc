"""The training objective: the loss of a batch, figures of the validation rows, and the choice of the best epoch.

The loop depends on nothing else. Here it is for the targets of a table; ``distillation.task`` has the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from bertline.encoder.heads import Classifier
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.tasks.history import EpochRecord
from bertline.training.device import Inputs
from bertline.training.rows import Rows, stacked

Arrays = Sequence[np.ndarray[Any, Any]]  # the network's output for each piece


@runtime_checkable
class Loss(Protocol):
    """Summed over the rows of a batch."""

    def __call__(self, model: Classifier, inputs: Inputs, indices: Sequence[int]) -> Tensor:
        """The loss of the training rows at ``indices``, whose tokens are in ``inputs``."""
        ...


@dataclass(frozen=True)
class Task:
    """What is learned.

    Attributes:
        loss: of a batch of training rows.
        validation_loss: mean over the validation rows, from the network's output for each.
        figures: of the validation rows, likewise, for people to read.
        is_best: whether the last epoch of a history is the best so far.
        reads_attend: whether ``loss`` needs ``attend`` even where it is True throughout (``device.to_device``).
    """

    loss: Loss
    validation_loss: Callable[[Arrays], float]
    figures: Callable[[Arrays], Mapping[str, float]]
    is_best: Callable[[list[EpochRecord]], bool]
    reads_attend: bool = True


def of_spec(spec: TaskSpec, train: Rows, validation: Rows, *, balanced: bool = False) -> Task:
    """Learn the rows' targets as the spec's task does; ``balanced``: rare labels weigh more."""
    learn = task(spec.task).learn
    targets, expected = train.arrays(spec), validation.arrays(spec)
    weights = {"class_weights": learn.balanced_weights(spec, targets)} if balanced else {}

    def loss(model: Classifier, inputs: Inputs, indices: Sequence[int]) -> Tensor:
        own = {name: weight.to(inputs.ids.device) for name, weight in weights.items()}
        wanted = torch.from_numpy(stacked([targets[i] for i in indices])).to(inputs.ids.device)
        summed: Tensor = learn.loss(spec, model(*inputs), wanted, inputs.attend, **own)
        return summed

    def validation_loss(outputs: Arrays) -> float:
        together = [range(len(outputs))] if outputs[0].ndim == 1 else [[i] for i in range(len(outputs))]
        losses = (
            learn.loss(
                spec,
                torch.from_numpy(np.stack([outputs[i] for i in some])),
                torch.from_numpy(stacked([expected[i] for i in some])),
            )
            for some in together
        )
        return sum(map(float, losses)) / len(validation)

    return Task(
        loss,
        validation_loss,
        figures_of(spec, validation),
        lambda history: bool(learn.better(spec, history)),
        reads_attend=False,
    )


def figures_of(spec: TaskSpec, validation: Rows) -> Callable[[Arrays], Mapping[str, float]]:
    """The task's figures of the validation rows, from the network's output for each."""
    measure = task(spec.task).measure

    def figures(outputs: Arrays) -> Mapping[str, float]:
        of_texts = validation.by_text(outputs)
        scores: Mapping[str, float] = measure.figures(spec, validation.targets, of_texts, validation.readings)
        return scores

    return figures
