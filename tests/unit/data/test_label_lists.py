"""Lists in cells: JSON is read, what Python shows is recognised, and a name in brackets stays a name."""

from __future__ import annotations

import pytest

from bertline.data.label_lists import is_list, list_in, shown_by_python


@pytest.mark.parametrize(
    ("text", "value"),
    [(' ["a", 1] ', ["a", 1]), ("[]", []), ("[1]", [1]), ("[a]", None), ('["a"', None), ('{"a": 1}', None), ("", None)],
)
def test_a_json_list(text: str, value: list[object] | None) -> None:
    assert list_in(text) == value
    assert is_list(text) is (value is not None)


def test_lists_of_typed_formats() -> None:
    assert is_list(["a"])
    assert is_list(())
    assert not is_list(3)
    assert not is_list(None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("['a', 'b']", True), ("['a' 'b']", True), (" ['a',] ", True), ("[a]", False), ("[]", False), ('["a"]', False)],
)
def test_a_list_as_python_and_numpy_show_it(text: str, shown: bool) -> None:
    assert shown_by_python(text) is shown
