"""The rows of a run as files that nobody changes any more, addressed by their content.

``snapshots/SHA256/rows.jsonl`` is trained on, ``fresh.jsonl`` and ``frozen/*.jsonl`` judge. The hash covers all of
them, so a record that names it names exactly the rows that were used.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertline.destination import as_destination_error
from bertline.errors import DataError
from bertline.lifecycle.retraining.columns import row, settings_of
from bertline.lifecycle.retraining.corpus import Corpus, Table

WHAT = "the snapshot of the rows"
ROWS, FRESH = "rows.jsonl", "fresh.jsonl"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows on disk.

    Attributes:
        path: directory.
        facts: what the record says of them.
    """

    path: Path
    facts: Mapping[str, Any]

    @property
    def rows(self) -> Path:
        """To train on."""
        return self.path / ROWS

    @property
    def new_rows(self) -> int:
        """As of the corpus."""
        added: int | None = self.facts["added"]
        return int(self.facts["rows"]) if added is None else added

    @property
    def fresh(self) -> list[str]:
        """Tables of production's rows that judge."""
        return [str(self.path / FRESH)] if (self.path / FRESH).is_file() else []

    @property
    def names(self) -> dict[str, str]:
        """What people call the tables that judge, by their paths."""
        named = dict.fromkeys(self.fresh, "feedback")
        return named | dict(zip(self.frozen, self.facts["frozen"].values(), strict=True))

    @property
    def frozen(self) -> list[str]:
        """Tables that judge every challenger."""
        return [str(self.path / "frozen" / name) for name in self.facts["frozen"]]


def take(corpus: Corpus, home: Path, *, slices: tuple[str, ...] = (), grouped: bool = False) -> Snapshot:
    """Write the rows below ``home``, unless the same ones are there.

    Raises:
        DataError: tables have other kinds of columns, or there are no rows.
        DestinationError: they cannot be written.
    """
    columns = _columns(corpus, slices, grouped=grouped)
    with as_destination_error(home, WHAT):
        home.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=home))
        try:
            hashes = _write(corpus, staging)
            digest = hashlib.sha256("".join(f"{name} {one}\n" for name, one in hashes.items()).encode()).hexdigest()
            if not (home / digest).exists():
                staging.rename(home / digest)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    frozen = [name.removeprefix("frozen/") for name in hashes if name.startswith("frozen/")]
    facts = {
        "sha256": digest,
        "rows": len(corpus.examples),
        "added": corpus.added,
        "fresh": 0 if corpus.fresh is None else len(corpus.fresh.examples),
        "sources": [one.origin for one in corpus.tables],
        "left_out": {reason: number for reason, number in corpus.left_out.items() if number},
        "learned": corpus.learned,
        "frozen": dict(zip(frozen, (one.name for one in corpus.frozen), strict=True)),
        "frozen_sha256": _of_frozen(hashes),
        "columns": columns,
    }
    return Snapshot(home / digest, facts)


def _columns(corpus: Corpus, slices: tuple[str, ...], *, grouped: bool) -> dict[str, Any]:
    """How the files are read.

    Raises:
        DataError: tables cannot be one, or there are no rows.
    """
    tables = [*corpus.tables, *corpus.frozen]
    if not corpus.examples:
        raise DataError(
            "no rows to train on are left without those that judge: give further tables with --data, or feedback"
        )
    each = {one.name: dict(settings_of(one.dataset, slices, grouped=grouped)) for one in tables}
    (first, columns), *others = each.items()
    for name, own in others:
        if own != columns:
            differ = sorted(set(own) ^ set(columns))
            raise DataError(
                f"{first} and {name} cannot be trained on together, because only one has the "
                f"{', '.join(differ).replace('_', ' ')}: give tables with the same kinds of columns"
            )
    return columns


def _write(corpus: Corpus, staging: Path) -> dict[str, str]:
    """Write all files; their hashes by name."""
    hashes = {ROWS: _table(staging / ROWS, *corpus.tables)}
    if corpus.fresh is not None:
        hashes[FRESH] = _table(staging / FRESH, corpus.fresh)
    (staging / "frozen").mkdir()
    for place, table in enumerate(corpus.frozen, 1):
        stem = table.name.partition(".")[0] or "rows"
        name = f"frozen/{stem}.jsonl"
        name = f"frozen/{stem}-{place}.jsonl" if name in hashes else name
        hashes[name] = _table(staging / name, table)
    return hashes


def _table(path: Path, *tables: Table) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        for table in tables:
            for one in table.examples:
                line = (json.dumps(row(one, table.dataset), ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
                digest.update(line)
                stream.write(line)
    return digest.hexdigest()


def _of_frozen(hashes: Mapping[str, str]) -> str:
    """Of the frozen rows alone, by which looks at them are counted."""
    some = sorted(one for name, one in hashes.items() if name.startswith("frozen/"))
    return hashlib.sha256("\n".join(some).encode()).hexdigest()
