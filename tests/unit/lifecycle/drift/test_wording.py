from __future__ import annotations

import pytest

from bertline.lifecycle.drift.found import Drift
from bertline.lifecycle.drift.wording import labelled_words
from bertline.statistics.sequential import AccuracyDrop


def said(labelled: AccuracyDrop | None) -> list[str]:
    found = labelled_words(Drift(100, 100, 0.05, (), None, None, (), labelled))
    return [one.replace("\u202f", " ") for one in found]


def test_without_labels_nothing_is_said_of_them() -> None:
    assert said(None) == []


def test_labels_as_expected() -> None:
    assert said(AccuracyDrop(0.9, 0.92, 1_000)) == [
        "Accuracy on 1,000 labels: 92.0 %; 90.0 % was expected.",
        "No drop of accuracy was found.",
    ]


@pytest.mark.parametrize(
    ("after", "more"),
    [
        (0.85, ""),
        (0.905, " That is no less than was expected: it had been higher, or has come back since."),
    ],
)
def test_a_drop_below_what_was_expected_and_one_that_is_not(after: float, more: str) -> None:
    """The command ends with the last sentence."""
    *_, last = said(AccuracyDrop(0.9, 0.92, 1_000, 700, 500, after))
    shown = f"it is {100 * after:.1f} %, which could be told after 700 labels."
    assert last == f"Accuracy dropped: since about label 501 {shown}{more}"
