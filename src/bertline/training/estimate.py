"""Estimated duration of a run, from the speed on a few batches."""

from __future__ import annotations

import time
from collections.abc import Callable

from bertline.encoder.heads import Classifier
from bertline.machine.timing import DurationRange, until_stable
from bertline.training.device import Placement, to_device
from bertline.training.loop import epoch_seed
from bertline.training.optimizer import Optimizer
from bertline.training.rows import Rows
from bertline.training.settings import LoopSettings
from bertline.training.task import Task

PROBED_BATCHES = 3  # of a round
FORWARD = 1 / 3  # of a training step's work; a validation row is read forwards only


def measure_run(
    classifier: Classifier,
    train: Rows,
    validation: Rows,
    settings: LoopSettings,
    placement: Placement,
    task: Task,
) -> tuple[DurationRange, DurationRange]:
    """Seconds of all epochs, and seconds of a trained token, from steps over real batches; no weight changes.

    Validation counts with its forward passes. Checkpoints and what comes after the last epoch are left out.
    """
    work = _round(classifier, train, settings, placement, task)
    _, tokens = work()  # the first pass also pays for start-up
    of_a_round = until_stable(lambda: work()[0])
    classifier.zero_grad(set_to_none=True)
    a_token = of_a_round.times(1 / max(1, tokens))
    of_an_epoch = sum(train.lengths) + FORWARD * sum(validation.lengths)
    return a_token.times(of_an_epoch * settings.epochs), a_token


def _round(
    classifier: Classifier, train: Rows, settings: LoopSettings, placement: Placement, task: Task
) -> Callable[[], tuple[float, int]]:
    """What trains on the same few batches at a rate of 0; returns its seconds and tokens."""
    probed = train.plan(settings.batch_tokens, epoch_seed(settings.seed, 0))[:PROBED_BATCHES]
    classifier.to(placement.device).train()
    optimizer = Optimizer(classifier, settings)

    def work() -> tuple[float, int]:
        began, tokens = time.perf_counter(), 0
        for indices in probed:
            batch = train.batch(indices)
            inputs = to_device(batch, placement.device)
            with placement.computing():
                loss = task.loss(classifier, inputs, indices)
            loss.backward()
            optimizer.step(0.0)
            tokens += int(batch.attend.sum())
        return time.perf_counter() - began, tokens

    return work
