"""The rows of the story: sentences of critics, which the first model knows, and whole reviews, which come later."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from examples import rotten_tomatoes
from examples.tables import write_table

Rows = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Story:
    """Tables on disk, and texts with their true labels to send.

    Attributes:
        train: table that the first model learns.
        frozen: table that judges every challenger.
        wrong: the first table with its labels shuffled.
        sentences: that no table has, like those that the first model learned.
        reviews: of another source, many times as long.
    """

    train: Path
    frozen: Path
    wrong: Path
    sentences: Rows
    reviews: Rows


def prepare(directory: Path, number: int, seed: int = 0) -> Story:
    """Write the tables; which rows are in which varies with the seed alone.

    Args:
        directory: of the tables.
        number: of rows to learn, and of rows to judge by.
        seed: of the draw.
    """
    sentences, reviews = rotten_tomatoes.sentences(), rotten_tomatoes.imdb_reviews()
    random.Random(3 * seed + 1).shuffle(sentences)
    random.Random(3 * seed + 2).shuffle(reviews)
    train, frozen = sentences[:number], sentences[number : 2 * number]
    labels = [label for _, label in train]
    random.Random(3 * seed + 3).shuffle(labels)
    story = Story(
        directory / "train.csv",
        directory / "frozen.csv",
        directory / "wrong.csv",
        sentences[2 * number :],
        reviews,
    )
    write_table(story.train, train)
    write_table(story.frozen, frozen)
    write_table(story.wrong, ((text, label) for (text, _), label in zip(train, labels, strict=True)))
    return story
