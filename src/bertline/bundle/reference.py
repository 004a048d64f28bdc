"""Held-out rows that travel with a bundle, so that later steps can measure on them: ``reference/*.jsonl``.

``validation.jsonl`` is for tuning, ``test.jsonl`` for the figures that are reported. ``tokens.json`` has how often
each token id occurs in the training rows, which do not travel.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bertline.data.entities import Entity
from bertline.data.labels import Labels
from bertline.data.targets import Target, names_of, to_json
from bertline.errors import BundleError
from bertline.text.reading import Input, texts_of

FOLDER = "reference"
Split = Literal["validation", "test"]
_TEXTS = ("text", "text_pair", "negative")


@dataclass(frozen=True, slots=True)
class ReferenceRows:
    """Texts, or pairs of texts, and what is true of each."""

    inputs: tuple[Input, ...]
    targets: tuple[Target, ...]

    def __len__(self) -> int:
        return len(self.inputs)


def write_reference(bundle: Path, split: Split, rows: ReferenceRows) -> None:
    """Write the rows of one split into the bundle at ``bundle``."""
    path = bundle / FOLDER / f"{split}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for text, target in zip(rows.inputs, rows.targets, strict=True):
            row = dict(zip(_TEXTS, texts_of(text), strict=False)) | {_key(target): to_json(target)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_reference(bundle: Path, split: Split, names: Sequence[str]) -> ReferenceRows:
    """The rows of one split; none if the bundle carries none.

    Args:
        bundle: its directory.
        split: whose rows.
        names: the labels or types that targets may have (``TaskSpec.names``), in any spelling of ``data.names``.

    Raises:
        BundleError: a line is not what ``write_reference`` writes.
    """
    path = bundle / FOLDER / f"{split}.jsonl"
    if not path.is_file():
        return ReferenceRows((), ())
    inputs, targets, known = [], [], Labels(tuple(names))
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line.decode())
                texts = tuple(row[key] for key in _TEXTS if key in row)
                target = _target(row)
                if not texts or not all(isinstance(text, str) for text in texts):
                    raise ValueError("another text")
                if names and any(name not in known for name in names_of(target)):
                    raise ValueError("another label")
            except (ValueError, KeyError, TypeError) as error:
                raise BundleError(
                    f"{path} line {number} is not a row of text and label ({error!r}): write the bundle again"
                ) from error
            inputs.append(texts[0] if len(texts) == 1 else texts)
            targets.append(target)
    return ReferenceRows(tuple(inputs), tuple(targets))


def _key(target: Target) -> str:
    """The key of a target in a row."""
    if isinstance(target, str):
        return "label"
    if isinstance(target, float):
        return "number"
    return "entities" if any(isinstance(member, Entity) for member in target) else "labels"


def _target(row: Mapping[str, Any]) -> Target:
    """The target of a row; a list without members is one of labels and of entities."""
    if "label" in row:
        return str(row["label"])
    if "number" in row:
        return float(row["number"])
    if "labels" in row:
        return tuple(map(str, row["labels"]))
    return tuple(Entity(int(entry["start"]), int(entry["end"]), str(entry["label"])) for entry in row["entities"])


def write_token_counts(bundle: Path, sequences: Iterable[Sequence[int]]) -> None:
    """Count the ids of ``sequences`` and write the counts into the bundle at ``bundle``."""
    counts = Counter(id_ for sequence in sequences for id_ in sequence)
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
