"""What a set of examples was, in a few figures: goes into the bundle, so that a model can name its data."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bertline.data.examples import Dataset, Example
from bertline.data.labels import ordered


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of the texts, in characters."""

    shortest: int
    median: int
    mean: float
    p95: int
    longest: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of a dataset: equal ``sha256`` means the same texts with the same labels in the same order.

    ``labels`` counts the examples of each label, ``skipped`` the rows left out by reason.
    """

    sha256: str
    rows: int
    labels: dict[str, int]
    text_characters: Lengths
    skipped: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """As JSON has it: strings, numbers and objects only."""
        return asdict(self)


def fingerprint(dataset: Dataset) -> Fingerprint:
    """The fingerprint of the examples, in order.

    The hash does not depend on the file's format, its line endings or its way to compose accents: a row
    enters as the JSON array of its text (Unicode NFC, runs of white space as one space) and its label.
    """
    digest = hashlib.sha256()
    for example in dataset.examples:
        text = " ".join(unicodedata.normalize("NFC", example.text).split())
        digest.update(json.dumps([text, example.label]).encode() + b"\n")
    counts = Counter(example.label for example in dataset.examples)
    return Fingerprint(
        sha256=digest.hexdigest(),
        rows=len(dataset.examples),
        labels={label: counts[label] for label in ordered(counts)},
        text_characters=_lengths(dataset.examples),
        skipped=dict(dataset.skipped),
    )


def _lengths(examples: Sequence[Example]) -> Lengths:
    sizes = np.array([len(example.text) for example in examples] or [0])
    return Lengths(
        shortest=int(sizes.min()),
        median=int(np.median(sizes)),
        mean=round(float(sizes.mean()), 1),
        p95=int(np.percentile(sizes, 95)),
        longest=int(sizes.max()),
    )
