"""What is asked: real sentences and real news stories, mixed, each alone in its request."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from benchmarks.parts.engine_texts import shortened
from benchmarks.parts.tasks import TASKS

SETS = ("rt", "r8")
SEED = 0


def mixed(bundle: Path) -> list[str]:
    """The test rows of Rotten Tomatoes and Reuters R8 in one shuffled order, cut for all servers to read the same."""
    texts: list[str] = []
    for key in SETS:
        with TASKS[key]().test.open(encoding="utf-8", newline="") as stream:
            texts += [row["text"] for row in csv.DictReader(stream)]
    random.Random(SEED).shuffle(texts)
    return shortened(texts, bundle)
