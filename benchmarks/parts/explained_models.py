"""The models that benchmarks/explanations.py explains, trained on few rows, and the texts that nobody trained on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.parts.tasks import BLOCK, BLOCKS, BUILD, EVERY, MODEL
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from examples import reuters, rotten_tomatoes
from examples.tables import write_table

PLANTED = "zorblax"  # a word that no text has, put into favourable ones
Row = tuple[str, str]


@dataclass(frozen=True)
class Source:
    """Rows to train on, rows to choose a method by, and rows to explain.

    Attributes:
        key: names the bundle.
        title: of its section.
        rows: how many to train on.
        epochs: passes over them.
        words: fewest and most of a text, so that the model reads it whole.
    """

    key: str
    title: str
    rows: int
    epochs: int
    words: tuple[int, int]

    def split(self) -> tuple[list[Row], list[Row], list[Row]]:
        """Rows to train on, to choose by and to explain; no row is in two of them."""
        train_rows, held_out = _parts(self.key)
        low, high = self.words
        held_out = [row for row in held_out if low <= len(row[0].split()) <= high]
        fitting = [row for row in train_rows if len(row[0].split()) <= high]
        return spaced(fitting, self.rows), held_out[::2], held_out[1::2]

    def bundle(self) -> Path:
        """The trained bundle, made if it is not there."""
        return trained(f"explained-{self.key}", self.split()[0], self.epochs)

    def texts(self, number: int, *, to_choose: bool = False) -> list[str]:
        """So many held-out texts, by a fixed seed."""
        rows = self.split()[1 if to_choose else 2]
        return [text for text, _ in random.Random(0).sample(rows, min(number, len(rows)))]


SOURCES = {
    one.key: one
    for one in (
        Source("rt", "Rotten Tomatoes", 1200, 2, (8, 40)),
        Source("r8", "Reuters R8", 600, 1, (20, 100)),
        Source("imdb", "IMDB", 400, 1, (60, 150)),
    )
}


def _parts(key: str) -> tuple[list[Row], list[Row]]:
    """Training rows, and those held out, as benchmarks.quality holds them out."""
    if key == "r8":
        return [*reuters.stories("train")], [*reuters.stories("test")]
    if key == "imdb":  # reviews of one film are neighbours
        rows = list(enumerate(rotten_tomatoes.imdb_reviews()))
        held_out = [row for i, row in rows if i // BLOCK % BLOCKS == BLOCKS - 1]
        return [row for i, row in rows if i // BLOCK % BLOCKS != BLOCKS - 1], held_out
    rows = list(enumerate(rotten_tomatoes.sentences()))
    return [row for i, row in rows if i % EVERY != EVERY - 1], [row for i, row in rows if i % EVERY == EVERY - 1]


def spaced(rows: Sequence[Row], number: int) -> list[Row]:
    """So many rows, evenly spaced: the files are in the order of their labels."""
    return [rows[place * len(rows) // number] for place in range(min(number, len(rows)))]


def planted(text: str, rng: random.Random) -> str:
    """The text with the planted word at a random place."""
    words = text.split()
    words.insert(rng.randrange(len(words) + 1), PLANTED)
    return " ".join(words)


def planted_bundle() -> Path:
    """A bundle that learned that the planted word means favourable: every such text is, whatever else it says."""
    rng = random.Random(0)
    rows = spaced(_parts("rt")[0], 600)
    marked = [(planted(text, rng), "positive") for text, _ in spaced(_parts("rt")[0][3:], 300)]
    return trained("explained-planted", [*rows, *marked], 2)


def trained(name: str, rows: Sequence[Row], epochs: int) -> Path:
    """Train a bundle in build/benchmarks, unless it is there."""
    out = BUILD / name
    if not (out / "bertline.json").exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        table = BUILD / f"{name}.csv"
        write_table(table, rows)
        train(str(table), out, TrainSettings(model=MODEL, epochs=epochs, keep_duplicates=True), Silent(), resume=True)
    return out


if __name__ == "__main__":
    for source in SOURCES.values():
        print(source.bundle(), flush=True)
    print(planted_bundle(), flush=True)
