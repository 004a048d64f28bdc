"""The loop in several real processes learns what it learns in one."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training.device import place
from bertline.training.loop import Run, step_seed
from bertline.training.parallel.ranks import ALONE, Ranks
from bertline.training.progress import Silent, Step
from bertline.training.row_task import of_spec
from bertline.training.rows import Rows
from bertline.training.settings import TrainSettings
from tests.ranks import die, together
from tests.unit.training.conftest import sentences

SPEC = Spec(labels=("bad", "good"))
CLOSE = 1e-4  # of losses around 0.7, in fp32; the aim is 1e-3


@dataclass
class Curve:
    """What a run came to: losses and figures by epoch, the checksum of the weights, and the losses of every step."""

    train: list[float]
    validation: list[float]
    accuracy: list[float]
    weights: dict[str, Tensor]
    steps: list[float]


class Losses(Silent):
    """Notes every step, and does something after one of them.

    Args:
        at: number of the step.
        action: to do.
    """

    def __init__(self, at: int = 0, action: Any = None) -> None:
        self.losses: list[float] = []
        self.at, self.action = at, action

    def stepped(self, step: Step) -> None:
        self.losses.append(step.loss)
        if step.step == self.at:
            self.action()


def rows_of(count: int, seed: int) -> Rows:
    pairs, tokenizer = sentences(count, seed), tiny_tokenizer()
    readings = Reader(tokenizer, Truncation(64)).read([text for text, _ in pairs])
    return Rows(readings, [label for _, label in pairs], range(2, len(pairs) + 2), tokenizer.pad_id)


def run(ranks: Ranks, folder: Path, progress: Silent, **changes: Any) -> Run:
    given = {"precision": "fp32", "batch_tokens": 256, "lr": 3e-3, "checkpoint_every_s": 1e9, "epochs": 3, **changes}
    dropout = given.pop("dropout", 0.0)
    settings = TrainSettings(**given)
    # Each rank starts with its own weights; all go on with the leader's.
    model = tiny_classifier(family="bert", labels=2, pooling="cls", seed=ranks.rank)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = dropout
    task = of_spec(SPEC, rows_of(97, 0), rows_of(40, 1), settings)
    return Run(model, task, settings, place(settings, ranks), progress, folder, {"data": "1"}, ranks)


def curve(ranks: Ranks, folder: Path, changes: dict[str, Any], resume: bool = False) -> Curve:
    progress = Losses()
    training = run(ranks, folder, progress, **changes)
    history = training.fit(resume=resume)
    return Curve(
        [one.train_loss for one in history],
        [one.validation_loss for one in history],
        [one.figures["accuracy"] for one in history],
        {name: one.detach().clone() for name, one in training.model.named_parameters()},
        progress.losses,
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Curve:
    return curve(ALONE, tmp_path_factory.mktemp("alone"), {})


@pytest.mark.parametrize("world", [2, 3])
def test_several_processes_have_the_loss_curve_of_one(tmp_path: Path, alone: Curve, world: int) -> None:
    results = together(curve, world, tmp_path, tmp_path / "state", {})
    for one in results:
        np.testing.assert_allclose(one.steps, alone.steps, atol=CLOSE)
        np.testing.assert_allclose(one.validation, alone.validation, atol=CLOSE)
        assert one.accuracy == alone.accuracy
        for name, weight in alone.weights.items():
            if not name.endswith("qkv.bias"):  # of keys, whose gradient is 0 but for rounding, which Adam scales up
                torch.testing.assert_close(one.weights[name], weight, atol=1e-3, rtol=0)
            assert torch.equal(one.weights[name], results[0].weights[name]), "ranks have drifted apart"
    assert len(alone.steps) > 20
    assert alone.steps[0] - alone.steps[-1] > 0.05, "nothing was learned"


def test_batches_with_fewer_rows_than_ranks_count_as_much_as_others(tmp_path: Path) -> None:
    small = {"batch_tokens": 32, "epochs": 1}
    whole = curve(ALONE, tmp_path / "alone", small)
    for one in together(curve, 3, tmp_path, tmp_path / "state", small):
        np.testing.assert_allclose(one.steps, whole.steps, atol=CLOSE)


SEEDS = 12


def curves(ranks: Ranks, folder: Path) -> list[list[float]]:
    return [
        curve(ranks, folder / str(seed), {"dropout": 0.1, "seed": seed, "epochs": 2, "lr": 1e-3}).train
        for seed in range(SEEDS)
    ]


@pytest.mark.drill
def test_with_dropout_the_curves_are_those_of_one_process_up_to_chance(tmp_path: Path) -> None:
    """The masks are others, so a single curve is; the means over seeds differ by less than 4 standard errors."""
    one, two = np.array(curves(ALONE, tmp_path / "one")), np.array(together(curves, 2, tmp_path, tmp_path / "two")[0])
    differences = two - one  # of runs with the same order of rows
    error = differences.std(axis=0, ddof=1) / np.sqrt(SEEDS)
    assert (np.abs(differences.mean(axis=0)) < 4 * error).all()
    assert (error < 0.03).all(), "the test would see no difference"
    assert np.abs(differences).max() > 0


def test_ranks_have_dropout_of_their_own_and_the_leader_that_of_one_process() -> None:
    assert step_seed(3, 5) == step_seed(3, 5, 0) == 3_000_005
    assert len({step_seed(seed, step, rank) for seed in range(3) for step in range(3) for rank in range(4)}) == 36


def stopped(ranks: Ranks, folder: Path, at: int) -> str:
    """Only one process gets the signal; all stop at the same step."""
    progress = Losses(at, lambda: os.kill(os.getpid(), signal.SIGINT) if ranks.rank == 1 else None)
    with pytest.raises(Exception, match="training stopped at step") as caught:
        run(ranks, folder, progress, dropout=0.1).fit()
    return str(caught.value)


def killed(ranks: Ranks, folder: Path, at: int) -> None:
    progress = Losses(at, die if ranks.rank == 1 else lambda: None)
    run(ranks, folder, progress, dropout=0.1, checkpoint_every_s=1e-9).fit()


@pytest.mark.parametrize("at", [1, 12])
def test_stopped_or_killed_it_resumes_to_the_weights_of_a_run_that_was_not(tmp_path: Path, at: int) -> None:
    whole = together(curve, 2, tmp_path, tmp_path / "whole", {"dropout": 0.1})
    stops = together(stopped, 2, tmp_path, tmp_path / "cut", at)
    assert stops[0] == stops[1]
    assert f"at step {at} of" in stops[0]
    leader, follower = together(killed, 2, tmp_path, tmp_path / "dead", at)
    assert leader.startswith("PeerLost: process 0 of 2 lost another one")
    assert follower is None
    for folder in ("cut", "dead"):
        resumed = together(curve, 2, tmp_path, tmp_path / folder, {"dropout": 0.1}, True)
        assert resumed[0].validation == whole[0].validation
        for name, weight in whole[0].weights.items():
            assert torch.equal(resumed[0].weights[name], weight)
            assert torch.equal(resumed[1].weights[name], weight)


def poisoned(ranks: Ranks, folder: Path) -> None:
    training = run(ranks, folder, Silent())

    def poison() -> None:
        with torch.no_grad():
            training.model.head.out.bias.fill_(float("nan"))

    training.progress = Losses(3, poison if ranks.rank == 1 else lambda: None)
    training.fit()


def test_a_loss_that_is_not_finite_in_one_rank_stops_all_with_the_rows_of_the_step(tmp_path: Path) -> None:
    results = together(poisoned, 2, tmp_path, tmp_path / "state")
    assert results[0] == results[1]
    assert results[0].startswith("TrainingError: the loss is not a finite number in step 4 (rows of lines ")
