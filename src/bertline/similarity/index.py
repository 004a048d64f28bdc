"""An index of embedded texts: a directory with the table's rows as JSON lines, and a matrix of their embeddings.

``vectors.npy`` has a unit vector for each row and is mapped, not read, so an index may be larger than memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import ValidationError

from bertline import __version__
from bertline.bundle.fields import Strict
from bertline.bundle.manifest import Manifest
from bertline.data.rows import BadRow, Row
from bertline.data.table import read_bytes, read_rows
from bertline.errors import DataError

REPORT, VECTORS, ROWS, LINES = "index.json", "vectors.npy", "rows.jsonl", "lines.npy"
FORMAT_VERSION = 1
_WEIGHTS = ".safetensors"
_READ = ("config.json", "tokenizer.json")  # of a bundle, beside the weights

Array = np.ndarray[Any, Any]


class Facts(Strict):
    """The content of ``index.json``.

    Attributes:
        format_version: of the directory.
        bertline_version: which wrote it.
        model: name of the model that embedded the texts.
        fingerprint: of what that model computes (``fingerprint_of``).
        source: name of the table.
        text_column: of the text.
        place: unit of the rows' places in the table, ``line`` or ``row``.
        rows: number of rows.
        row_bytes: size of ``rows.jsonl``.
        dimensions: of a vector.
        skipped: bad rows left out.
        cut: texts that were too long to be read whole.
    """

    format_version: Literal[1] = 1
    bertline_version: str = __version__
    model: str
    fingerprint: str
    source: str
    text_column: str
    place: str
    rows: int
    row_bytes: int
    dimensions: int
    skipped: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """An open index.

    Attributes:
        path: its directory.
        facts: about it.
        vectors: unit vectors, mapped.
        lines: of each row in the table.
    """

    path: Path
    facts: Facts
    vectors: Float[Array, "rows dimensions"]
    lines: Int[Array, "rows"]

    def rows(self) -> Iterator[Row]:
        """The rows of the table in order, each with its line there."""
        return self._placed(range(len(self.lines)), read_rows(self.path / ROWS, format="jsonl"))

    def texts(self) -> Iterator[str]:
        """The texts in order."""
        return (str(row.values[self.facts.text_column]) for row in self.rows())

    def pick(self, numbers: Iterable[int]) -> dict[int, Row]:
        """Some rows by their number in the index, from 0; only these are parsed."""
        if not (wanted := sorted({*numbers})):
            return {}
        with (self.path / ROWS).open("rb") as file:
            places = iter([*wanted, -1])
            place, lines = next(places), []
            for number, line in enumerate(file):
                if number == place:
                    lines.append(line)
                    place = next(places)
                if place < 0:
                    break
        rows = self._placed(wanted, read_bytes(b"".join(lines), ROWS, format="jsonl"))
        return dict(zip(wanted, rows, strict=True))

    def _placed(self, numbers: Sequence[int], stored: Iterable[Row | BadRow]) -> Iterator[Row]:
        for number, row in zip(numbers, stored, strict=True):
            if not isinstance(row, Row):
                raise _damaged(self.path, f"{ROWS} has {row}")
            yield Row(int(self.lines[number]), row.values)


def is_index(path: Path) -> bool:
    """Whether a path is that of an index."""
    return (path / REPORT).is_file()


def open_index(path: Path) -> Index:
    """Open an index.

    Raises:
        DataError: there is none, it is of a newer format, or its files do not belong together.
    """
    if not is_index(path):
        raise DataError(f"{path} has no {REPORT}: give a table, or a directory that bertline index wrote")
    try:
        content = json.loads((path / REPORT).read_text(encoding="utf-8"))
        version = content.get("format_version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise DataError(
                f"{path} is an index of format version {version} and bertline {__version__} reads up to "
                f"{FORMAT_VERSION}: upgrade with pip install --upgrade bertline"
            )
        facts = Facts.model_validate(content)
        vectors, lines = np.load(path / VECTORS, mmap_mode="r"), np.load(path / LINES)
        row_bytes = (path / ROWS).stat().st_size
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise _damaged(path, f"{REPORT} has a wrong entry {'.'.join(map(str, fault['loc']))}") from None
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path, str(error)) from None
    if vectors.shape != (facts.rows, facts.dimensions) or lines.shape != (facts.rows,):
        raise _damaged(path, f"{VECTORS} has {len(vectors):,} rows, and {REPORT} says {facts.rows:,}")
    if row_bytes != facts.row_bytes:
        raise _damaged(path, f"{ROWS} has {row_bytes:,} bytes, and {REPORT} says {facts.row_bytes:,}")
    return Index(path, facts, vectors, lines)


def _damaged(path: Path, fault: str) -> DataError:
    return DataError(f"{path} is damaged ({fault}): make it again with bertline index and --overwrite")


def fingerprint_of(manifest: Manifest) -> str:
    """Sixteen hex digits: the same for bundles that embed alike, whatever else they have, such as int8 engines."""
    files = {name: one.sha256 for name, one in manifest.files.items() if name in _READ or name.endswith(_WEIGHTS)}
    facts = [sorted(files.items()), manifest.max_tokens, manifest.truncation, manifest.pooling]
    if manifest.task.task != "embed":
        facts[-1] = "mean"
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def check_model(index: Index, manifest: Manifest, bundle: Path) -> None:
    """Check that a bundle embeds as the index was made.

    Raises:
        DataError: it does not.
    """
    if index.facts.fingerprint != fingerprint_of(manifest):
        same = " before it was trained again" if index.facts.model == manifest.name else ""
        raise DataError(
            f"{index.path} was made with the model {index.facts.model}{same}, and {bundle} embeds otherwise: give that "
            f"model, or index the table again with bertline index {bundle}"
        )
