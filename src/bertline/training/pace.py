"""How fast this machine trains this model, measured on a few batches, so that a run can say how long it takes."""

from __future__ import annotations

import time

from bertline.encoder.heads import Classifier
from bertline.training.device import Placement
from bertline.training.loop import epoch_seed
from bertline.training.objectives import to_device
from bertline.training.rows import Rows
from bertline.training.settings import TrainSettings
from bertline.training.task import Task, classification

PROBED_BATCHES = 4


def measure_pace(
    classifier: Classifier, train: Rows, settings: TrainSettings, placement: Placement, task: Task | None = None
) -> float:
    """Tokens trained per second, from forward and backward passes over real batches; no weight changes.

    Optimiser steps, validation and checkpoints are left out.
    """
    loss_of = (task or classification(train, train)).loss
    batches = train.plan(settings.batch_tokens, epoch_seed(settings.seed, 0))
    probed = batches[: PROBED_BATCHES + 1]
    classifier.to(placement.device).train()
    tokens, seconds = 0, 0.0
    for number, indices in enumerate(probed):
        batch = train.batch(indices)
        ids, attend = to_device(batch, placement.device)
        began = time.perf_counter()
        with placement.computing():
            loss = loss_of(classifier, ids, attend, indices)
        loss.backward()
        if number or len(probed) == 1:  # the first pass also pays for start-up
            seconds += time.perf_counter() - began
            tokens += int(batch.attend.sum())
    classifier.zero_grad(set_to_none=True)
    return tokens / max(seconds, 1e-9)
