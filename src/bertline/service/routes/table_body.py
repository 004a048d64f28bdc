"""Bodies that are tables, CSV or JSON lines: read like files of ``bertline predict``, with a problem per fault."""

from __future__ import annotations

import re
from codecs import lookup
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from email.message import Message
from typing import Literal

from bertline.data.json_lines import LONE_SURROGATE, NOT_JSON, NOT_OBJECT
from bertline.data.rows import NUL, UNDECODABLE, BadRow, EncodingFault, Row, TableFault, UnreadableValue
from bertline.data.table import read_bytes
from bertline.serving.problems import Code, Problem

DEFAULT = "utf-8"
# The common ones of Python's encodings; some of the others take quadratic time.
KNOWN = re.compile(
    r"utf-(8|16|32)(-sig|-le|-be)?|ascii|iso8859-\d+|cp125\d|shift_jis|euc_(jp|kr)|gb(2312|k|18030)|big5"
)
CODES: Mapping[str, Code] = {
    NOT_JSON: Code.INVALID_JSON,
    LONE_SURROGATE: Code.INVALID_TEXT,
    UNDECODABLE: Code.INVALID_TEXT,
    NUL: Code.INVALID_TEXT,
}
REMEDIES: Mapping[str, str] = {
    UNDECODABLE: "send it in UTF-8, or name its charset in Content-Type",
    NUL: "leave it out",
    LONE_SURROGATE: "send whole characters",
}
OF_JSON, OF_CSV = "correct it", "quote texts with commas, or name their column {} in a header"
PARAMETERS = "parameters"  # a column of that name would be confused with a request's parameters


def texts_of(body: bytes, content_type: str, format: Literal["csv", "jsonl"], column: str, most: int) -> list[str]:
    """The texts of a body, from the column of this name or the only column of a CSV.

    Args:
        body: UTF-8, or as ``charset`` says; UTF-16 and UTF-32 are also detected.
        content_type: with the parameter ``charset``, if any.
        format: of the body.
        column: in a CSV's header, or the key of JSON lines.
        most: maximum number of texts.

    Raises:
        Problem: names the first fault with its line.
    """
    encoding = _charset(content_type)
    rows = read_bytes(body, "The body", format=format, encoding=encoding, header=lambda first: column in first)
    texts: list[str] = []
    if not body.strip():
        return texts
    try:
        with closing(rows):
            for text in _texts(rows, column, keyed=format == "jsonl"):
                texts.append(text)
                if len(texts) > most:
                    raise Problem(
                        Code.TOO_MANY_TEXTS, f"There are more texts than the limit of {most:,}: send several requests."
                    )
    except EncodingFault as fault:
        raise Problem(Code.INVALID_TEXT, f"The body {fault.fault}: send it in UTF-8.") from None
    except TableFault as fault:
        raise Problem(Code.WRONG_TYPE, f"The body {fault.fault}: {fault.remedy}.") from None
    return texts


def _charset(content_type: str) -> str:
    message = Message()
    message["content-type"] = content_type
    name = message.get_param("charset", DEFAULT)
    try:
        codec = lookup(str(name)).name
    except (LookupError, ValueError):
        codec = ""
    if not KNOWN.fullmatch(codec):
        raise Problem(Code.INVALID_HEADER, "The charset of Content-Type is unknown: send UTF-8.", "charset")
    return codec


def _texts(rows: Iterator[Row | BadRow], column: str, *, keyed: bool) -> Iterator[str]:
    for row in rows:
        if isinstance(row, BadRow):
            remedy = REMEDIES.get(row.reason, OF_JSON if keyed else OF_CSV.format(column))
            verb = "is" if row.reason in (NOT_JSON, NOT_OBJECT) else "has"
            raise Problem(CODES.get(row.reason, Code.WRONG_TYPE), f"Line {row.line:,} {verb} {row}: {remedy}.")
        if PARAMETERS in row.values and keyed:
            raise Problem(
                Code.UNKNOWN_FIELD,
                f"Line {row.line:,} has {PARAMETERS}, which a line cannot have: send them in a JSON body.",
                PARAMETERS,
            )
        yield _text(row, _column(row, list(row.values), column, keyed=keyed))


def _column(row: Row, names: Sequence[str], column: str, *, keyed: bool) -> str:
    if column in names:
        return column
    if keyed:
        raise Problem(Code.MISSING_FIELD, f"Line {row.line:,} has no {column}: send it.", column)
    if len(names) != 1:
        raise Problem(
            Code.WRONG_TYPE,
            f"Line {row.line:,} has {len(names):,} columns: {OF_CSV.format(column)}.",
        )
    return names[0]


def _text(row: Row, column: str) -> str:
    text = row.values[column]
    if isinstance(text, UnreadableValue):
        raise Problem(Code.INVALID_TEXT, f"Line {row.line:,} has {text.detail}: {REMEDIES[LONE_SURROGATE]}.", column)
    if not isinstance(text, str):
        raise Problem(Code.WRONG_TYPE, f"{column} in line {row.line:,} must be a string.", column)
    return text
