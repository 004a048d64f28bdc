"""Kinds are joined row by row; what does not mix is named with both lines."""

from __future__ import annotations

from typing import Any

import pytest

from bertline.data.json_values import Real
from bertline.data.kinds import Boolean, Fields, Items, Kind, Mixed, Null, Number, Text, join, kind_of
from bertline.data.rows import Rendered, UnreadableValue


def joined(*values: object) -> Kind:
    kind: Kind = Null(0)
    for line, value in enumerate(values, 1):
        kind = join(kind, kind_of(value, line, "'a'"), "'a'")
    return kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, None], Null(0)),
        ([None, True], Boolean(0)),
        (["x", None], Text(0)),
        ([[], ["x"]], Items(0, Text(0))),
        ([{}, {"x": None}, {"x": True}], Fields(0, {"x": Boolean(0)})),
        ([[{"x": 1}], [{"y": "b"}]], Items(0, Fields(0, {"x": kind_of(1, 0), "y": Text(0)}))),
    ],
)
def test_nulls_and_new_keys_add_to_a_kind(values: list[Any], kind: Kind) -> None:
    assert joined(*values) == kind


def test_a_value_that_adds_nothing_leaves_the_kind_as_it_is() -> None:
    kind = joined(1, 22, [][:0] or None, 333)
    assert join(kind, kind_of(7, 9), "'a'") is kind


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        ([1, -1], {"whole", "int64", "double", "decimal"}),
        ([1, 2**64 - 1], {"whole", "uint64", "decimal"}),
        ([-1, 2**63], {"whole", "decimal"}),
        ([1, 2.5], {"double", "decimal"}),
        ([2**53 + 1, 2.5], {"decimal"}),
        ([Real("1.10"), Real("NaN")], {"double"}),
        ([Real("-0.0")], {"double"}),
        ([Real("0.10000000000000000001")], {"decimal"}),
        ([Real("1e400")], {"decimal"}),
        ([Real("1e99999999999999999999")], set()),
    ],
)
def test_the_type_that_holds_every_number(values: list[Any], holds: set[str]) -> None:
    """T9: a type is taken only if it holds every number of the column."""
    kind = joined(*values)
    assert isinstance(kind, Number)
    assert {name for name in ("whole", "int64", "uint64", "double", "decimal") if getattr(kind, name)} == holds


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1, "x"], "'a' is a number in line 1 and a string in line 2"),
        ([None, {"x": [1]}, 3, {"x": 1}], "'a' is an object in line 2 and a number in line 3"),
        ([{"x": [1]}, {"x": ["y"]}], "'a'.x[] is a number in line 1 and a string in line 2"),
        ([[True, 1]], "'a'[] is true or false in line 1 and a number in line 1"),
    ],
)
def test_incompatible_flags_are_named(values: list[Any], sentence: str) -> None:
    """T9: with the path inside the column and both lines."""
    with pytest.raises(Mixed) as error:
        joined(*values)
    assert error.value.sentence("line") == sentence


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Rendered("date", "2026-01-02"), "it is of type date"),
        (UnreadableValue("its byte 0xff at 1 is not UTF-8"), "its byte 0xff at 1 is not UTF-8"),
        (object(), "it is of type object"),
    ],
)
def test_values_without_a_kind(value: object, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        kind_of(value, 1)
