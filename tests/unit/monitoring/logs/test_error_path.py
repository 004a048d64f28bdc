"""What is said of an error."""

from __future__ import annotations

from json import JSONDecodeError

import pytest

from bertline.monitoring.logs.error_path import MOST_CAUSES, kind_of, path_of


def test_the_path_of_an_error_has_its_causes_without_their_messages() -> None:
    def fail() -> None:
        try:
            raise KeyError("secret")
        except KeyError as cause:
            raise RuntimeError("secret") from cause

    with pytest.raises(RuntimeError) as caught:
        fail()
    path = path_of(caught.value)
    assert path.startswith("builtins.RuntimeError\n")
    assert "\nfrom builtins.KeyError\n" in path
    assert "in fail" in path
    assert "secret" not in path


def test_a_cause_that_was_suppressed_is_left_out() -> None:
    error = RuntimeError()
    error.__context__, error.__suppress_context__ = KeyError(), True
    assert path_of(error) == "builtins.RuntimeError"


def test_causes_in_a_circle_end() -> None:
    one, other = RuntimeError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    assert path_of(one).count("builtins") == MOST_CAUSES


def test_the_kind_has_its_module() -> None:
    assert kind_of(JSONDecodeError("secret", "secret", 0)) == "json.decoder.JSONDecodeError"
