"""What a run is to learn: the loss of a batch, the loss on the validation rows, and which epoch is the best.

The loop knows no more of its work than this. Here it is for labels; ``distillation.task`` has the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from bertline.encoder.heads import Classifier
from bertline.statistics.calibration import Logits
from bertline.tasks import task
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import TaskSpec
from bertline.tasks.history import EpochRecord
from bertline.training.rows import Rows


@runtime_checkable
class Loss(Protocol):
    """Summed over the texts of a batch."""

    def __call__(self, model: Classifier, ids: Tensor, attend: Any, indices: Sequence[int]) -> Tensor:
        """The loss of the training rows at ``indices``, whose tokens are ``ids``, [batch, tokens].

        ``attend``, [batch, tokens], is True on real tokens; None, if the task takes that, where every token is real.
        """
        ...


@dataclass(frozen=True)
class Task:
    """What is learned.

    Attributes:
        loss: of a batch of training rows.
        validation_loss: mean over the validation rows, from their logits.
        is_best: whether the last epoch of a history is the best so far.
        reads_attend: whether ``loss`` needs ``attend`` even where it is True throughout (``device.to_device``).
    """

    loss: Loss
    validation_loss: Callable[[Logits], float]
    is_best: Callable[[list[EpochRecord]], bool]
    reads_attend: bool = True


def of_spec(spec: TaskSpec, train: Rows, validation: Rows, *, balanced: bool = False) -> Task:
    """Learn the rows' targets as the spec's task does; ``balanced``: rare labels weigh more."""
    learn = task(spec.task).learn
    targets = torch.from_numpy(train.truth)
    weights = {"class_weights": learn.balanced_weights(np.bincount(train.truth).tolist())} if balanced else {}

    def loss(model: Classifier, ids: Tensor, attend: Tensor | None, indices: Sequence[int]) -> Tensor:
        own = {name: one.to(ids.device) for name, one in weights.items()}
        summed: Tensor = learn.loss(spec, model(ids, attend), targets[list(indices)].to(ids.device), attend, **own)
        return summed

    def validation_loss(outputs: Logits) -> float:
        summed = learn.loss(spec, torch.from_numpy(outputs).double(), torch.from_numpy(validation.truth), None)
        return float(summed) / len(validation)

    return Task(loss, validation_loss, lambda history: bool(learn.better(spec, history)), reads_attend=False)


def classification(train: Rows, validation: Rows, *, balanced: bool = False) -> Task:
    """Learn the rows' labels, one per text."""
    labels = max(2, 1 + int(max(train.truth.max(initial=0), validation.truth.max(initial=0))))
    return of_spec(Spec(labels=tuple(map(str, range(labels)))), train, validation, balanced=balanced)
