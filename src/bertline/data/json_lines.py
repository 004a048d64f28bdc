"""JSON lines: one object per line (https://jsonlines.org), with the line of whatever is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bertline.data.rows import BadRow, Row, line_fault
from bertline.errors import DataError

NOT_JSON = "not valid JSON"
NOT_OBJECT = "not a JSON object"
LONE_SURROGATE = "half of a surrogate pair, which is no character"


def read_json_lines(lines: Iterator[str], name: str, encoding: str) -> Iterator[Row | BadRow]:
    """The object of each line; blank lines are no rows.

    Raises:
        DataError: the file is one JSON array over several lines.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _row(number, line, encoding)
        if number == 1 and isinstance(row, BadRow) and row.reason == NOT_JSON and line.lstrip().startswith("["):
            raise DataError(f"{name} is a JSON array: write one JSON object per line instead")
        yield row


def _row(number: int, line: str, encoding: str) -> Row | BadRow:
    if fault := line_fault(line, encoding):
        return BadRow(number, *fault)
    try:
        value = json.loads(line.rstrip())
    except json.JSONDecodeError as error:
        return BadRow(number, NOT_JSON, f"{error.msg.removesuffix(' at')} at character {error.pos + 1}")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets thousands deep
        return BadRow(number, NOT_JSON, str(error))
    if not isinstance(value, dict):
        return BadRow(number, NOT_OBJECT, f"it is {_KINDS[type(value)]}")
    if "\\u" in line and _has_lone_surrogate(value):
        return BadRow(number, LONE_SURROGATE)
    return Row(number, value)


_KINDS = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def _has_lone_surrogate(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
