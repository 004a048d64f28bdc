"""The one training loop: epochs of token-budget batches, validation, early stopping, state to resume from.

It does not know where rows come from, what is learned from them (``task``) or what becomes of the weights. The order of
rows depends on (seed, epoch) and the dropout on (seed, step) alone, so a run that was cut off anywhere ends in the same
weights as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bertline.encoder.heads import Classifier
from bertline.encoder.outputs import rows as cut
from bertline.errors import Interrupted, TrainingError
from bertline.machine.timing import Pace
from bertline.tasks.history import EpochRecord
from bertline.training.checkpoint import Position, State, save_state
from bertline.training.device import Placement, to_device
from bertline.training.optimizer import Optimizer
from bertline.training.progress import Progress, Step
from bertline.training.rows import Rows
from bertline.training.schedule import rate_factor
from bertline.training.settings import LoopSettings
from bertline.training.stop import StopRequest
from bertline.training.task import Task

SCORING_TOKENS = 4096
_SHOWN_LINES = 8


@dataclass
class Run:
    """One run of the loop; ``fit`` is its only verb."""

    classifier: Classifier
    train: Rows
    validation: Rows
    settings: LoopSettings
    placement: Placement
    progress: Progress
    directory: Path
    identity: Mapping[str, Any]
    task: Task

    def fit(self, state: State | None = None) -> list[EpochRecord]:
        """Train, from ``state`` if given; afterwards the classifier has the best epoch's weights.

        Raises:
            Interrupted: a signal asked to stop; the state is saved.
            TrainingError: the loss of a batch is not finite.
        """
        self._start(state)
        with StopRequest() as self._stop:
            while not self.position.finished:
                self._epoch()
        self.classifier.load_state_dict(self.best)
        return self.position.history

    def _start(self, state: State | None) -> None:
        self.position = Position() if state is None else replace(state.position, history=list(state.position.history))
        if state is not None:
            self.classifier.load_state_dict(state.weights)
        self.classifier.to(self.placement.device)
        self.best: dict[str, Tensor] = {} if state is None else state.best
        self.optimizer = Optimizer(self.classifier, self.settings)
        if state is not None:
            self.optimizer.load_state(state.moments)
        self.steps = sum(len(self._plan(epoch)) for epoch in range(self.settings.epochs))
        self.saved = time.monotonic()
        self.pace, self.validation_s = Pace(), 0.0

    def _plan(self, epoch: int) -> list[list[int]]:
        return self.train.plan(self.settings.batch_tokens, epoch_seed(self.settings.seed, epoch))

    def _epoch(self) -> None:
        at, batches = self.position, self._plan(self.position.epoch)
        self.classifier.train()
        began, earlier = time.monotonic(), at.seconds
        while at.batch < len(batches):
            self._batch(batches[at.batch], mean_rows=len(self.train) / len(batches))
            at.seconds = earlier + time.monotonic() - began
            self._checkpoint()
        self._end_epoch(batches)

    def _batch(self, indices: list[int], mean_rows: float) -> None:
        at, settings, began = self.position, self.settings, time.monotonic()
        batch = self.train.batch(indices)
        inputs = to_device(batch, self.placement.device, reads_attend=self.task.reads_attend)
        torch.manual_seed(step_seed(settings.seed, at.step))
        with self.placement.computing():
            summed = self.task.loss(self.classifier, inputs, indices)
        loss = float(summed.detach())
        if not math.isfinite(loss):
            raise TrainingError(self._not_finite(indices))
        # Batches differ in rows; dividing by the mean number lets every row weigh the same over an epoch.
        (summed / mean_rows).backward()
        self.optimizer.step(rate_factor(at.step, self.steps, settings.warmup_ratio))
        at.batch, at.step = at.batch + 1, at.step + 1
        at.epoch_loss, at.epoch_rows = at.epoch_loss + loss, at.epoch_rows + len(indices)
        self.pace.did(int(batch.attend.sum()), time.monotonic() - began)
        self._tell()

    def _tell(self) -> None:
        at, epochs = self.position, self.settings.epochs
        left = self.pace.seconds_for(sum(self.train.lengths) * epochs * (1 - at.step / self.steps))
        left += self.validation_s * (epochs - at.epoch)
        loss = at.epoch_loss / max(1, at.epoch_rows)
        self.progress.stepped(Step(at.step, self.steps, at.epoch + 1, epochs, loss, self.pace.per_s, left))

    def _not_finite(self, indices: list[int]) -> str:
        lines = sorted({self.train.lines[self.train.text_of[i]] for i in indices})
        shown = ", ".join(map(str, lines[:_SHOWN_LINES])) + (", …" if len(lines) > _SHOWN_LINES else "")
        return (
            f"the loss is not a finite number in epoch {self.position.epoch + 1}, batch {self.position.batch + 1} "
            f"(rows of lines {shown}): lower --lr (now {self.settings.lr:g}) or use --precision fp32"
        )

    def _end_epoch(self, batches: list[list[int]]) -> None:
        at = self.position
        began = time.monotonic()
        record = self._validate(batches)
        self.validation_s = time.monotonic() - began
        at.history.append(record)
        if self.task.is_best(at.history):
            at.best_epoch = record.epoch
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.classifier.state_dict().items()}
        at.epoch, at.batch, at.seconds, at.epoch_loss, at.epoch_rows = at.epoch + 1, 0, 0.0, 0.0, 0
        at.finished = at.epoch >= self.settings.epochs or at.epoch - at.best_epoch >= self.settings.patience
        self.progress.epoch_ended(record, at.best_epoch == record.epoch)
        self._checkpoint(now=True)

    def _validate(self, batches: list[list[int]]) -> EpochRecord:
        at = self.position
        with self.placement.computing():
            outputs = score(self.classifier, self.validation, self.placement.device)
        return EpochRecord(
            epoch=at.epoch + 1,
            steps=len(batches),
            seconds=at.seconds,
            tokens=sum(self.train.lengths),
            train_loss=at.epoch_loss / max(1, at.epoch_rows),
            validation_loss=self.task.validation_loss(outputs),
            figures=self.task.figures(outputs),
        )

    def _checkpoint(self, now: bool = False) -> None:
        stopping = self._stop.requested
        if not (now or stopping or time.monotonic() - self.saved >= self.settings.checkpoint_every_s):
            return
        weights = {name: tensor.detach().cpu() for name, tensor in self.classifier.state_dict().items()}
        moments = {name: tensor.detach().cpu() for name, tensor in self.optimizer.state().items()}
        save_state(self.directory, self.identity, State(self.position, weights, moments, self.best))
        self.saved = time.monotonic()
        if stopping and not self.position.finished:
            raise Interrupted(
                f"training stopped at step {self.position.step} of {self.steps}: "
                "run the same command with --resume to go on from there"
            )


def epoch_seed(seed: int, epoch: int) -> int:
    """Seed of the order of one epoch's rows."""
    return seed * 1_000 + epoch


def step_seed(seed: int, step: int) -> int:
    """Seed of the dropout of one step."""
    return seed * 1_000_000 + step


def score(classifier: Classifier, rows: Rows, device: torch.device) -> list[np.ndarray[Any, Any]]:
    """The network's output for every row in its order: logits, [label], or those of each token, [token, label]."""
    out: list[np.ndarray[Any, Any]] = [np.empty(0)] * len(rows)
    for i, one in scored(classifier, rows, device):
        out[i] = one
    return out


def scored(classifier: Classifier, rows: Rows, device: torch.device) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """Every row's index and the network's output for it, batch by batch, the longest first."""
    was_training = classifier.training
    classifier.eval()
    lengths = rows.lengths
    for indices, batch in rows.batches(SCORING_TOKENS):
        with torch.inference_mode():
            computed = classifier(*to_device(batch, device, reads_attend=False)).float().cpu().numpy()
        yield from zip(indices, cut(classifier.output, computed, [lengths[i] for i in indices]), strict=True)
    classifier.train(was_training)
