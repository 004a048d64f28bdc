"""The task of learning from rows: batches of texts of similar length, and outputs for every validation row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from bertline.encoder.network import TextNetwork
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.tasks.history import EpochRecord
from bertline.training.device import Inputs
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.rows import Rows, stacked
from bertline.training.scoring import score
from bertline.training.settings import LoopSettings
from bertline.training.task import Epoch, TrainingBatch

Arrays = Sequence[np.ndarray[Any, Any]]  # the network's output for each piece
_SHOWN_LINES = 8


@runtime_checkable
class Loss(Protocol):
    """Summed over the rows of a batch."""

    def __call__(self, model: Any, inputs: Inputs, indices: Sequence[int]) -> Tensor:
        """The loss of the training rows at ``indices``, whose tokens are in ``inputs``."""
        ...


@dataclass(frozen=True)
class RowTask:
    """What a network learns from rows; a ``Task`` whose batches have the indices of their rows as targets.

    Attributes:
        train: rows to learn from.
        validation: rows to choose the best epoch by.
        settings: with the seed of the rows' order and the size of batches.
        loss: of a batch of training rows.
        validation_loss: mean over the validation rows, from the network's output for each.
        figures: of the validation rows, likewise.
        better: whether the last epoch of a history is the best so far, by the validation rows.
        reads_attend: whether ``loss`` needs ``attend`` even where it is True throughout.
        groups: by seed, the rows that must share a batch; None where any may.
        keeps_last: the run ends with its last epoch's weights, because the validation rows are too few to choose by.
    """

    train: Rows
    validation: Rows
    settings: LoopSettings
    loss: Loss
    validation_loss: Callable[[Arrays], float]
    figures: Callable[[Arrays], Mapping[str, float]]
    better: Callable[[Sequence[EpochRecord]], bool]
    reads_attend: bool = True
    sparse_embeddings: bool = True
    groups: Callable[[int], Sequence[Sequence[int]]] | None = None
    keeps_last: bool = False

    @property
    def validation_tokens(self) -> int:
        """Tokens of the validation rows."""
        return sum(self.validation.lengths)

    def epoch(self, number: int) -> Epoch[list[int]]:
        """Every row once, in an order that depends on (seed, number) alone."""
        seed = epoch_seed(self.settings.seed, number)
        plan = self.train.plan(self.settings.batch_tokens, seed, self.groups(seed) if self.groups else None)

        def batches(step: int, ranks: Ranks) -> list[TrainingBatch[list[int]]]:
            own = [*ranks.own(plan[step])]
            return [TrainingBatch(self.train.batch(own), own, len(own))] if own else []

        return Epoch(len(plan), sum(self.train.lengths), sum(map(len, plan)) / len(plan), batches)

    def is_best(self, history: Sequence[EpochRecord]) -> bool:
        """Whether the model keeps the weights of a history's last epoch."""
        return history[-1].epoch == self.settings.epochs if self.keeps_last else self.better(history)

    def place_of(self, targets: Sequence[int]) -> str:
        """The lines of the rows."""
        lines = sorted({self.train.lines[self.train.text_of[i]] for i in targets})
        return f"rows of lines {', '.join(map(str, lines[:_SHOWN_LINES]))}" + ", …" * (len(lines) > _SHOWN_LINES)

    def validate(
        self, model: TextNetwork, device: torch.device, ranks: Ranks = ALONE
    ) -> tuple[float, Mapping[str, float]]:
        """From the outputs for the validation rows."""
        outputs = score(model, self.validation, device, ranks)
        return self.validation_loss(outputs), self.figures(outputs)


def epoch_seed(seed: int, epoch: int) -> int:
    """Seed of the order of one epoch's rows."""
    return seed * 1_000 + epoch


def of_spec(
    spec: TaskSpec,
    train: Rows,
    validation: Rows,
    settings: LoopSettings,
    *,
    balanced: bool = False,
    keeps_last: bool = False,
) -> RowTask:
    """Learn the rows' targets as the spec's task does; ``balanced``: rare labels weigh more."""
    learn = task(spec.task).learn
    targets, expected = train.arrays(spec), validation.arrays(spec)
    weights = {"class_weights": learn.balanced_weights(spec, targets)} if balanced else {}

    def loss(model: TextNetwork, inputs: Inputs, indices: Sequence[int]) -> Tensor:
        own = {name: weight.to(inputs.ids.device) for name, weight in weights.items()}
        wanted = torch.from_numpy(stacked([targets[i] for i in indices])).to(inputs.ids.device)
        summed: Tensor = learn.loss(spec, model(*inputs), wanted, inputs.attend, **own)
        return summed

    def validation_loss(outputs: Arrays) -> float:
        together: Sequence[Sequence[int]] = [[i] for i in range(len(outputs))]
        if spec.apart:  # the loss depends on the batch: these are like those of the training
            pairs = learn.groups(expected, validation.text_of, settings.seed)
            together = validation.plan(settings.batch_tokens, settings.seed, pairs)
        elif outputs[0].ndim == 1:
            together = [range(len(outputs))]
        losses = (
            learn.loss(
                spec,
                torch.from_numpy(np.stack([outputs[i] for i in some])),
                torch.from_numpy(stacked([expected[i] for i in some])),
            )
            for some in together
        )
        return sum(map(float, losses)) / sum(map(len, together))

    return RowTask(
        train,
        validation,
        settings,
        loss,
        validation_loss,
        figures_of(spec, validation),
        lambda history: bool(learn.better(spec, history)),
        reads_attend=False,
        groups=partial(learn.groups, targets, train.text_of) if spec.apart else None,
        keeps_last=keeps_last,
    )


def figures_of(spec: TaskSpec, validation: Rows) -> Callable[[Arrays], Mapping[str, float]]:
    """The task's figures of the validation rows, from the network's output for each."""
    measure = task(spec.task).measure

    def figures(outputs: Arrays) -> Mapping[str, float]:
        of_texts = validation.by_text(outputs)
        scores: Mapping[str, float] = measure.figures(spec, validation.targets, of_texts, validation.readings)
        return scores

    return figures
