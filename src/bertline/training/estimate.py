"""Estimated duration of a run, from the speed on a few batches."""

from __future__ import annotations

import time
from collections.abc import Callable

from bertline.machine.timing import DurationRange, until_stable
from bertline.training.device import Placement, to_device
from bertline.training.optimizer import Optimizer
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.settings import LoopSettings
from bertline.training.task import Model, Targets, Task

PROBED_STEPS = 3  # of a round
FORWARD = 1 / 3  # of a training step's work; validation data is read forwards only


def measure_run(
    model: Model, task: Task[Model, Targets], settings: LoopSettings, placement: Placement, ranks: Ranks = ALONE
) -> tuple[DurationRange, DurationRange]:
    """Seconds of all epochs, and seconds of a trained token, from steps over real batches; no weight changes.

    Validation counts with its forward passes. Checkpoints, what comes after the last epoch and the sums over the ranks
    are left out. Ranks measure their own parts at the same time, and the leader's timing is for all.
    """
    work = _round(model, task, settings, placement, ranks)
    _, own = work()  # the first pass also pays for start-up
    [tokens] = ranks.sum(own)
    of_a_round = ranks.leaders(until_stable(lambda: work()[0]))
    model.zero_grad(set_to_none=True)
    a_token = of_a_round.times(1 / max(1, tokens))
    of_all = sum(task.epoch(number).tokens for number in range(settings.epochs))
    return a_token.times(of_all + FORWARD * task.validation_tokens * settings.epochs), a_token


def _round(
    model: Model, task: Task[Model, Targets], settings: LoopSettings, placement: Placement, ranks: Ranks
) -> Callable[[], tuple[float, int]]:
    """What trains on the same few batches at a rate of 0; returns its seconds and tokens."""
    epoch = task.epoch(0)
    probed = [batch for step in range(min(PROBED_STEPS, epoch.steps)) for batch in epoch.batches(step, ranks)]
    model.to(placement.device).train()
    optimizer = Optimizer(model, settings, sparse_embeddings=task.sparse_embeddings)

    def work() -> tuple[float, int]:
        began, tokens = time.perf_counter(), 0
        for batch in probed:
            inputs = to_device(batch.tokens, placement.device, reads_attend=task.reads_attend)
            with placement.computing():
                loss = task.loss(model, inputs, batch.targets)
            loss.backward()
            optimizer.step(0.0)
            tokens += int(batch.tokens.attend.sum())
        return time.perf_counter() - began, tokens

    return work
