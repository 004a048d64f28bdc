"""The kind of a column's values, joined row by row, for formats with typed columns.

Numbers are one kind, as in JSON; the format chooses a type that can hold all of a column's numbers. Nothing else
mixes: a column of numbers and strings has no kind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bertline.data.json_values import Real
from bertline.data.rows import fault_of

INT64, UINT64 = (-(2**63), 2**63 - 1), (0, 2**64 - 1)
DOUBLE_WHOLE = 2**53  # up to here every integer is a double


class Mixed(ValueError):
    """Values of two kinds in one column, each with the line where it first occurs."""

    def __init__(self, path: str, one: Kind, other: Kind) -> None:
        super().__init__(f"{path} is {one.name} and {other.name}")
        self.path, self.one, self.other = path, one, other

    def sentence(self, place: str) -> str:
        """The message with both lines; ``place`` is their unit, "line" or "row"."""
        return (
            f"{self.path} is {self.one.name} in {place} {self.one.line:,} "
            f"and {self.other.name} in {place} {self.other.line:,}"
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of values, and the line where it first occurs."""

    line: int = field(compare=False)

    @property
    def name(self) -> str:
        """With its article, for messages."""
        return NAMES[type(self)]


class Null(Kind):
    """Nothing but nulls so far."""


class Boolean(Kind):
    """True and false."""


class Text(Kind):
    """Strings."""


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """Numbers, and the types that can hold all of them.

    ``digits`` before the point and ``scale`` after it suffice for every finite one.
    """

    whole: bool
    int64: bool
    uint64: bool
    double: bool
    decimal: bool
    digits: int
    scale: int
    widened: int = field(compare=False)  # the line that last widened the kind


@dataclass(frozen=True, slots=True)
class Items(Kind):
    """Lists, with the kind of all their items."""

    item: Kind


@dataclass(frozen=True, slots=True)
class Fields(Kind):
    """Objects, with the kind of each key that occurs."""

    of: Mapping[str, Kind]


NAMES: Mapping[type[Kind], str] = {
    Null: "null",
    Boolean: "true or false",
    Text: "a string",
    Number: "a number",
    Items: "a list",
    Fields: "an object",
}


def kind_of(value: object, line: int, path: str = "") -> Kind:
    """The kind of one value.

    Raises:
        Mixed: items of a list differ.
        TypeError: the value has no kind; the text says why.
    """
    match value:
        case None:
            return Null(line)
        case bool():
            return Boolean(line)
        case str():
            return Text(line)
        case int():
            return _integer(value, line)
        case float() | Decimal():
            return _real(value, line)
        case list():
            item: Kind = Null(line)
            for one in value:
                item = join(item, kind_of(one, line, f"{path}[]"), f"{path}[]")
            return Items(line, item)
        case dict():
            return Fields(line, {key: kind_of(one, line, f"{path}.{key}") for key, one in value.items()})
    raise TypeError(fault_of(value))


def join(one: Kind, other: Kind, path: str) -> Kind:
    """The kind of a column that has both; ``one`` itself if ``other`` adds nothing.

    Raises:
        Mixed: they cannot be joined.
    """
    if isinstance(other, Null) or one == other:
        return one
    joined: Kind
    match one, other:
        case Null(), _:
            return other
        case Number(), Number():
            joined = _wider(one, other)
        case Items(), Items():
            joined = replace(one, item=join(one.item, other.item, f"{path}[]"))
        case Fields(), Fields():
            more = {
                key: join(one.of[key], kind, f"{path}.{key}") if key in one.of else kind
                for key, kind in other.of.items()
            }
            joined = replace(one, of={**one.of, **more})
        case _:
            raise Mixed(path, one, other)
    return one if joined == one else joined


def _wider(one: Number, other: Number) -> Number:
    return Number(
        one.line,
        one.whole and other.whole,
        one.int64 and other.int64,
        one.uint64 and other.uint64,
        one.double and other.double,
        one.decimal and other.decimal,
        max(one.digits, other.digits),
        max(one.scale, other.scale),
        other.line,
    )


def _integer(value: int, line: int) -> Number:
    digits = len(str(abs(value))) if abs(value) < 10**80 else abs(value).bit_length()  # too many for any type
    return Number(
        line,
        whole=True,
        int64=INT64[0] <= value <= INT64[1],
        uint64=UINT64[0] <= value <= UINT64[1],
        double=abs(value) <= DOUBLE_WHOLE or _is_double(value),
        decimal=True,
        digits=digits,
        scale=0,
        widened=line,
    )


def _is_double(value: int) -> bool:
    """Whether a double preserves the digits: 2**55 is a double, but is printed as 3.602879701896397e+16."""
    try:
        return Decimal(repr(float(value))) == value
    except OverflowError:
        return False


def _real(value: float | Decimal, line: int) -> Number:
    exact = _exact(value)
    digits = scale = 0
    if exact is not None:
        _, figures, exponent = exact.as_tuple()
        digits, scale = max(0, len(figures) + int(exponent)), max(0, -int(exponent))
    return Number(
        line,
        whole=False,
        int64=False,
        uint64=False,
        double=_is_exact(value, exact),
        decimal=exact is not None and not (exact.is_zero() and exact.is_signed()),  # a decimal has no -0
        digits=digits,
        scale=scale,
        widened=line,
    )


def _is_exact(value: float | Decimal, exact: Decimal | None) -> bool:
    """Whether a double preserves the digits."""
    if isinstance(value, Real):
        return value.is_double()
    return isinstance(value, float) or exact is None or exact == Decimal(repr(float(value)))


def _exact(value: float | Decimal) -> Decimal | None:
    if isinstance(value, Real):
        return value.exact()
    return Decimal(repr(value) if isinstance(value, float) else value) if math.isfinite(value) else None
