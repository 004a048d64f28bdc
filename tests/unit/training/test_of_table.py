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
from bertline.training.of_table import LONG as LONG_TOKENS
from bertline.training.of_table import MOST_EPOCHS, STEPS, TEXTS_OF_BATCH, are_long, chosen_facts, with_table
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
    return with_table(TrainSettings(**settings), spec, ROWS)


@pytest.mark.parametrize("problem", ["single", "several"])
def test_a_table_of_few_steps_gets_the_fewest_epochs_that_are_enough_and_runs_them_all(problem: Any) -> None:
    steps = len(ROWS.plan(256, 0))
    settings = used(Spec(labels=("bad", "good"), problem=problem), batch_tokens=256)
    assert 3 < settings.epochs < MOST_EPOCHS
    assert steps * (settings.epochs - 1) < STEPS <= steps * settings.epochs
    assert settings.patience == settings.epochs


def test_there_is_a_limit() -> None:
    assert used(batch_tokens=100_000).epochs == MOST_EPOCHS


@pytest.mark.parametrize("given", [{"epochs": 2}, {"epochs": 3}, {"few_shot": True}, {"batch_tokens": 32}])
def test_a_number_that_was_set_and_a_table_of_enough_steps_keep_theirs(given: dict[str, Any]) -> None:
    settings = TrainSettings(**given)
    assert with_table(settings, SPEC, ROWS) == settings


@pytest.mark.parametrize(
    "spec",
    [
        TagSpec(types=("x",)),
        EmbedSpec(dimensions=()),
        Spec(labels=("stars",), problem="number"),
    ],
)
def test_other_tasks_keep_theirs(spec: TaskSpec) -> None:
    assert used(spec).epochs == 3


LONG = Rows(
    Reader(tiny_tokenizer(), Truncation(200)).read([" ".join([text] * 40) for text, _ in TEXTS]),
    [label for _, label in TEXTS],
    range(len(TEXTS)),
)


@pytest.mark.parametrize("problem", ["single", "several", "number"])
def test_long_texts_get_batches_that_hold_enough_of_them(problem: Any) -> None:
    names = ("stars",) if problem == "number" else ("bad", "good")
    spec, mean = Spec(labels=names, problem=problem), sum(LONG.lengths) / len(LONG)
    assert mean > LONG_TOKENS
    settings = with_table(TrainSettings(), spec, LONG)
    assert settings.batch_tokens % 1024 == 0
    assert settings.batch_tokens - 1024 < TEXTS_OF_BATCH * mean <= settings.batch_tokens
    assert with_table(TrainSettings(), spec, ROWS).batch_tokens == 1024


@pytest.mark.parametrize(
    ("spec", "given"),
    [
        (SPEC, {"batch_tokens": 1024}),
        (SPEC, {"few_shot": True}),
        (TagSpec(types=("x",)), {}),
        (EmbedSpec(dimensions=()), {}),
    ],
)
def test_batches_that_were_set_or_of_other_tasks_stay(spec: TaskSpec, given: dict[str, Any]) -> None:
    settings = TrainSettings(**given)
    assert with_table(settings, spec, LONG).batch_tokens == settings.batch_tokens


def test_texts_of_which_eight_fit_into_a_batch_are_not_long() -> None:
    def of(tokens: int) -> Rows:
        readings = Reader(tiny_tokenizer(), Truncation(tokens)).read([" ".join([TEXTS[0][0]] * 60)])
        return Rows(readings, ["good"], range(1))

    assert [of(tokens).lengths[0] for tokens in (128, 129)] == [128, 129]
    assert not are_long(of(128))
    assert are_long(of(129))
    assert with_table(TrainSettings(), SPEC, of(128)).batch_tokens == 1024


def test_it_says_what_long_texts_changed() -> None:
    given = TrainSettings(epochs=3)
    (fact,) = chosen_facts(given, with_table(given, SPEC, LONG), LONG)
    said = "because texts have 200 tokens on average; --batch-tokens sets it"
    assert fact == ("Tokens of a batch", f"4,096 instead of 1,024, {said}")


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
