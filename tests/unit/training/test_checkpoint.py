from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bertline.errors import TrainingError
from bertline.tasks.history import EpochRecord
from bertline.training.checkpoint import STATE, Position, State, load_state, save_state, working_directory

RECORD = EpochRecord(1, 3, 2.5, 100, 0.6, 0.5, {"accuracy": 0.75, "macro_f1": 0.74})
IDENTITY = {"data": "abc", "lr": 1e-4, "slice_columns": []}


@pytest.fixture
def state() -> State:
    position = Position(epoch=1, batch=2, step=5, best_epoch=1, history=[RECORD])
    return State(position, {"w": torch.ones(2, 3)}, {"w/step": torch.tensor(5.0)}, {"w": torch.zeros(2, 3)})


def test_a_state_round_trips(tmp_path: Path, state: State) -> None:
    save_state(tmp_path / "run", IDENTITY, state)
    found = load_state(tmp_path / "run", IDENTITY)
    assert found is not None
    assert found.position == state.position
    for before, after in ((state.weights, found.weights), (state.moments, found.moments), (state.best, found.best)):
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_there_is_none_before_the_first(tmp_path: Path) -> None:
    assert load_state(tmp_path, IDENTITY) is None


def test_a_state_of_another_run_is_refused_with_the_difference(tmp_path: Path, state: State) -> None:
    save_state(tmp_path, IDENTITY, state)
    with pytest.raises(TrainingError, match=r"had another data, lr: resume with what it was started with"):
        load_state(tmp_path, IDENTITY | {"data": "abd", "lr": 2e-4})


@pytest.mark.parametrize("keep", [0, 7, 100])
def test_a_damaged_state_is_named(tmp_path: Path, state: State, keep: int) -> None:
    save_state(tmp_path, IDENTITY, state)
    path = tmp_path / STATE
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TrainingError, match=r"state.safetensors is damaged .* start again without --resume"):
        load_state(tmp_path, IDENTITY)


def test_a_write_that_was_cut_off_leaves_the_state_before_it(tmp_path: Path, state: State) -> None:
    save_state(tmp_path, IDENTITY, state)
    (tmp_path / f"{STATE}.new").write_bytes(b"half of a fi")
    found = load_state(tmp_path, IDENTITY)
    assert found is not None
    assert found.position.step == 5


def test_an_unfinished_run_lies_next_to_its_bundle() -> None:
    assert working_directory(Path("models/reviews")) == Path("models/.reviews.training")
