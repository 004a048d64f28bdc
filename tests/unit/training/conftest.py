from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from bertline.encoder.checkpoint import save_encoder
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer

GOOD, BAD = ["is", "it", "at", "us"], ["on", "or", "an", "um"]


def sentences(rows: int, seed: int = 0) -> list[tuple[str, str]]:
    """Distinct sentences that two-letter words decide: ``good`` if most are of the first list, else ``bad``."""
    rng = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < rows:
        label = rng.choice(["good", "bad"])
        own, other = (GOOD, BAD) if label == "good" else (BAD, GOOD)
        words = rng.choices(own, k=rng.randint(3, 9)) + rng.choices(other, k=2) + rng.choices("bcdfghjkl", k=6)
        rng.shuffle(words)
        found[" ".join(words)] = label
    return list(found.items())


def write_csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint directory with a tiny random encoder and its tokenizer."""
    directory = tmp_path_factory.mktemp("models") / "tiny"
    directory.mkdir()
    save_encoder(directory, tiny_classifier(family="bert", labels=2, pooling="cls").encoder)
    tiny_tokenizer().save(directory)
    return directory


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("tables") / "table.csv", sentences(160))
