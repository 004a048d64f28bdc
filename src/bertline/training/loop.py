"""The one training loop: epochs of steps, validation, early stopping, checkpoints to resume from.

It does not know what is learned or from what (``task.Task``), or what becomes of the weights. The batches of a step
follow from the task alone and its dropout from (seed, step, rank), so a run that was interrupted anywhere ends in the
same weights as one that was not. Where several processes train together, each has a part of every batch, and the sum of
their gradients is that of the whole batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic

import torch
from torch import Tensor

from bertline.errors import Interrupted, TrainingError
from bertline.machine.timing import Pace
from bertline.tasks.history import EpochRecord
from bertline.training.checkpoint import Position, State, load_state, save_state, shared_state
from bertline.training.device import Placement, to_device
from bertline.training.memory import give_back
from bertline.training.optimizer import Optimizer
from bertline.training.parallel.gradients import gradients_of
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.progress import Progress, Step
from bertline.training.schedule import rate_factor
from bertline.training.settings import LoopSettings
from bertline.training.stop import StopRequest
from bertline.training.task import Epoch, Model, Targets, Task, TrainingBatch


@dataclass
class Run(Generic[Model, Targets]):
    """One run of the loop; ``fit`` is its only verb.

    Attributes:
        model: to train, in place.
        task: what it learns.
        settings: of the loop.
        placement: device and precision.
        progress: listens to the run.
        directory: of the checkpoints; None for a run that is too short to have any.
        identity: whatever a resumed run must share with the one that it continues, by name.
        ranks: the processes that train together. The leader reads and writes the checkpoints.
    """

    model: Model
    task: Task[Model, Targets]
    settings: LoopSettings
    placement: Placement
    progress: Progress
    directory: Path | None
    identity: Mapping[str, Any]
    ranks: Ranks = ALONE

    def fit(self, *, resume: bool = False) -> tuple[EpochRecord, ...]:
        """Train; afterwards the model has the best epoch's weights.

        Args:
            resume: continue from the checkpoint in ``directory``, if there is one.

        Raises:
            Interrupted: a signal asked to stop; a checkpoint is saved.
            TrainingError: a batch has a loss that is not finite; the checkpoint is damaged, has another identity, or
                cannot be saved.
            PeerLost: another process of the run ended.
        """
        reads = resume and self.directory is not None and self.ranks.leads
        self._start(load_state(self.directory, self.identity) if reads and self.directory else None)
        self.gradients = gradients_of(self.model, self.ranks)
        try:
            with StopRequest() as self._stop:
                while not self.position.finished:
                    self._epoch()
        finally:
            self.gradients.close()
        self.model.load_state_dict(self.best)
        return tuple(self.position.history)

    def _start(self, state: State | None) -> None:
        state = shared_state(state, self.ranks)
        self.position = Position() if state is None else replace(state.position, history=list(state.position.history))
        if state is not None:
            if not state.position.finished:
                self.progress.note(f"Resuming at step {state.position.step:,}")
            self.model.load_state_dict(state.best if state.position.finished else state.weights)
        self.ranks.share([*self.model.state_dict().values()])
        self.model.to(self.placement.device)
        self.best: dict[str, Tensor] = {} if state is None else state.best
        self.optimizer = Optimizer(self.model, self.settings, sparse_embeddings=self.task.sparse_embeddings)
        if state is not None:
            self.optimizer.load_state(state.moments)
        epochs = [self.task.epoch(number) for number in range(self.settings.epochs)]
        self.steps, self.tokens = sum(epoch.steps for epoch in epochs), sum(epoch.tokens for epoch in epochs)
        self.saved = time.monotonic()
        self.pace, self.validation_s = Pace(), 0.0

    def _epoch(self) -> None:
        at, epoch = self.position, self.task.epoch(self.position.epoch)
        self.model.train()
        began, earlier = time.monotonic(), at.seconds
        while at.batch < epoch.steps:
            self._step(epoch)
            at.seconds = earlier + time.monotonic() - began
            self._checkpoint()
        self._end_epoch(epoch)

    def _step(self, epoch: Epoch[Targets]) -> None:
        at, settings, began = self.position, self.settings, time.monotonic()
        torch.manual_seed(step_seed(settings.seed, at.step, self.ranks.rank))
        batches = epoch.batches(at.batch, self.ranks)
        loss = 0.0
        for number, batch in enumerate(batches, start=1):
            self.gradients.last(number == len(batches))
            loss += self._backward(batch, epoch.items_per_step)
        self.gradients.finish()
        own = sum(batch.items for batch in batches), sum(int(batch.tokens.attend.sum()) for batch in batches)
        loss, items, tokens = self.ranks.sum(loss, *own)
        self._check(loss, epoch)
        self.optimizer.step(rate_factor(at.step, self.steps, settings.warmup_ratio))
        at.epoch_loss, at.epoch_items = at.epoch_loss + loss, at.epoch_items + round(items)
        at.batch, at.step = at.batch + 1, at.step + 1
        self.pace.did(tokens, time.monotonic() - began)
        self._report()

    def _backward(self, batch: TrainingBatch[Targets], items_per_step: float) -> float:
        inputs = to_device(batch.tokens, self.placement.device, reads_attend=self.task.reads_attend)
        with self.placement.computing():
            summed = self.task.loss(self.model, inputs, batch.targets)
        # Steps differ in items; dividing by their mean number lets every item weigh the same over an epoch.
        (summed / items_per_step).backward()
        return float(summed.detach())

    def _check(self, loss: float, epoch: Epoch[Targets]) -> None:
        """All ranks see the same sum, so all of them stop."""
        if math.isfinite(loss):
            return
        at = self.position
        whole = epoch.batches(at.batch, ALONE)[0]
        raise TrainingError(
            f"the loss is not a finite number in step {at.step + 1:,} "
            f"({self.task.place_of(whole.targets)}): lower --lr (now {self.settings.lr:g}) or use --precision fp32"
        )

    def _report(self) -> None:
        at, epochs = self.position, self.settings.epochs
        left = self.pace.seconds_for(self.tokens * (1 - at.step / self.steps))
        left += self.validation_s * (epochs - at.epoch)
        self.progress.stepped(Step(at.step, self.steps, at.epoch + 1, epochs, at.train_loss, self.pace.per_s, left))

    def _end_epoch(self, epoch: Epoch[Targets]) -> None:
        at, began = self.position, time.monotonic()
        # Processors of different kinds round differently; what that amounted to in an epoch ends here.
        self.ranks.share([*self.model.state_dict().values()])
        with self.placement.computing():
            loss, figures = self.task.validate(self.model, self.placement.device, self.ranks)
        self.validation_s = time.monotonic() - began
        record = self.ranks.leaders(
            EpochRecord(at.epoch + 1, epoch.steps, at.seconds, epoch.tokens, at.train_loss, loss, figures)
        )
        at.history.append(record)
        if self.task.is_best(at.history):
            at.history[-1] = replace(record, best=True)
            at.best_epoch = record.epoch
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
        at.epoch, at.batch, at.seconds, at.epoch_loss, at.epoch_items = at.epoch + 1, 0, 0.0, 0.0, 0
        at.finished = at.epoch >= self.settings.epochs or at.epoch - at.best_epoch >= self.settings.patience
        self.progress.epoch_ended(record, at.best_epoch == record.epoch)
        self._checkpoint(now=True)

    def _checkpoint(self, now: bool = False) -> None:
        stopping = self.ranks.any(self._stop.requested)
        if not (now or stopping or time.monotonic() - self.saved >= self.settings.checkpoint_every_s):
            return
        if self.directory is not None and self.ranks.leads:
            weights, moments = {}, {}
            if not self.position.finished:
                weights = {name: tensor.detach().cpu() for name, tensor in self.model.state_dict().items()}
                moments = {name: tensor.detach().cpu() for name, tensor in self.optimizer.state().items()}
            save_state(self.directory, self.identity, State(self.position, weights, moments, self.best))
        give_back()
        self.saved = time.monotonic()
        if stopping and not self.position.finished:
            remedy = (
                "run the same command again"
                if self.directory is None
                else "run the same command with --resume to continue"
            )
            raise Interrupted(f"training stopped at step {self.position.step} of {self.steps}: {remedy}")


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """Seed of the dropout of one step in one rank."""
    return (rank << 48) + seed * 1_000_000 + step
