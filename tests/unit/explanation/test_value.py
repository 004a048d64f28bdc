from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bertline.explanation.sets import TextSets
from bertline.explanation.value import OverBudget, Value
from bertline.explanation.words import Word
from bertline.text import Input

WORDS = [Word("very", 0, 0, 4), Word("good", 0, 5, 9), Word("film", 1, 0, 4)]


def test_each_set_is_computed_once_and_groups_go_together() -> None:
    asked: list[Input] = []

    def scores(inputs: Sequence[Input]) -> np.ndarray[Any, Any]:
        asked.extend(inputs)
        return np.array([len(" ".join(one)) for one in inputs], dtype=np.float64)

    value = Value(TextSets(("very good", "film"), WORDS, scores), [[0, 1], [2]], budget=3)
    kept = np.array([[True, True], [False, True], [True, True]])
    assert value(kept).tolist() == [14.0, 5.0, 14.0]
    assert asked == [("very good", "film"), ("", "film")]
    assert (value.computed, value.left, len(value)) == (2, 1, 2)
    assert value(kept).tolist() == [14.0, 5.0, 14.0]
    with pytest.raises(OverBudget):
        value(~kept)
    assert len(asked) == 2


def test_words_outside_of_the_groups_stay() -> None:
    asked: list[Input] = []

    def scores(inputs: Sequence[Input]) -> np.ndarray[Any, Any]:
        asked.extend(inputs)
        return np.zeros(len(inputs))

    Value(TextSets("very good", WORDS[:2], scores), [[1]], removal="mask")(np.array([[False]]))
    assert asked == ["very [MASK]"]
