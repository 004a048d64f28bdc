"""Arrow's values as Python's, column by column, and the other way round. Needs pyarrow, like ``parquet``.

No value stops a column: one that Python has no type for becomes ``Rendered``, one that is damaged ``Unreadable``.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import islice, repeat
from typing import Any

import pyarrow as pa
from pyarrow import types

from bertline.data import iso8601
from bertline.data.json_values import Real
from bertline.data.kinds import Boolean, Fields, Items, Kind, Null, Number, Text
from bertline.data.rows import Rendered, UnreadableValue

DECIMAL_DIGITS = 38  # of a decimal in 128 bits, the widest that most programs read


def python_values(array: Any) -> list[object]:
    """The values of an array of any type."""
    kind = array.type
    if isinstance(kind, pa.UuidType):
        return _each(array.storage, lambda value: Rendered("uuid", str(uuid.UUID(bytes=value))))
    if isinstance(kind, pa.BaseExtensionType):
        return python_values(array.storage)
    convert = next((convert for holds, convert in CONVERSIONS if holds(kind)), _unreadable)
    return convert(array)


def _each(array: Any, convert: Callable[[Any], object]) -> list[object]:
    return [None if value is None else convert(value) for value in array.to_pylist()]


def _unreadable(array: Any) -> list[object]:
    fault = UnreadableValue(f"it is of type {array.type}")
    return [fault if there else None for there in array.is_valid().to_pylist()]


def _as_they_are(array: Any) -> list[object]:
    return array.to_pylist()  # type: ignore[no-any-return]


def _strings(array: Any) -> list[object]:
    try:
        return array.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        wide = types.is_large_string(array.type)
        return _each(array.cast(pa.large_binary() if wide else pa.binary()), _string)


def _string(value: bytes) -> object:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        return UnreadableValue(f"its byte 0x{value[error.start]:02x} at {error.start + 1:,} is not UTF-8")


def _binary(array: Any) -> list[object]:
    return _each(array, lambda value: Rendered("binary", base64.b64encode(value).decode()))


def _days(array: Any) -> list[object]:
    return _each(array.view(pa.int32()), lambda days: Rendered("date", iso8601.day(days)))


def _day_ticks(array: Any) -> list[object]:  # date64 counts milliseconds, of whole days
    return _each(array.view(pa.int64()), lambda ticks: Rendered("date", iso8601.day(ticks // 86_400_000)))


def _moments(array: Any) -> list[object]:
    unit, zoned = array.type.unit, array.type.tz is not None
    return _each(array.view(pa.int64()), lambda ticks: Rendered("timestamp", iso8601.moment(ticks, unit, zoned=zoned)))


def _clocks(array: Any) -> list[object]:
    unit, ticks_type = array.type.unit, pa.int32() if types.is_time32(array.type) else pa.int64()
    return _each(array.view(ticks_type), lambda ticks: Rendered("time", iso8601.clock(ticks, unit)))


def _durations(array: Any) -> list[object]:
    unit = array.type.unit
    return _each(array.view(pa.int64()), lambda ticks: Rendered("duration", iso8601.duration(ticks, unit)))


def _dictionary(array: Any) -> list[object]:
    meanings = python_values(array.dictionary)
    return _each(array.indices, meanings.__getitem__)


def _fixed_lists(array: Any) -> list[object]:
    size = array.type.list_size
    return _cut(array, [size if there else None for there in array.is_valid().to_pylist()])


def _lists(array: Any) -> list[object]:
    return _cut(array, array.value_lengths().to_pylist())


def _cut(array: Any, lengths: Sequence[int | None]) -> list[object]:
    items = iter(python_values(array.flatten()))
    return [None if length is None else list(islice(items, length)) for length in lengths]


def _maps(array: Any) -> list[object]:
    """Lists of pairs: a map may have keys that are no strings, and the same one twice."""
    offsets = array.offsets.to_pylist()
    first, end = offsets[0], offsets[-1]
    keys, items = (python_values(one.slice(first, end - first)) for one in (array.keys, array.items))
    pairs = [list(pair) for pair in zip(keys, items, strict=True)]
    rows = zip(offsets, offsets[1:], array.is_valid().to_pylist(), strict=False)
    return [pairs[start - first : stop - first] if there else None for start, stop, there in rows]


def _structs(array: Any) -> list[object]:
    names = [field.name for field in array.type]
    if len(set(names)) < len(names):
        return _unreadable(array)
    columns = [python_values(array.field(place)) for place in range(len(names))]
    rows = zip(*columns, strict=True) if columns else repeat((), len(array))
    valid = array.is_valid().to_pylist()
    return [dict(zip(names, row, strict=True)) if there else None for there, row in zip(valid, rows, strict=False)]


def leaf_ticks(array: Any) -> Iterator[Any]:
    """The ticks of all timestamps in an array of any depth, as NumPy's integers."""
    if types.is_timestamp(array.type):
        yield array.drop_null().view(pa.int64()).to_numpy(zero_copy_only=False)
    elif types.is_struct(array.type):
        for one in array.flatten():
            yield from leaf_ticks(one)
    elif types.is_map(array.type) or types.is_list(array.type) or types.is_large_list(array.type):
        yield from leaf_ticks(array.flatten())


