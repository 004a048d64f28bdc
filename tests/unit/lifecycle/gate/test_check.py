from __future__ import annotations

from bertline.lifecycle.gate.check import Check, Decision, decide


def of(*decisions: Decision) -> list[Check]:
    return [Check("one", decision, "because") for decision in decisions]


def test_any_no_is_a_no_and_doubt_is_no_yes() -> None:
    assert decide(of("yes", "yes")) == "yes"
    assert decide(of("yes", "undecided")) == "undecided"
    assert decide(of("undecided", "no", "yes")) == "no"


def test_a_check_as_json() -> None:
    assert Check("a", "yes", "b", {"c": 1}).to_json() == {
        "name": "a",
        "decision": "yes",
        "sentence": "b",
        "figures": {"c": 1},
    }
