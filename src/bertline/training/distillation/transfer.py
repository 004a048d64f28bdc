"""Transfer texts: what the teacher answers and the student learns from. Labels are not needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertline.data.columns import text_fault
from bertline.data.decoding import lines_of, text_of
from bertline.data.duplicates import cross_duplicates
from bertline.data.formats import STANDARD, name_of
from bertline.data.rows import BadRow, BadRows, line_fault
from bertline.data.settings import UnlabelledSettings
from bertline.data.table import open_table
from bertline.errors import DataError, UsageError

PLAIN = ".txt"


@dataclass(frozen=True)
class Transfer:
    """Distinct texts, the line where each was first read, and what was left out, as facts to tell."""

    texts: tuple[str, ...]
    lines: tuple[int, ...]
    facts: tuple[tuple[str, str], ...]


def read_transfer(data: str | None, settings: UnlabelledSettings, held_out: Sequence[str]) -> Transfer:
    """The texts of ``data`` and ``settings.unlabelled`` that repeat none of the ``held_out`` ones.

    Raises:
        UsageError: no file is given.
        DataError: a file or a row cannot be used, or no text is left.
    """
    sources = _sources(data, settings)
    first: dict[str, int] = {}
    read = skipped = 0
    for source in sources:
        bad = BadRows(name_of(source, "input"))
        for line, text in _texts(source, _own(source, data, settings), bad):
            first.setdefault(text, line)
            read += 1
        if bad and not settings.skip_bad_rows:
            raise bad.error()
        skipped += len(bad)
    texts = list(first)
    found = cross_duplicates(held_out, texts)
    repeated = {one.candidate for one in found}
    exact = sum(1 for one in found if one.kind == "exact")
    kept = tuple(text for i, text in enumerate(texts) if i not in repeated)
    names = " and ".join(name_of(source, "input") for source in sources)
    if not kept:
        raise DataError(f"{names} leaves no text that is not among the held-out rows: give other texts")
    more = f"; {read - len(texts):,} repeated" if read > len(texts) else ""
    more += f"; {skipped:,} bad rows left out" if skipped else ""
    of_held_out = f"{exact} exact and {len(found) - exact} near left out" if found else "none"
    facts = (("Transfer texts", f"{len(kept):,} of {names}{more}"), ("Held-out rows among them", of_held_out))
    return Transfer(kept, tuple(first[text] for text in kept), facts)


def check_heads(data: str | None, settings: UnlabelledSettings) -> None:
    """Read the first text of each file alone: before the first one is read to its end, what is wrong with the last.

    Raises:
        UsageError, DataError: as ``read_transfer``.
    """
    for source in _sources(data, settings):
        if source != STANDARD and (Path(source).is_file() or not Path(source).exists()):  # a pipe can be read once only
            next(iter(_texts(source, _own(source, data, settings), BadRows(source))), None)


def _own(source: str, data: str | None, settings: UnlabelledSettings) -> UnlabelledSettings:
    """How one of the files is read."""
    if source == data:
        return settings
    return settings.model_copy(update={"format": None}) if _is_plain(source) else settings.beside(source)


def _is_plain(source: str) -> bool:
    return Path(source).suffix.lower() == PLAIN


def _sources(data: str | None, settings: UnlabelledSettings) -> list[str]:
    sources = [*([data] if data is not None else []), *settings.unlabelled]
    if not sources:
        raise UsageError("there are no texts to distill with: give a table as DATA, or --unlabelled FILE")
    return sources


def fingerprint(texts: Sequence[str]) -> str:
    """SHA-256 of texts in their order."""
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()


def _texts(source: str, settings: UnlabelledSettings, bad: BadRows) -> Iterator[tuple[int, str]]:
    if settings.format is None and _is_plain(source):
        return _plain_texts(source, settings.encoding, bad)
    return _table_texts(source, settings, bad)


def _plain_texts(source: str, encoding: str, bad: BadRows) -> Iterator[tuple[int, str]]:
    """One text a line; empty lines are none."""
    with open_table(source, source) as stream, text_of(stream, source, encoding) as (text, codec):
        for number, line in enumerate(lines_of(text, source, codec), 1):
            fault = line_fault(line, codec)
            if fault is not None:
                bad.add(BadRow(number, *fault))
            elif line.strip():
                yield number, line.strip()


def _table_texts(source: str, settings: UnlabelledSettings, bad: BadRows) -> Iterator[tuple[int, str]]:
    head, rows = settings.opened(source)
    head.require_rows("rows with a text", skip=settings.skip_bad_rows)
    bad.place = head.place
    column = settings.find_text_column(head)
    for row in rows:
        if isinstance(row, BadRow):
            bad.add(row)
        elif fault := text_fault(row, column):
            bad.add(fault)
        else:
            yield row.line, str(row.values[column])