CONVERSIONS: Sequence[tuple[Callable[[Any], bool], Callable[[Any], list[object]]]] = (
    (types.is_string, _strings),
    (types.is_large_string, _strings),
    (types.is_string_view, _strings),
    (types.is_null, _as_they_are),
    (types.is_boolean, _as_they_are),
    (types.is_integer, _as_they_are),
    (types.is_floating, lambda array: _each(array, float)),
    (types.is_decimal, _as_they_are),
    (types.is_binary, _binary),
    (types.is_large_binary, _binary),
    (types.is_binary_view, _binary),
    (types.is_fixed_size_binary, _binary),
    (types.is_date32, _days),
    (types.is_date64, _day_ticks),
    (types.is_timestamp, _moments),
    (types.is_time, _clocks),
    (types.is_duration, _durations),
    (types.is_dictionary, _dictionary),
    (types.is_map, _maps),
    (types.is_fixed_size_list, _fixed_lists),
    (lambda kind: types.is_list(kind) or types.is_large_list(kind), _lists),
    (lambda kind: types.is_list_view(kind) or types.is_large_list_view(kind), _lists),
    (types.is_struct, _structs),
)


class NoType(ValueError):
    """Parquet has no type for a kind: what is wrong, and the line that shows it ."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


def arrow_type(kind: Kind) -> Any:
    """The type that holds all values of a kind; strings where there are only nulls.

    Raises:
        NoType: there is none.
    """
    match kind:
        case Boolean():
            return pa.bool_()
        case Null() | Text():
            return pa.string()
        case Number():
            return _number_type(kind)
        case Items():
            return pa.list_(arrow_type(kind.item))
        case Fields():
            if not kind.of:
                raise NoType("an object without keys", kind.line)
            return pa.struct([(name, arrow_type(one)) for name, one in kind.of.items()])
    raise TypeError(kind)


def _number_type(kind: Number) -> Any:
    if kind.whole and (kind.int64 or kind.uint64):
        return pa.int64() if kind.int64 else pa.uint64()
    if kind.double and not kind.whole:
        return pa.float64()
    if kind.decimal and kind.digits + kind.scale <= DECIMAL_DIGITS:
        return pa.decimal128(max(1, kind.digits + kind.scale), kind.scale)
    raise NoType("numbers with too many digits for int64, double and decimal", kind.widened)


def arrow_array(values: Sequence[object], kind: Any) -> Any:
    """Python's values as an array of a type that ``arrow_type`` found for all of them."""
    return pa.array([_native(value, kind) for value in values], type=kind)


def _native(value: Any, kind: Any) -> Any:
    """A value as pyarrow takes it for a type without changing it."""
    if value is None:
        return None
    if types.is_float64(kind):
        return float(value)
    if types.is_decimal(kind):
        return Decimal(value.text if isinstance(value, Real) else str(value))
    if types.is_list(kind):
        return [_native(one, kind.value_type) for one in value]
    if types.is_struct(kind):
        return {field.name: _native(value.get(field.name), field.type) for field in kind}
    return value
