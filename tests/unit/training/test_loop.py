from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bertline.encoder.heads import Classifier
from bertline.errors import Interrupted, TrainingError
from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training.checkpoint import load_state
from bertline.training.device import Inputs, place
from bertline.training.loop import Run
from bertline.training.progress import Silent, Step
from bertline.training.row_task import of_spec
from bertline.training.rows import Rows
from bertline.training.scoring import score
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences

SPEC = Spec(labels=("bad", "good"))
QUICK: dict[str, Any] = {"precision": "fp32", "batch_tokens": 256, "lr": 3e-3, "checkpoint_every_s": 1e9}


def rows_of(pairs: list[tuple[str, str]]) -> Rows:
    tokenizer = tiny_tokenizer()
    readings = Reader(tokenizer, Truncation(64)).read([text for text, _ in pairs])
    return Rows(readings, [label for _, label in pairs], range(2, len(pairs) + 2), tokenizer.pad_id)


TRAIN, VALIDATION = rows_of(sentences(96)), rows_of(sentences(40, seed=1))


class At(Silent):
    """Does something after a given step."""

    def __init__(self, step: int, action: Any) -> None:
        self.step, self.action = step, action

    def stepped(self, step: Step) -> None:
        if step.step == self.step:
            self.action()


def run(
    directory: Path, progress: Silent | None = None, *, train: Rows = TRAIN, head_seed: int = 0, **changes: Any
) -> Run:
    settings = TrainSettings(**{**QUICK, "epochs": 2, **changes})
    model = tiny_classifier(family="bert", labels=2, pooling="cls", seed=head_seed)
    task = of_spec(SPEC, train, VALIDATION, settings)
    return Run(model, task, settings, place(settings), progress or Silent(), directory, {"data": "1"})


def same(one: Classifier, other: Classifier) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.fixture
def finished(tmp_path: Path) -> Run:
    whole = run(tmp_path / "whole")
    whole.fit()
    return whole


def test_memory_goes_back_to_the_system_with_each_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr("bertline.training.loop.give_back", lambda: given.append(True))
    run(tmp_path / "state").fit()
    assert len(given) == 2  # the ends of two epochs


def test_it_overfits_eight_rows(tmp_path: Path) -> None:
    eight = rows_of(sentences(8))
    small = run(tmp_path, train=eight, epochs=30, patience=30, weight_decay=0.0)
    history = small.fit()
    assert history[-1].train_loss < 0.05 < history[0].train_loss


def test_it_learns_what_the_words_mean(tmp_path: Path) -> None:
    longer = run(tmp_path / "longer", train=rows_of(sentences(240, seed=2)), epochs=12, patience=12)
    assert max(one.figures["accuracy"] for one in longer.fit()) >= 0.8  # by chance: p < 1e-4 on 40 rows


def test_a_seed_gives_the_same_weights_twice_and_another_seed_others(finished: Run, tmp_path: Path) -> None:
    again, other = run(tmp_path / "again"), run(tmp_path / "other", seed=1)
    again.fit()
    other.fit()
    assert same(finished.model, again.model)
    assert not same(finished.model, other.model)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("step", [1, 4, 9])
def test_a_stopped_run_resumes_to_the_weights_of_one_that_was_not(tmp_path: Path, step: int, precision: str) -> None:
    whole = run(tmp_path / "whole", precision=precision)
    whole.fit()
    stopped = run(tmp_path / "cut", At(step, lambda: os.kill(os.getpid(), signal.SIGINT)), precision=precision)
    with pytest.raises(Interrupted, match=rf"stopped at step {step} of \d+: run the same command with --resume"):
        stopped.fit()
    state = load_state(tmp_path / "cut", {"data": "1"})
    assert state is not None
    assert state.position.step == step
    resumed = run(tmp_path / "cut", precision=precision, head_seed=5)
    history = resumed.fit(resume=True)
    assert same(whole.model, resumed.model)
    assert [one.validation_loss for one in history] == [one.validation_loss for one in whole.position.history]
    assert [one.train_loss for one in history] == pytest.approx([one.train_loss for one in whole.position.history])


def test_a_loss_that_is_not_finite_stops_with_the_rows_that_caused_it(tmp_path: Path) -> None:
    broken = run(tmp_path)

    def poison() -> None:
        with torch.no_grad():
            broken.model.head.out.bias.fill_(float("nan"))

    broken.progress = At(3, poison)
    lines = sorted(TRAIN.lines[i] for i in TRAIN.plan(256, 0)[3])[:2]
    expected = rf"not a finite number in step 4 \(rows of lines {lines[0]}, {lines[1]},.*lower --lr"
    with pytest.raises(TrainingError, match=expected):
        broken.fit()


@pytest.mark.parametrize("reads_attend", [False, True])
def test_a_batch_without_padding_comes_without_attend_unless_the_task_reads_it(
    tmp_path: Path, reads_attend: bool
) -> None:
    """Without a mask a GPU takes its fastest attention, and whether there is padding is known before the transfer."""
    training, batches = run(tmp_path, epochs=1, batch_tokens=64), []
    loss = training.task.loss

    def watched(model: Classifier, inputs: Inputs, indices: Sequence[int]) -> Any:
        batches.append((inputs.attend is None, len({TRAIN.lengths[i] for i in indices}) == 1))
        return loss(model, inputs, indices)

    training.task = replace(training.task, loss=watched, reads_attend=reads_attend)
    training.fit()
    assert {full for _, full in batches} == {False, True}
    assert all(absent is (full and not reads_attend) for absent, full in batches)


def test_it_stops_early_and_keeps_the_best_weights(tmp_path: Path) -> None:
    early = run(tmp_path, epochs=40, patience=2, lr=5e-3)
    history = early.fit()
    best = min(range(len(history)), key=lambda i: history[i].figures["calibrated_nll"])
    assert len(history) == best + 3 < 40
    outputs = score(early.model, VALIDATION, torch.device("cpu"))
    given = [SPEC.labels[one.argmax()] for one in outputs]
    right = [one == label for one, label in zip(given, VALIDATION.targets, strict=True)]
    assert np.mean(right) == history[best].figures["accuracy"]


def test_rows_are_scored_in_their_order_whatever_batch_they_are_in() -> None:
    model = tiny_classifier(family="bert", labels=2, pooling="cls").eval()
    together = score(model, VALIDATION, torch.device("cpu"))
    alone = [score(model, Rows([reading], ["bad"], [2], 0), torch.device("cpu"))[0] for reading in VALIDATION.readings]
    np.testing.assert_allclose(np.stack(together), np.stack(alone), atol=1e-5)


def test_the_time_left_is_corrected_along_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T17: steps take 40 s at a disturbed beginning and 2 s later; a minute on, the first ones no longer count."""
    lefts: list[tuple[int, float]] = []

    class Steps(Silent):
        def stepped(self, step: Step) -> None:
            lefts.append((step.steps - step.step, step.seconds_left))

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            self.now += 20.0 if len(lefts) < 3 else 1.0
            return self.now

    monkeypatch.setattr("bertline.training.loop.time", Clock())
    long = run(tmp_path, Steps(), epochs=8, patience=8, batch_tokens=128, checkpoint_every_s=1e9)
    long.fit()
    assert long.validation_s == 1.0
    early, late = lefts[1], next(one for one in reversed(lefts) if one[0] >= 20)
    assert early[1] > 10 * early[0], "a step is said to take more than 10 s"
    assert 0.5 * late[0] < late[1] < 2.5 * late[0] + 8
