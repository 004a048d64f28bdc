"""Targets as strata of a split and as JSON."""

from __future__ import annotations

from bertline.data.entities import Entity
from bertline.data.targets import Target, strata, to_json


def test_strata_are_labels_types_or_tenths_of_the_numbers() -> None:
    targets: list[Target] = [("a", "b"), ()]
    assert strata(targets) == [("a", "b"), ()]
    assert strata([(Entity(0, 1, "x"), Entity(2, 3, "x"))]) == [("x",)]
    assert [int(one) for [one] in strata([float(n) for n in range(20)])] == [n // 2 for n in range(20)]
    assert len({*strata([1.0] * 20)}) == 1


def test_targets_as_json() -> None:
    assert to_json(("a", "b")) == ["a", "b"]
    assert to_json((Entity(0, 1, "x"),)) == [{"start": 0, "end": 1, "label": "x"}]
    assert (to_json("a"), to_json(2.5)) == ("a", 2.5)
