"""Which column holds what: as given, or matches by its name; and a row's values as text, label and group."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from bertline.data.names import canonical
from bertline.data.rows import BadRow, Row, fault_of
from bertline.errors import DataError
from bertline.text.unread import why_unread

# In any case and any spelling of ``names.canonical``. If a table has two names of one list, the user must choose.
TEXT_NAMES = ("text", "sentence", "review", "content", "document", "comment", "message", "tweet", "utterance")
PAIR_NAMES = ("text_pair", "text_b", "text2", "sentence2", "hypothesis")
QUERY_NAMES = ("query", "question")
RANKED_NAMES = (*TEXT_NAMES, "passage", "answer", "doc")  # of the text that is ranked for a query
# For embedders: a text, one that is like it, and one that is not.
ANCHOR_NAMES = (*TEXT_NAMES, "anchor", *QUERY_NAMES, "sentence1", "text_a", "text1", "premise")
POSITIVE_NAMES = (*PAIR_NAMES, "positive", "answer", "passage", "paraphrase")
NEGATIVE_NAMES = ("negative", "hard_negative")
SCORE_NAMES = ("score", "relevance", "grade", "label")
LIKENESS_NAMES = (*SCORE_NAMES, "similarity", "similarity_score")
LABEL_NAMES = ("label", "labels", "category", "class", "sentiment", "topic", "intent", "target")
_TAG = re.compile(r"O|[BIES]-\S+")  # as files of CoNLL have them


class ColumnInDoubt(DataError):
    """Several columns have a usual name."""


def find_column(
    source: str, columns: Sequence[str], given: str | None, names: Sequence[str], what: str, hint: str = ""
) -> str:
    """The column ``given``, or the only one whose name is among ``names``.

    ``what`` is "text" or "label", and the flag in messages ``--{what}-column``; ``hint`` is what else may help.

    Raises:
        DataError: no such column, or more than one; the message lists the table's columns.
    """
    if given is not None:
        return check_column(source, columns, given, f"--{what}-column")
    matches = candidates(columns, names)
    if len(matches) == 1:
        return matches[0]
    several = " and ".join(repr(column) for column in matches)
    fault = f"could take its {what} from {several}" if matches else f"has no column with a usual name for the {what}"
    kind = ColumnInDoubt if matches else DataError
    raise kind(f"{source} {fault}: name it with --{what}-column (its columns are {_listed(columns)}){hint}")


def candidates(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    """The columns whose name is among ``names``."""
    return [column for column in columns if canonical(column).casefold() in names]


def check_column(source: str, columns: Sequence[str], given: str, flag: str) -> str:
    """``given`` as the table spells it: exactly, or in another spelling or case if that is one column only.

    Raises:
        DataError: there is no such column.
    """
    if given in columns:
        return given
    alike = [column for column in columns if canonical(column) == canonical(given)]
    if not alike:
        alike = [column for column in columns if canonical(column).casefold() == canonical(given).casefold()]
    if len(alike) != 1:
        listed = _listed(columns)
        raise DataError(
            f"{source} has no column {given!r}: correct {flag} or rename the column (its columns are {listed})"
        )
    return alike[0]


def hint_of(kind: str, columns: Sequence[str], *, header: bool) -> str:
    """A hint for a message when a CSV lacks an expected column.

    >>> hint_of("csv", ["A fine film."], header=True)
    '; if it has no header, pass --no-header'
    >>> hint_of("tsv", ["EU", "B-ORG"], header=False)
    ''
    >>> hint_of("tsv", ["EU", "B-ORG"], header=True)
    '; if it has no header, pass --no-header; if its lines are tokens with tags, pass --format conll'
    """
    if kind not in ("csv", "tsv"):
        return ""
    hints = ["if it has no header, pass --no-header"] if header else []
    if any(mark in column for column in columns for mark in ",;\t|"):
        hints.append("if its fields have another delimiter, pass --delimiter")
    if header and any(_TAG.fullmatch(column) for column in columns):
        hints.append("if its lines are tokens with tags, pass --format conll")
    return "".join(f"; {one}" for one in hints)


def shortened(column: str) -> str:
    """A column's name for a message."""
    return column if len(column) <= 60 else f"{column[:59]}…"


def _listed(columns: Sequence[str], most: int = 20) -> str:
    shown = [repr(shortened(column)) for column in columns[:most]]
    return ", ".join(shown) + (f" and {len(columns) - most} more" if len(columns) > most else "")


def name_of_value(value: object) -> str | None:
    """A label or group as a string in its one spelling; None for a null, a NaN or nothing but white space.

    Booleans become "true" and "false" as in JSON. Whole floats become integers, because a column of integers
    with a null in it is a column of floats to many programs.

    >>> name_of_value(" pos "), name_of_value(True), name_of_value(2.0), name_of_value("")
    ('pos', 'true', '2', None)

    Raises:
        TypeError: the value is no name: a fraction, a list, an object, bytes; the text says which.
    """
    if value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return canonical(value) or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    raise TypeError(fault_of(value))


def finite_number(text: str) -> float | None:
    """The number that a text is, or None.

    >>> finite_number("4.5"), finite_number("nan"), finite_number("four")
    (4.5, None, None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def field_of(values: Mapping[str, object], column: str) -> str:
    """A value to break figures down by: a name where it is one, else as Python writes it, "" for none."""
    value = values.get(column)
    try:
        return name_of_value(value) or ""
    except TypeError:
        return str(value)


def text_fault(row: Row, column: str) -> BadRow | None:
    """Why a row has no text in its column, or None if it has one."""
    if (fault := string_fault(row, column)) is None and not str(row.values[column]).strip():
        return BadRow(row.line, f"empty text in column {column!r}")
    return fault


def string_fault(row: Row, column: str) -> BadRow | None:
    """Why a row has no string in its column, not even an empty one, or None if it has one."""
    if isinstance(row.values.get(column), str):
        return None
    value = row.value(column)
    if isinstance(value, BadRow):
        return value
    if value is None:
        return BadRow(row.line, f"empty text in column {column!r}")
    return BadRow(row.line, f"no string in column {column!r}", fault_of(value))


def unread_fault(row: Row, column: str, legible: Callable[[str], bool]) -> BadRow | None:
    """Why a model reads nothing of the text in a row's column, or None if it reads something.

    Args:
        row: has a string there.
        column: of the text.
        legible: does the model read anything of a text?
    """
    text = str(row.values[column])
    if legible(text):
        return None
    if not text.strip():
        return BadRow(row.line, f"empty text in column {column!r}")
    return BadRow(row.line, f"text in column {column!r} of which the model reads nothing", why_unread(text))
