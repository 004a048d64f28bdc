"""Texts that are most unlike the rows that a model was measured on: labels for them say what the reference cannot.

The classifier of drift (``statistics.shift.discriminant``) tells texts that clients sent from reference texts; the
surest ones are foreign. It goes by words, not by embeddings as ``bertline drift`` does, because a server that answers
others has no time to embed thousands of texts. So it finds new topics, of which there are several texts: a text that
shares its words with no other is scored without itself, and nothing speaks for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from jaxtyping import Float

from bertline.bundle.reference import Split, read_reference
from bertline.bundle.verify import read_manifest
from bertline.statistics.shift.discriminant import Discriminant
from bertline.text.reading import joined

SPLITS: tuple[Split, ...] = ("test", "validation")
LEAST_ROWS = 20  # of either side
MOST_REFERENCE = 2_000
BEYOND = 0.99  # share of the reference texts that look less new than a foreign text
WIDTH = 512  # of the vectors
_WORD = re.compile(r"\w+")

Vectors = Float[np.ndarray[Any, Any], "texts width"]


@dataclass(frozen=True, slots=True)
class Foreign:
    """One text that looks newer than nearly all reference texts.

    Attributes:
        place: its index among the new texts.
        score: of the classifier; the higher, the newer.
    """

    place: int
    score: float


def foreign(reference: Sequence[str], texts: Sequence[str]) -> list[Foreign]:
    """The foreign ones among texts, the most foreign first; none with fewer than 20 on either side.

    Where nothing has changed, about one text in a hundred is among them, and no harm is done by a label for it.

    Args:
        reference: that the model was measured on; of more than 2,000 some, spread evenly.
        texts: that clients sent.
    """
    if min(len(reference), len(texts)) < LEAST_ROWS:
        return []
    some = reference[:: -(-len(reference) // MOST_REFERENCE)]
    rows = np.concatenate([vectors(some), vectors(texts)])
    new = np.arange(len(rows)) >= len(some)
    scores = Discriminant.of(rows).scores(new)
    beyond = float(np.quantile(scores[~new], BEYOND))
    order = np.argsort(-scores[new], kind="stable")
    return [Foreign(int(i), float(scores[new][i])) for i in order if scores[new][i] > beyond]


def reference_texts(bundle: Path) -> tuple[str, ...]:
    """The texts that a bundle was measured on; none if it carries none.

    Raises:
        BundleError: the bundle is missing or damaged.
    """
    names = read_manifest(bundle).task.names
    rows = [one for split in SPLITS for one in read_reference(bundle, split, names).inputs]
    return tuple(joined(one) for one in rows)


def vectors(texts: Sequence[str]) -> Vectors:
    """Words of each text, hashed (Weinberger et al. 2009), a vector of length 1; a word counts once."""
    rows = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in {*_WORD.findall(text.lower())}:
            hashed = crc32(word.encode("utf-8", "replace"))
            row[hashed % WIDTH] += 1 if hashed & 0x80000000 else -1
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-6))
