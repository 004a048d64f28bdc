"""The data sets of the training benchmarks, their fixed hold-outs, and the settings of both contestants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from examples import reuters, rotten_tomatoes
from examples.tables import write_table

BUILD = Path("build/benchmarks")
MODEL = "all-MiniLM-L6-v2"
SEEDS = (0, 1, 2)
IMDB = TrainSettings(model=MODEL, max_tokens=128, epochs=1, validation_ratio=0.05, test_ratio=0.02)
BLOCK, BLOCKS = 250, 5  # of IMDB's reviews, blocks 4, 9, 14 … of so many are held out
EVERY = 8  # of the Rotten Tomatoes rows, in the package's order (all favourable first), rows 7, 15, 23 … are held out


@dataclass(frozen=True)
class Task:
    """A training table, a test table that nothing is tuned on, and settings without a seed."""

    key: str
    title: str
    data: Path
    test: Path
    settings: TrainSettings
    hold_out: str
    recipe: str = "bertline's defaults"

    def seeded(self, seed: int) -> TrainSettings:
        """The settings of one run."""
        return self.settings.model_copy(update={"seed": seed, "eval_data": self.test})


def _rotten_tomatoes() -> Task:
    rows = rotten_tomatoes.sentences()
    data, test = BUILD / "rt-train.csv", BUILD / "rt-test.csv"
    write_table(data, (row for i, row in enumerate(rows) if i % EVERY != EVERY - 1))
    write_table(test, (row for i, row in enumerate(rows) if i % EVERY == EVERY - 1))
    said = f"every {EVERY}th of the package's 8,530 rows (numbers 7, 15, 23 …, counted from 0)"
    return Task("rt", "Rotten Tomatoes", data, test, TrainSettings(model=MODEL), said)


def _rotten_tomatoes_at_its_best() -> Task:
    task = _rotten_tomatoes()
    settings = task.settings.model_copy(update={"quality": "best"})
    return replace(
        task, key="rt-best", title="Rotten Tomatoes, --quality best", settings=settings, recipe="train --quality best"
    )


def _rotten_tomatoes_after_imdb() -> Task:
    """The same rows and settings, from an encoder that has learnt the sentiment of another source's reviews."""
    first = BUILD / "imdb"
    if not (first / "bertline.json").exists():
        write_table(BUILD / "imdb.csv", rotten_tomatoes.imdb_reviews())
        train(str(BUILD / "imdb.csv"), first, IMDB, Silent(), resume=True)
    task = _rotten_tomatoes()
    settings = task.settings.model_copy(update={"model": str(first)})
    recipe = "bertline's defaults, from all-MiniLM-L6-v2 after one epoch of 25,000 IMDB reviews (128 tokens)"
    return replace(task, key="rt-imdb", title="Rotten Tomatoes, after IMDB", settings=settings, recipe=recipe)


def _imdb() -> Task:
    """Reviews of one film are neighbours in the file, so blocks are held out."""
    rows = [(i // BLOCK, row) for i, row in enumerate(rotten_tomatoes.imdb_reviews())]
    data, test = BUILD / "imdb-train.csv", BUILD / "imdb-test.csv"
    write_table(data, (row for block, row in rows if block % BLOCKS != BLOCKS - 1))
    write_table(test, (row for block, row in rows if block % BLOCKS == BLOCKS - 1))
    said = f"every {BLOCKS}th block of {BLOCK} consecutive reviews, because those of one film are neighbours"
    return Task("imdb", "IMDB", data, test, TrainSettings(model=MODEL), said, "bertline's defaults (256 tokens)")


def _reuters(topics: int) -> Task:
    data, test = BUILD / f"r{topics}-train.csv", BUILD / f"r{topics}-test.csv"
    for path, part in ((data, "train"), (test, "test")):
        write_table(path, reuters.stories(part, topics))
    rows = sum(1 for _ in reuters.stories("test", topics))
    said = f"the official test split, all {rows:,} stories"
    settings = TrainSettings(model=MODEL, keep_duplicates=True)
    return Task(f"r{topics}", f"Reuters R{topics}", data, test, settings, said)


TASKS: dict[str, Callable[[], Task]] = {
    "rt": _rotten_tomatoes,
    "rt-best": _rotten_tomatoes_at_its_best,
    "rt-imdb": _rotten_tomatoes_after_imdb,
    "imdb": _imdb,
    "r8": lambda: _reuters(8),
    "r52": lambda: _reuters(52),
}
