"""The texts of the engine benchmark: three sets, their bundles, cut so that all contestants read the same tokens."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from benchmarks.parts import models
from benchmarks.parts.tasks import TASKS
from bertline.bundle import load
from bertline.bundle.reference import read_reference

MAX_TOKENS = 256
CALIBRATION_TEXTS = 300


@dataclass(frozen=True)
class TextSet:
    """Texts with labels, and the bundle that answers them.

    ``every`` keeps each so-manieth row of the test table: whoever is slowest should still finish. ``others`` are
    the same bundle with the engines of smaller students, by what the page calls them.
    """

    key: str
    title: str
    bundle: Callable[[], Path]
    every: int
    others: Mapping[str, Callable[[], Path]] = field(default_factory=dict)

    def texts(self, bundle: Path) -> tuple[list[str], np.ndarray[Any, Any]]:
        """The test texts, at most ``MAX_TOKENS`` tokens each, and the index of each one's label."""
        labels = list(load(bundle, verify=False).manifest.labels)
        if self.key in TASKS:
            with TASKS[self.key]().test.open(encoding="utf-8", newline="") as stream:
                rows = [(row["text"], labels.index(row["label"])) for row in csv.DictReader(stream)]
        else:
            kept = read_reference(bundle, "test", labels)
            rows = [(str(text), labels.index(str(one))) for text, one in zip(kept.inputs, kept.targets, strict=True)]
        rows = rows[:: self.every]
        return shortened([text for text, _ in rows], bundle), np.array([truth for _, truth in rows])

    def calibration(self, bundle: Path) -> list[str]:
        """Validation texts for peers that quantise with data."""
        kept = read_reference(bundle, "validation", load(bundle, verify=False).manifest.labels).inputs
        return shortened([str(one) for one in kept[:CALIBRATION_TEXTS]], bundle)


def shortened(texts: list[str], bundle: Path) -> list[str]:
    """Texts cut after their last whole token that fits."""
    tokenizer = tokenizers.Tokenizer.from_file(str(bundle / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return [
        text[: max(end for _, end in one.offsets)]
        for text, one in zip(texts, tokenizer.encode_batch(texts), strict=True)
    ]


def _task(key: str, title: str, every: int) -> TextSet:
    others = {"narrow": lambda: models.optimized(key, of=models.narrow)}
    return TextSet(key, title, lambda: models.optimized(key), every, others)


SETS = {
    "rt": _task("rt", "Rotten Tomatoes", 1),
    "r8": _task("r8", "Reuters R8", 4),
    "imdb": TextSet("imdb", "IMDB", models.imdb, 2),
}
