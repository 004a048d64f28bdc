"""Random tables, and what must become of their values: the oracle of the conversion tests, without any of our code."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NAMES = ("a", "b b", "c{}", "d.e", "ü", "probability")
DIGITS = st.sampled_from(
    ["1.10", "0.1", "1e400", "-0", "-0.0", "12345678901234567890", "1E5", "2.5", "NaN", "-Infinity"]
)
INTEGERS = st.integers(-(2**70), 2**70).map(str) | st.integers(-3, 3).map(str)
NUMBERS = INTEGERS | DIGITS | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
UNITS = ("s", "ms", "us", "ns")


class Written(str):
    """A JSON number by its digits."""

    __slots__ = ()


# ------------------------------------------------------------------------------------------ JSON lines, as text


def _array(items: Sequence[str]) -> str:
    return f"[{', '.join(items)}]"


def _object(pairs: dict[str, str]) -> str:
    return f"{{{', '.join(f'{json.dumps(key)} : {one}' for key, one in pairs.items())}}}"


STRINGS = TEXTS.map(json.dumps)
SCALARS = (STRINGS, INTEGERS, NUMBERS, st.sampled_from(["true", "false"]))
LISTS = [st.lists(one, max_size=3).map(_array) for one in SCALARS]
OBJECTS = [st.dictionaries(st.sampled_from("xyz"), one, max_size=2).map(_object) for one in (*SCALARS, *LISTS[:2])]
ONE_KIND = [*SCALARS, *LISTS, *OBJECTS, st.just("null")]
ANY_KIND = st.one_of(*ONE_KIND)


@st.composite
def json_lines(draw: st.DrawFn) -> list[str]:
    """Lines of objects with a text; a column has values of one kind mostly, and not in every row."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    kinds = [draw(st.sampled_from([*ONE_KIND, *ONE_KIND, ANY_KIND])) for _ in names]
    lines = []
    for _ in range(draw(st.integers(1, 5))):
        row = {"text": '"a film"'}
        for name, kind in zip(names, kinds, strict=True):
            if draw(st.integers(0, 4)):
                row[name] = draw(kind | st.just("null")) if draw(st.booleans()) else draw(kind)
        lines.append(_object(row))
    return lines


def parsed(line: str) -> dict[str, Any]:
    """An object whose numbers are digits."""
    value: dict[str, Any] = json.loads(line, parse_float=Written, parse_int=Written, parse_constant=Written)
    return value


