"""The start of fine-tuning: a head that was fitted on the frozen encoder (Kumar et al. 2022, LP-FT).

The first gradients of a random head pull the encoder's features apart before the head means anything, and rare labels
need many steps to be seen. The linear model costs one pass, without gradients, over at most ``ROWS`` rows.

Fitted without dropout, its answers may rest on large weights that cancel each other, and under dropout they are worse
than guesses. With long texts, which make few steps of many rows, an encoder below such a head learns to live with the
noise instead of the task; docs/log.md has what it costs, and that short texts rather gain by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bertline.encoder.heads import Classifier
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.training.device import Placement, to_device
from bertline.training.linear import Linear, fit_linear
from bertline.training.more_labels import MoreLabels, measure_more_labels
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.rows import Rows
from bertline.training.scoring import SCORING_TOKENS

ROWS = 10_000  # bounds the time of the start on a large table; not tuned
DECAYS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
DRAWS = 8  # of dropout, for its loss on the validation rows


@dataclass(frozen=True)
class HeadStart:
    """The linear model that a head starts as.

    Attributes:
        decay: its penalty, of ``DECAYS``: the one with the least loss on the validation rows.
        validation_loss: mean of the validation rows.
        validation: those rows, at most ``ROWS``.
        outputs: its logits for each of them.
        more_labels: what they would buy; None of other tasks than one label for each text, and of few rows.
    """

    decay: float
    validation_loss: float
    validation: Rows
    outputs: Sequence[np.ndarray[Any, Any]]
    more_labels: MoreLabels | None = None


def start_head(
    classifier: Classifier,
    spec: TaskSpec,
    train: Rows,
    validation: Rows,
    placement: Placement,
    *,
    balanced: bool = False,
    dropout: float = 0.0,
    ranks: Ranks = ALONE,
    seed: int = 0,
) -> HeadStart:
    """Fit the last layer of the classifier's head to the training rows, with everything below it frozen.

    Args:
        classifier: its ``head.out`` is replaced.
        spec: of a task with one output for each text.
        train: to fit it to; at most ``ROWS`` are used.
        validation: choose the penalty; likewise.
        placement: device and precision of the encoder; the linear model is fitted on the CPU in fp32.
        balanced: rare labels weigh more.
        dropout: rate of what the linear model reads, at which it must not be worse than guesses.
        ranks: each of which reads a part of the rows.
        seed: of the learning curve's draws.
    """
    classifier.to(placement.device)
    of_all, train, validation = len(train), train.at_most(ROWS), validation.at_most(ROWS)
    rows = [
        (head_features(classifier, some, placement, ranks), torch.from_numpy(np.stack(some.arrays(spec))))
        for some in (train, validation)
    ]
    (features, targets), (held_out, expected) = rows
    learn = task(spec.task).learn
    loss = learn.loss
    weights = {"class_weights": learn.balanced_weights(spec, train.arrays(spec))} if balanced else {}

    def summed(outputs: Tensor) -> Tensor:
        value: Tensor = loss(spec, outputs, targets, **weights)
        return value

    def held_out_loss(linear: Linear, features: Tensor) -> float:
        return float(loss(spec, linear(features), expected)) / len(validation)

    decay, linear = _choose(features, len(spec.labels), summed, held_out, held_out_loss, dropout)
    set_head(classifier, linear)
    more_labels = None
    if targets.ndim == 1 and not targets.is_floating_point():
        arrays = (one.numpy() for one in (features, targets, held_out, expected))
        more_labels = measure_more_labels(*arrays, rows=of_all, seed=seed)
    validation_loss = held_out_loss(linear, held_out)
    return HeadStart(decay, validation_loss, validation, list(linear(held_out).numpy()), more_labels)


def _choose(
    features: Tensor,
    outputs: int,
    summed: Callable[[Tensor], Tensor],
    held_out: Tensor,
    held_out_loss: Callable[[Linear, Tensor], float],
    rate: float,
) -> tuple[float, Linear]:
    """The penalty of ``DECAYS`` with the least loss of those that dropout of ``rate`` makes no worse than guesses."""
    knows_nothing = fit_linear(torch.zeros(len(features), 1), outputs, summed, decay=DECAYS[0])
    guessed = held_out_loss(knows_nothing, torch.zeros(len(held_out), 1))
    fitted = []
    for decay in DECAYS:
        linear = fit_linear(features, outputs, summed, decay=decay)
        noisy = sum(held_out_loss(linear, some) for some in _dropped(held_out, rate)) / DRAWS
        fitted.append((max(noisy, guessed), held_out_loss(linear, held_out), decay, linear))
    _, _, decay, linear = min(fitted, key=lambda one: one[:2])
    return decay, linear


def _dropped(features: Float[Tensor, "rows hidden"], rate: float) -> Iterator[Float[Tensor, "rows hidden"]]:
    """The features as ``DRAWS`` passes of training see them; the same at every call."""
    draw = torch.Generator().manual_seed(0)
    for _ in range(DRAWS):
        yield features * (torch.rand(features.shape, generator=draw) >= rate) / (1 - rate)


def set_head(classifier: Classifier, linear: Linear) -> None:
    """Make ``linear`` the last layer of the classifier's head."""
    with torch.no_grad():
        classifier.head.out.weight.copy_(linear.weight)
        classifier.head.out.bias.copy_(linear.bias)


def head_features(
    classifier: Classifier, rows: Rows, placement: Placement, ranks: Ranks = ALONE
) -> Float[Tensor, "rows hidden"]:
    """What the head's last layer reads, for each row."""
    classifier.eval()
    features = torch.zeros(len(rows), classifier.config.hidden)
    for indices, batch in rows.batches(SCORING_TOKENS, ranks):
        ids, attend, segments = to_device(batch, placement.device, reads_attend=False)
        with torch.inference_mode(), placement.computing():
            states = classifier.encoder(ids, attend, segments=segments).last
            features[indices] = classifier.head.features(states, attend).float().cpu()
    classifier.train()
    ranks.add_up(features)  # a row that another rank reads is 0 here
    return features
