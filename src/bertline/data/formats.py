"""Which format a table is in: by its name, or as given.

This file knows names only. Whether a table that is read is gzipped is seen from its bytes (``table``); one
that is written is gzipped when its name ends in ``.gz`` (``writer``).
"""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Literal, cast, get_args

from bertline.errors import DataError, SettingsError

Format = Literal["csv", "tsv", "jsonl", "parquet", "conll"]
Location = str | os.PathLike[str]  # of a table: a path, or "-" for standard input or output

STANDARD = "-"
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json-lines": "jsonl",
    ".parquet": "parquet",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
}


def format_of(location: Location, given: str | None = None) -> Format:
    """The format of a table: ``given``, or what its suffix says; standard input and output are CSV.

    >>> format_of("reviews.CSV.gz"), format_of("-"), format_of("reviews.dat", "tsv")
    ('csv', 'csv', 'tsv')

    Raises:
        SettingsError: ``given`` is no format.
        DataError: the suffix says nothing.
    """
    if given is not None:
        if given not in get_args(Format):
            raise SettingsError(f"format {given!r} is unknown: give one of {', '.join(get_args(Format))}")
        return cast(Format, given)
    if location == STANDARD:
        return "csv"
    suffixes = [suffix.lower() for suffix in PurePath(location).suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    if not suffixes or suffixes[-1] not in SUFFIXES:
        raise DataError(
            f"{os.fspath(location)} does not say by its suffix what format it is in: "
            f"name it {', '.join(SUFFIXES)} (each also with .gz) or pass --format"
        )
    return SUFFIXES[suffixes[-1]]


def output_format_of(location: Location, given: str | None = None) -> Format:
    """The format of a table to write: as for ``format_of``, but CoNLL files are only read.

    Raises:
        SettingsError: as for ``format_of``.
        DataError: as for ``format_of``, or the format is CoNLL.
    """
    kind = format_of(location, given)
    if kind == "conll":
        name = name_of(location, "output")
        raise DataError(f"{name} cannot be a CoNLL file, which is only read: name it .jsonl or pass --format jsonl")
    return kind


def format_beside(location: Location, given: str | None) -> str | None:
    """The format of a further table of a command: what its suffix says, else ``given`` as for the first one.

    >>> format_beside("test.json", "jsonl"), format_beside("test.csv", "jsonl"), format_beside("test.csv", None)
    ('jsonl', 'csv', None)
    """
    try:
        return given and format_of(location)
    except DataError:
        return given


def delimiter_of(given: str) -> str:
    r"""The character between two fields: itself, or written as ``\t`` or ``tab``.

    >>> delimiter_of(";"), delimiter_of("tab")
    (';', '\t')

    Raises:
        SettingsError: it is no single character, or one that means something else in CSV.
    """
    one = "\t" if given in ("\\t", "tab") else given
    if len(one) != 1 or one in '"\r\n\0':
        raise SettingsError(
            f"delimiter {given!r} is not a delimiter: give the single character between two fields, such as ; or tab"
        )
    return one


def name_of(location: Location, direction: Literal["input", "output"]) -> str:
    """The table's name in messages."""
    return f"standard {direction}" if location == STANDARD else os.fspath(location)


def is_gzip_name(location: Location) -> bool:
    """Whether the name asks for gzip."""
    return os.fspath(location).lower().endswith(".gz")
