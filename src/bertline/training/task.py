"""What a run of the loop learns: the batches of every epoch, their loss, validation, and the choice of the best epoch.

The loop depends on nothing else. ``row_task`` has the one for texts that were read as ``Rows``, with the targets of a
table; distillation gives it another loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from bertline.data.batching import Batch
from bertline.tasks.history import EpochRecord
from bertline.training.device import Inputs
from bertline.training.parallel.ranks import Ranks

Model = TypeVar("Model", bound=nn.Module)
Targets = TypeVar("Targets")
Trained = TypeVar("Trained", bound=nn.Module, contravariant=True)


@dataclass(frozen=True, slots=True)
class TrainingBatch(Generic[Targets]):
    """What one forward and backward pass reads.

    Attributes:
        tokens: of the batch, on the host; the loop moves them to the device.
        targets: what the task's loss needs beside them, as indices of rows or the words behind the masks.
        items: what the loss is summed over: texts, or masked tokens.
    """

    tokens: Batch
    targets: Targets
    items: int


@dataclass(frozen=True)
class Epoch(Generic[Targets]):
    """The steps between two validations.

    Attributes:
        steps: optimizer steps.
        tokens: real tokens of all steps.
        items_per_step: mean items of a step; a step follows the gradient of its summed loss ÷ this.
        batches: of a step, which counts from 0. The gradients of several are accumulated. It must give the same batches
            for a step whenever it is called, because a resumed run calls it for the steps that are left. Of each batch
            it gives the part of the ranks' own; a rank may have none.
    """

    steps: int
    tokens: int
    items_per_step: float
    batches: Callable[[int, Ranks], Sequence[TrainingBatch[Targets]]]


@runtime_checkable
class Task(Protocol[Trained, Targets]):
    """What a run learns.

    Attributes:
        validation_tokens: tokens that ``validate`` reads, for the estimate of a run's duration.
        reads_attend: whether ``loss`` needs ``attend`` even where it is True throughout (``device.to_device``).
        sparse_embeddings: whether a batch's gradient touches only the embeddings of its own tokens; not so where the
            output layer is tied to the table (``Optimizer``).
    """

    @property
    def validation_tokens(self) -> int: ...  # noqa: D102 - above

    @property
    def reads_attend(self) -> bool: ...  # noqa: D102

    @property
    def sparse_embeddings(self) -> bool: ...  # noqa: D102

    def epoch(self, number: int) -> Epoch[Targets]:
        """The epoch with this number, from 0 on: the same at every call. The loop asks for all of them at its start."""
        ...

    def loss(self, model: Trained, inputs: Inputs, targets: Targets) -> Tensor:
        """The loss of a batch, summed over its items; ``inputs`` are its tokens on the device."""
        ...

    def place_of(self, targets: Targets) -> str:
        """Where a batch is from, in words, for the message about a loss that is not finite."""
        ...

    def validate(self, model: Trained, device: torch.device, ranks: Ranks) -> tuple[float, Mapping[str, float]]:
        """Mean loss of the validation data, and its figures by name; the first is the one to judge by."""
        ...

    def is_best(self, history: Sequence[EpochRecord]) -> bool:
        """Whether the last epoch of a history is the best so far; the model keeps its weights."""
        ...
