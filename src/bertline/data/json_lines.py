"""Read JSON lines (https://jsonlines.org), one object per line; each fault has its line."""

from __future__ import annotations

from collections.abc import Iterator

from bertline.data.json_text import JsonFault, LoneSurrogate, has_surrogates, lone_surrogates, parse
from bertline.data.json_values import JsonObject
from bertline.data.rows import BadRow, Row, TableFault, UnreadableValue, line_fault

NOT_JSON = "not valid JSON"
NOT_OBJECT = "not a JSON object"
LONE_SURROGATE = "half of a surrogate pair, which is not a character"


def read_json_lines(lines: Iterator[str], name: str, encoding: str) -> Iterator[Row | BadRow]:
    """The object of each line; blank lines are skipped.

    Raises:
        DataError: the file is one JSON array over several lines.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _row(number, line, encoding)
        if number == 1 and isinstance(row, BadRow) and row.reason == NOT_JSON and line.lstrip().startswith("["):
            raise TableFault(name, "is a JSON array", "write one JSON object per line instead")
        yield row


def _row(number: int, line: str, encoding: str) -> Row | BadRow:
    if fault := line_fault(line, encoding):
        return BadRow(number, *fault)
    text = line.rstrip()
    try:
        value = parse(text, table=True)
    except JsonFault as error:
        return BadRow(number, NOT_JSON, error.what + (f" at character {error.column}" if error.column else ""))
    if not isinstance(value, dict):
        kind = "a number" if isinstance(value, float) else _KINDS[type(value)]
        return BadRow(number, NOT_OBJECT, f"it is {kind}")
    for half in list(lone_surrogates(value)) if has_surrogates(text) else ():
        if not half.path:
            return BadRow(number, LONE_SURROGATE, "in a key")
        value[str(half.path[0])] = UnreadableValue(f"{LONE_SURROGATE}, {_place(half)}")
    return Row(number, JsonObject(value, text))


def _place(half: LoneSurrogate) -> str:
    where = ".".join(map(str, half.path))
    return f"in a key of {where!r}" if half.character is None else f"in {where!r} at character {half.character + 1}"


_KINDS = {
    list: "a list",
    str: "a string",
    int: "a number",
    bool: "true or false",
    type(None): "null",
}
