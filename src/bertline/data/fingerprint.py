"""What a set of examples was, in a few figures: goes into the bundle, so that a model can name its data."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertline.data.examples import Dataset, Example
from bertline.data.labels import ordered
from bertline.data.target_columns import EntitiesColumn
from bertline.data.targets import names_of, to_json
from bertline.text.reading import texts_of


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
    """Of a dataset: equal ``sha256`` means the same texts with the same targets in the same order.

    ``labels`` counts the examples of each label, or the entities of each type; ``skipped`` the rows left out by reason.
    """

    sha256: str
    rows: int
    labels: dict[str, int]
    text_characters: Lengths
    skipped: dict[str, int]


def fingerprint(dataset: Dataset) -> Fingerprint:
    """The fingerprint of the examples, in order.

    The hash does not depend on the file's format, its line endings or its way to compose accents: a row
    enters as the JSON array of its texts (Unicode NFC, runs of white space as one space) and its target. Entities
    count characters of the raw text, so texts with entities enter as they are.
    """
    digest = hashlib.sha256()
    for example in dataset.examples:
        raw = isinstance(dataset.columns, EntitiesColumn)
        texts = texts_of(example.input) if raw else map(_plain, texts_of(example.input))
        digest.update(json.dumps([*texts, to_json(example.target)]).encode() + b"\n")
    counts = Counter(name for example in dataset.examples for name in names_of(example.target))
    return Fingerprint(
        sha256=digest.hexdigest(),
        rows=len(dataset.examples),
        labels={label: counts[label] for label in ordered(counts)},
        text_characters=_lengths(dataset.examples),
        skipped=dict(dataset.skipped),
    )


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _lengths(examples: Sequence[Example]) -> Lengths:
    sizes = np.array([sum(map(len, texts_of(example.input))) for example in examples] or [0])
    return Lengths(
        shortest=int(sizes.min()),
        median=int(np.median(sizes)),
        mean=round(float(sizes.mean()), 1),
        p95=int(np.percentile(sizes, 95)),
        longest=int(sizes.max()),
    )
