"""What pre-training gives to the loop: packed sequences with hidden tokens, their loss, and the held-out figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bertline.data.batching import Batch
from bertline.encoder.masked import MaskedLanguageModel
from bertline.tasks.history import EpochRecord
from bertline.training.device import Inputs
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.pretraining.held_out import Sums, figure_names, sums_of
from bertline.training.pretraining.masking import Masked, Objective
from bertline.training.pretraining.probe import Probe
from bertline.training.pretraining.sequences import Sequences
from bertline.training.task import Epoch, TrainingBatch

Hidden = tuple[Tensor, Tensor]  # positions in the flattened batch and the ids there


@dataclass
class MaskedTask:
    """Predict hidden tokens of packed sequences, or the next ones.

    Attributes:
        train: sequences to train on.
        held_out: sequences of held-out texts.
        masking: which tokens of the sequences to train on are to be predicted.
        measured: the same of the held-out ones.
        rows: sequences of a batch.
        accumulate: batches of a step.
        steps: of the whole run.
        measurements: of the held-out texts, evenly over the run.
        seed: of the choice of tokens.
        probe: labelled texts to measure frozen features on.
    """

    train: Sequences
    held_out: Sequences
    masking: Objective
    measured: Objective
    rows: int
    accumulate: int
    steps: int
    measurements: int
    seed: int
    probe: Probe | None = None
    reads_attend: bool = False
    sparse_embeddings: bool = False

    @property
    def validation_tokens(self) -> int:
        """Tokens that a measurement reads."""
        return len(self.held_out) * self.held_out.length + (self.probe.tokens if self.probe else 0)

    @property
    def step_tokens(self) -> int:
        """Tokens of an optimizer step."""
        return self.accumulate * self.rows * self.train.length

    def epoch(self, number: int) -> Epoch[Hidden]:
        """The steps before the measurement with this number."""
        first, end = (self.steps * one // self.measurements for one in (number, number + 1))
        items = self.masking.share * self.accumulate * self.rows * (self.train.length - 1)
        return Epoch(end - first, (end - first) * self.step_tokens, items, partial(self._batches, first))

    def _batches(self, first: int, step: int, ranks: Ranks) -> Sequence[TrainingBatch[Hidden]]:
        begin = (first + step) * self.accumulate
        batches = (self._batch(number, ranks) for number in range(begin, begin + self.accumulate))
        return [batch for batch in batches if batch.items]

    def _batch(self, number: int, ranks: Ranks) -> TrainingBatch[Hidden]:
        ids = self.train.drawn(number * self.rows, self.rows)
        masked = self.masking.masked(ids, np.random.default_rng((self.seed, number, 1)))
        masked = masked.rows(ranks.own(range(self.rows)))
        return TrainingBatch(Batch(masked.ids, np.ones(masked.ids.shape, dtype=bool)), _hidden(masked), len(masked.at))

    def loss(self, model: MaskedLanguageModel, inputs: Inputs, targets: Hidden) -> Tensor:
        """Cross-entropy of the tokens to predict, summed."""
        at, truth = (one.to(inputs.ids.device) for one in targets)
        return functional.cross_entropy(model(*inputs, at=at).float(), truth, reduction="sum")

    def place_of(self, targets: Hidden) -> str:
        """How many tokens a batch predicts."""
        return f"{len(targets[1]):,} tokens to predict"

    def validate(
        self, model: MaskedLanguageModel, device: torch.device, ranks: Ranks = ALONE
    ) -> tuple[float, Mapping[str, float]]:
        """Mean loss of the held-out tokens and the figures that people follow."""
        losses, right, tokens = self.sums(model, device, ranks).sum(0)
        names = figure_names(causal=model.config.causal)
        figures = dict(zip(names, (float(np.exp(losses / tokens)), float(right / tokens)), strict=True))
        if self.probe is not None:
            figures["probe_accuracy"] = self.probe.accuracy(model.encoder, device).value
        return float(losses / tokens), figures

    def sums(self, model: MaskedLanguageModel, device: torch.device, ranks: Ranks = ALONE) -> Sums:
        """Of each held-out sequence, as ``held_out.sums_of``."""
        return sums_of(model, self.held_out, self.measured, device, ranks)

    def is_best(self, history: Sequence[EpochRecord]) -> bool:
        """The lowest held-out loss."""
        return history[-1].validation_loss == min(one.validation_loss for one in history)


def _hidden(masked: Masked) -> Hidden:
    return torch.from_numpy(masked.at), torch.from_numpy(masked.truth)
