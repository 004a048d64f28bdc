"""Transfer texts: the teacher answers them, and the student learns from its answers. They need no labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bertline.data.corpus import inputs_of, is_plain, settings_beside
from bertline.data.duplicates import cross_duplicates
from bertline.data.formats import STANDARD, name_of
from bertline.data.rows import BadRows
from bertline.data.settings import Reads, UnlabelledSettings
from bertline.errors import DataError, UsageError
from bertline.text.reading import Input, joined


@dataclass(frozen=True)
class Transfer:
    """Distinct inputs, the line of each one's first occurrence, and facts about what was left out."""

    inputs: tuple[Input, ...]
    lines: tuple[int, ...]
    facts: tuple[tuple[str, str], ...]


def read_transfer(
    data: str | None, settings: UnlabelledSettings, held_out: Sequence[Input], *, reads: Reads = "text"
) -> Transfer:
    """The inputs in ``data`` and ``settings.unlabelled`` that repeat none of the ``held_out`` ones.

    Raises:
        UsageError: no file is given, or a file of lines where the model reads pairs.
        DataError: a file or a row cannot be used, or no text is left.
    """
    sources = _sources(data, settings, reads)
    first: dict[Input, int] = {}
    read = skipped = 0
    for source in sources:
        bad = BadRows(name_of(source, "input"))
        for line, one in inputs_of(source, _own(source, data, settings), bad, reads=reads):
            first.setdefault(one, line)
            read += 1
        if bad and not settings.skip_bad_rows:
            raise bad.error()
        skipped += len(bad)
    inputs = list(first)
    duplicates = cross_duplicates([*map(joined, held_out)], [*map(joined, inputs)])
    repeated = {one.candidate for one in duplicates}
    exact = sum(1 for one in duplicates if one.kind == "exact")
    left = tuple(one for i, one in enumerate(inputs) if i not in repeated)
    names = " and ".join(name_of(source, "input") for source in sources)
    if not left:
        raise DataError(f"{names} leaves no text that is not among the held-out rows: give other texts")
    more = f"; {read - len(inputs):,} repeated" if read > len(inputs) else ""
    more += f"; {skipped:,} bad rows left out" if skipped else ""
    of_held_out = f"{exact} exact and {len(duplicates) - exact} near left out" if duplicates else "none"
    facts = (("Transfer texts", f"{len(left):,} of {names}{more}"), ("Held-out rows among them", of_held_out))
    return Transfer(left, tuple(first[one] for one in left), facts)


def check_heads(data: str | None, settings: UnlabelledSettings, *, reads: Reads = "text") -> None:
    """Read the first text of each file, so that a mistake in the last file shows before the first is read in full.

    Raises:
        UsageError, DataError: as ``read_transfer``.
    """
    for source in _sources(data, settings, reads):
        if source != STANDARD and (Path(source).is_file() or not Path(source).exists()):  # a pipe can be read once only
            next(inputs_of(source, _own(source, data, settings), BadRows(source), reads=reads), None)


def _own(source: str, data: str | None, settings: UnlabelledSettings) -> UnlabelledSettings:
    """The settings by which one of the files is read."""
    return settings if source == data else settings_beside(source, settings)


def _sources(data: str | None, settings: UnlabelledSettings, reads: Reads) -> list[str]:
    sources = [*([data] if data is not None else []), *settings.unlabelled]
    if not sources:
        raise UsageError("there are no texts to distill with: give a table as DATA, or --unlabelled FILE")
    if reads == "text" and settings.text_pair_column is not None:
        raise UsageError(f"--text-pair-column {settings.text_pair_column}: the model reads single texts; leave it out")
    for source in sources:
        if reads != "text" and is_plain(source, _own(source, data, settings)):
            raise UsageError(
                f"{source} has one text on each line, but the model reads pairs of texts: give tables with two columns "
                "of text"
            )
    return sources


def fingerprint(inputs: Sequence[Input]) -> str:
    """SHA-256 of inputs in their order."""
    return hashlib.sha256(json.dumps(list(inputs)).encode()).hexdigest()