def _nodes(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, value
    if isinstance(value, list):
        for one in value:
            yield from _nodes(one, f"{path}[]")
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _nodes(one, f"{path}.{key}")


def fits_parquet(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether each place of a table of objects has values of one type that Parquet has."""
    places: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            for path, one in _nodes(value, name):
                if one is not None:
                    places.setdefault(path, []).append(one)
    return all(_have_one_type(values) for values in places.values())


def _have_one_type(values: Sequence[Any]) -> bool:
    if len({type(one) for one in values}) > 1:
        return False
    if isinstance(values[0], dict):
        return any(values)
    return not isinstance(values[0], Written) or _fit_one_number(values)


def _fit_one_number(values: Sequence[str]) -> bool:
    numbers = [Decimal(one) for one in values]
    if all(one.lstrip("-").isdigit() and one != "-0" for one in values):
        low, high = min(numbers), max(numbers)
        if (low >= -(2**63) and high < 2**63) or (low >= 0 and high < 2**64):
            return True
    elif all(not one.is_finite() or Decimal(repr(float(one))) == one for one in numbers):
        return True
    if not all(one.is_finite() and not (one.is_zero() and one.is_signed()) for one in numbers):
        return False
    scale = max(max(0, -int(one.as_tuple().exponent)) for one in numbers)
    return scale + max(len(one.as_tuple().digits) + int(one.as_tuple().exponent) for one in numbers) <= 38


def same_value(written: Any, stored: Any) -> bool:
    """Whether a value of Parquet is the one that a line of JSON has. A key that is missing there is null here."""
    match written:
        case None | bool():
            return written is stored
        case Written():
            return type(stored) in (int, float, Decimal) and _same_number(Decimal(written), stored)
        case str():
            return type(stored) is str and written == stored
        case list():
            return len(written) == len(stored) and all(map(same_value, written, stored))
    return not (written.keys() - stored.keys()) and all(same_value(written.get(key), stored[key]) for key in stored)


def _same_number(written: Decimal, stored: float | Decimal) -> bool:
    other = Decimal(repr(stored)) if isinstance(stored, float) else Decimal(stored)
    return (
        written.compare_total(other.normalize()) == 0
        or (written == other and written.is_signed() == other.is_signed())
        or (written.is_nan() and other.is_nan())
    )


# ------------------------------------------------------------------------------------------ Parquet


def _ticks(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) | st.integers(-(10**5), 10**5)


def _iso(ticks: int, unit: str) -> str:
    text = str(np.datetime64(ticks, unit))
    whole, _, fraction = text.partition(".")
    year = whole.index("-", 1)
    sign, digits = ("-", whole[1:year]) if whole[0] == "-" else ("", whole[:year])
    sign = "+" if not sign and len(digits.lstrip("0")) > 4 else sign
    return sign + digits.zfill(4) + whole[year:] + (f".{fraction}" if fraction.strip("0") else "")


def _moments(unit: str) -> Iterator[tuple[Any, Any]]:
    yield pa.timestamp(unit), _ticks(60)
    yield pa.timestamp(unit, "Europe/Berlin"), _ticks(60)
    yield pa.duration(unit), _ticks(60)


LEAVES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-128, 127)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.decimal128(38, 3), st.decimals(-(10**30), 10**30, places=3)),
    (pa.decimal256(60, 0), st.integers(-(10**59), 10**59).map(Decimal)),
    (pa.string(), TEXTS),
    (pa.large_string(), TEXTS),
    (pa.dictionary(pa.int8(), pa.string()), TEXTS),
    (pa.binary(), st.binary(max_size=5)),
    (pa.large_binary(), st.binary(max_size=5)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.date32(), _ticks(32)),
    *(pair for unit in UNITS[1:] for pair in _moments(unit)),
    (pa.time32("ms"), st.integers(0, 86_399_999)),
    (pa.time64("ns"), st.integers(0, 86_399_999_999_999)),
    (pa.null(), st.none()),
]


def _nested(kind: Any, values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    some = values | st.none()
    pairs = st.lists(st.tuples(TEXTS, some), max_size=3)
    return st.sampled_from(
        [
            (kind, values),
            (pa.list_(kind), st.lists(some, max_size=3)),
            (pa.large_list(kind), st.lists(some, max_size=3)),
            (pa.list_(kind, 2), st.lists(some, min_size=2, max_size=2)),
            (pa.map_(pa.string(), kind), pairs),
            (
                pa.struct([("x", kind), ("y", pa.int32())]),
                st.fixed_dictionaries({"x": some, "y": st.none() | st.just(1)}),
            ),
            (
                pa.list_(pa.struct([("x", pa.list_(kind))])),
                st.lists(st.fixed_dictionaries({"x": st.lists(some, max_size=2)}), max_size=2),
            ),
        ]
    )


@st.composite
def arrow_tables(draw: st.DrawFn) -> tuple[Any, list[dict[str, Any]]]:
    """A table of Arrow with a text, and its raw values: ticks of times, bytes, pairs of maps."""
    rows = draw(st.integers(1, 6))
    fields, columns = [pa.field("text", pa.string(), nullable=False)], {"text": ["a film"] * rows}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3)):
        leaf = draw(st.sampled_from(LEAVES))
        kind, values = draw(_nested(*leaf)) if not pa.types.is_dictionary(leaf[0]) else leaf
        nulls = draw(st.integers(0, rows))  # from the first row on: where inferred types go wrong
        required = nulls == 0 and not pa.types.is_null(kind)
        given = [None] * nulls + [draw(values if required else values | st.none()) for _ in range(rows - nulls)]
        fields.append(
            pa.field(name, kind, nullable=not required, metadata={"unit": "m"} if draw(st.booleans()) else None)
        )
        columns[name] = given
    schema = pa.schema(fields, metadata={"origin": "a test"})
    arrays = [pa.array(columns[one.name], one.type) for one in fields]
    raw = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema), raw


def as_json(kind: Any, raw: Any) -> Any:
    """The value of a line of JSON that a value of Arrow becomes; numbers by their digits."""
    t = pa.types
    if raw is None or t.is_boolean(kind) or t.is_string(kind) or t.is_large_string(kind) or t.is_dictionary(kind):
        return raw
    if t.is_integer(kind):
        return Written(raw)
    if t.is_floating(kind):
        names = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
        return names.get(repr(raw)) or Written(repr(raw))
    if t.is_decimal(kind):
        return Written(f"{raw:.{kind.scale}f}")
    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        return [as_json(kind.value_type, one) for one in raw]
    if t.is_map(kind):
        return [[key, as_json(kind.item_type, one)] for key, one in raw]
    if t.is_struct(kind):
        return {field.name: as_json(field.type, raw[field.name]) for field in kind}
    return _only_arrow(kind, raw)


def _only_arrow(kind: Any, raw: Any) -> str:
    t = pa.types
    if t.is_date(kind):
        return _iso(raw, "D")
    if t.is_timestamp(kind):
        return _iso(raw, kind.unit) + ("Z" if kind.tz else "")
    if t.is_time(kind):
        return _iso(raw, kind.unit).partition("T")[2]
    if t.is_duration(kind):
        whole, rest = divmod(abs(raw), 10 ** (3 * UNITS.index(kind.unit)))
        fraction = f".{rest:0{3 * UNITS.index(kind.unit)}d}" if rest else ""
        return f"{'-' if raw < 0 else ''}PT{whole}{fraction}S"
    return base64.b64encode(raw).decode()


# ------------------------------------------------------------------------------------------ files


def packed(path: Path, content: bytes) -> None:
    """Write a file, gzipped if its name says so."""
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def unpacked(path: Path) -> str:
    """The text of a file, gzipped or not."""
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()


def delimited(path: Path) -> list[dict[str, str]]:
    """The rows of CSV or TSV as the standard library reads them."""
    return list(csv.DictReader(io.StringIO(unpacked(path), newline=""), delimiter="\t" if ".tsv" in path.name else ","))


def as_field(value: Any) -> str:
    """The field that a scalar of JSON becomes."""
    return "" if value is None else "true" if value is True else "false" if value is False else str(value)


def same_field(value: Any, field: str) -> bool:
    """Whether a field of CSV is a value of JSON, whose numbers are digits."""
    if isinstance(value, list | dict):
        return bool(parsed(f'{{"it": {field}}}')["it"] == value)
    return field == as_field(value)
