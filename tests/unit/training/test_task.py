"""The loop trains whatever a task gives it: here a masked language model, on batches that are no rows of a table."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bertline.data.batching import Batch
from bertline.encoder.masked import MaskedLanguageModel
from bertline.errors import Interrupted, TrainingError
from bertline.tasks.history import EpochRecord
from bertline.testing.tiny import tiny_classifier
from bertline.training.device import Inputs, place
from bertline.training.estimate import measure_run
from bertline.training.loop import Run
from bertline.training.progress import Silent
from bertline.training.settings import LoopSettings
from bertline.training.task import Epoch, Task, TrainingBatch

STEPS, ROWS, TOKENS, MASK = 6, 8, 10, 4


@dataclass
class Words:
    """Every second token is masked. A step's sequences come as one batch, or in ``parts``."""

    parts: int = 1
    reads_attend: bool = False
    sparse_embeddings: bool = False
    validation_tokens: int = ROWS * TOKENS

    def epoch(self, number: int) -> Epoch[Tensor]:
        return Epoch(
            STEPS, STEPS * ROWS * TOKENS, ROWS * TOKENS / 2, lambda step, ranks: self.batches(number * STEPS + step)
        )

    def batches(self, step: int) -> list[TrainingBatch[Tensor]]:
        ids = np.random.default_rng(step).integers(5, 60, (ROWS, TOKENS))
        return [self.masked(some) for some in np.split(ids, self.parts)]

    @staticmethod
    def masked(ids: np.ndarray) -> TrainingBatch[Tensor]:
        shown, targets = ids.copy(), torch.from_numpy(ids[:, ::2]).flatten()
        shown[:, ::2] = MASK
        return TrainingBatch(Batch(shown, np.ones_like(ids, dtype=bool)), targets, len(targets))

    def loss(self, model: MaskedLanguageModel, inputs: Inputs, targets: Tensor) -> Tensor:
        at = torch.arange(0, inputs.ids.numel(), 2)
        return functional.cross_entropy(model(*inputs, at=at), targets, reduction="sum")

    def place_of(self, targets: Tensor) -> str:
        return f"{len(targets)} masked words"

    def validate(
        self, model: MaskedLanguageModel, device: torch.device, ranks: object
    ) -> tuple[float, Mapping[str, float]]:
        [batch] = Words().batches(0)
        with torch.inference_mode():
            inputs = Inputs(torch.from_numpy(batch.tokens.ids), None, None)
            loss = float(self.loss(model.eval(), inputs, batch.targets)) / batch.items
        return loss, {"perplexity": float(np.exp(loss))}

    def is_best(self, history: Sequence[EpochRecord]) -> bool:
        return history[-1].validation_loss == min(one.validation_loss for one in history)


def run(directory: Path, progress: Silent | None = None, *, seed: int = 0, dropout: float = 0.1, parts: int = 1) -> Run:
    config = tiny_classifier(family="bert", labels=2, pooling="cls").config.with_dropout(dropout)
    torch.manual_seed(seed)
    model = MaskedLanguageModel(config)
    settings = LoopSettings(epochs=3, lr=1e-3, precision="fp32", checkpoint_every_s=1e9)
    return Run(model, Words(parts), settings, place(settings), progress or Silent(), directory, {})


def largest_difference(one: Run, other: Run) -> float:
    pairs = zip(one.model.parameters(), other.model.parameters(), strict=True)
    return max(float((a - b).abs().max().detach()) for a, b in pairs)


class StopAt(Silent):
    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, step: object) -> None:
        if step.step == self.step:  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGINT)


def test_it_is_a_task() -> None:
    assert isinstance(Words(), Task)


def test_tied_embeddings_learn_and_a_stopped_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    history = whole.fit()
    assert history[-1].validation_loss < history[0].validation_loss
    assert [one.steps for one in history] == [STEPS] * 3
    with pytest.raises(Interrupted, match=r"stopped at step 8 of 18"):
        run(tmp_path / "cut", StopAt(8)).fit()
    resumed = run(tmp_path / "cut", seed=1)
    assert [one.figures for one in resumed.fit(resume=True)] == [one.figures for one in history]
    assert largest_difference(whole, resumed) == 0.0


def test_the_batches_of_a_step_accumulate_to_the_gradient_of_all_its_items(tmp_path: Path) -> None:
    one, four = (run(tmp_path / str(parts), dropout=0.0, parts=parts) for parts in (1, 4))
    for whole, accumulated in zip(one.fit(), four.fit(), strict=True):
        assert accumulated.train_loss == pytest.approx(whole.train_loss, rel=1e-5)
        assert accumulated.validation_loss == pytest.approx(whole.validation_loss, rel=1e-5)


def test_the_message_about_a_loss_says_where_the_task_says_the_batch_is_from(tmp_path: Path) -> None:
    broken = run(tmp_path)
    with torch.no_grad():
        broken.model.head.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"in step 1 \(40 masked words\): lower --lr"):
        broken.fit()


def test_its_duration_is_estimated_from_its_tokens(tmp_path: Path) -> None:
    training = run(tmp_path)
    seconds, a_token = measure_run(training.model, training.task, training.settings, training.placement)
    tokens = 3 * (STEPS * ROWS * TOKENS + ROWS * TOKENS / 3)
    assert seconds.low == pytest.approx(tokens * a_token.low)
