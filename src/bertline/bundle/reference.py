"""Held-out rows that travel with a bundle, so that later steps can measure on them: ``reference/*.jsonl``.

``validation.jsonl`` is for tuning, ``test.jsonl`` for the figures that are reported. ``tokens.json`` has how often
each token id occurs in the training rows, which do not travel.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bertline.errors import BundleError

FOLDER = "reference"
Split = Literal["validation", "test"]


@dataclass(frozen=True, slots=True)
class ReferenceRows:
    """Texts and the index of each one's label."""

    texts: tuple[str, ...]
    truth: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.texts)


def write_reference(bundle: Path, split: Split, rows: ReferenceRows, labels: Sequence[str]) -> None:
    """Write the rows of one split into the bundle at ``bundle``."""
    path = bundle / FOLDER / f"{split}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for text, index in zip(rows.texts, rows.truth, strict=True):
            file.write(json.dumps({"text": text, "label": labels[index]}, ensure_ascii=False) + "\n")


def read_reference(bundle: Path, split: Split, labels: Sequence[str]) -> ReferenceRows:
    """The rows of one split; none if the bundle carries none.

    Raises:
        BundleError: a line is not what ``write_reference`` writes.
    """
    path = bundle / FOLDER / f"{split}.jsonl"
    if not path.is_file():
        return ReferenceRows((), ())
    index = {label: i for i, label in enumerate(labels)}
    texts, truth = [], []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line.decode())
                texts.append(str(row["text"]))
                truth.append(index[row["label"]])
            except (ValueError, KeyError, TypeError) as error:
                raise BundleError(
                    f"{path} line {number} is not a row of text and label ({error!r}): write the bundle again"
                ) from error
    return ReferenceRows(tuple(texts), tuple(truth))


def write_token_counts(bundle: Path, sequences: Iterable[Sequence[int]]) -> None:
    """Count the ids of ``sequences`` and write the counts into the bundle at ``bundle``."""
    counts = Counter(one for sequence in sequences for one in sequence)
    path = bundle / FOLDER / "tokens.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({str(id_): count for id_, count in sorted(counts.items())}) + "\n", encoding="utf-8")


def read_token_counts(bundle: Path) -> Counter[int]:
    """The counts; empty if the bundle carries none.

    Raises:
        BundleError: the file is not what ``write_token_counts`` writes.
    """
    path = bundle / FOLDER / "tokens.json"
    if not path.is_file():
        return Counter()
    try:
        return Counter({int(id_): int(count) for id_, count in json.loads(path.read_text(encoding="utf-8")).items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise BundleError(f"{path} is not a table of token counts ({error}): write the bundle again") from error
