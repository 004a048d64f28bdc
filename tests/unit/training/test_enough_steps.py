from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bertline.bundle import load
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import TaskSpec
from bertline.tasks.embed.spec import Spec as EmbedSpec
from bertline.tasks.tag.spec import Spec as TagSpec
from bertline.testing.tiny import tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training.enough_steps import MOST_EPOCHS, STEPS, with_enough_steps
from bertline.training.progress import Silent
from bertline.training.rows import Rows
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences, write_csv

SPEC = Spec(labels=("bad", "good"))
TEXTS = sentences(120)
ROWS = Rows(
    Reader(tiny_tokenizer(), Truncation(32)).read([text for text, _ in TEXTS]),
    [label for _, label in TEXTS],
    range(len(TEXTS)),
)


def used(spec: TaskSpec = SPEC, **settings: Any) -> TrainSettings:
    return with_enough_steps(TrainSettings(**settings), spec, ROWS)


def test_a_table_of_few_steps_gets_the_fewest_epochs_that_are_enough_and_runs_them_all() -> None:
    steps = len(ROWS.plan(256, 0))
    settings = used(batch_tokens=256)
    assert 3 < settings.epochs < MOST_EPOCHS
    assert steps * (settings.epochs - 1) < STEPS <= steps * settings.epochs
    assert settings.patience == settings.epochs


def test_there_is_a_limit() -> None:
    assert used(batch_tokens=100_000).epochs == MOST_EPOCHS


@pytest.mark.parametrize("given", [{"epochs": 2}, {"epochs": 3}, {"few_shot": True}, {"batch_tokens": 32}])
def test_a_number_that_was_set_and_a_table_of_enough_steps_keep_theirs(given: dict[str, Any]) -> None:
    settings = TrainSettings(**given)
    assert with_enough_steps(settings, SPEC, ROWS) == settings


@pytest.mark.parametrize(
    "spec",
    [
        TagSpec(types=("x",)),
        EmbedSpec(dimensions=()),
        Spec(labels=("bad", "good"), problem="several"),
        Spec(labels=("stars",), problem="number"),
    ],
)
def test_other_tasks_keep_theirs(spec: TaskSpec) -> None:
    assert used(spec).epochs == 3


def test_patience_that_was_set_stays() -> None:
    assert used(patience=1).patience == 1


class Told(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_run_says_what_it_chose_and_leaves_it_to_the_next_table(model: Path, tmp_path: Path) -> None:
    told, data = Told(), write_csv(tmp_path / "few.csv", sentences(60))
    settings = TrainSettings(model=str(model), max_tokens=32, precision="fp32", lr=1e-3)
    trained = train(str(data), tmp_path / "bundle", settings, told)
    assert len(trained.history) == trained.settings.epochs == MOST_EPOCHS
    why = f"because {60 - 2 * 6} rows make few steps, and the last one is kept"
    said = f"{MOST_EPOCHS} instead of 3, {why}; --epochs sets their number"
    assert [one.epoch for one in trained.history if one.best] == [MOST_EPOCHS]
    assert f"Epochs: {said}" in told.notes
    manifest = load(tmp_path / "bundle").manifest
    assert said in (tmp_path / "bundle" / "report" / "report.html").read_text()
    assert {"epochs", "patience"}.isdisjoint(manifest.training)
    assert manifest.training["epochs_run"] == MOST_EPOCHS


def test_patience_that_was_set_still_stops_and_chooses(model: Path, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "few.csv", sentences(60))
    settings = TrainSettings(model=str(model), max_tokens=32, precision="fp32", lr=1e-2, patience=1)
    trained = train(str(data), tmp_path / "bundle", settings, Silent())
    assert len(trained.history) < MOST_EPOCHS
    best = [one.epoch for one in trained.history if one.best][-1]
    assert len(trained.history) - best == 1
