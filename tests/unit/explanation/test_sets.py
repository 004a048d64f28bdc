from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bertline.explanation.sets import Ranges, SpanSets, TextSets
from bertline.explanation.words import words_of
from bertline.testing.tiny import tiny_tokenizer

TEXT = "He saw (New York) twice, didn't he?"
WORDS = words_of(TEXT, tiny_tokenizer())
SPAN = range(3, 5)


def length(texts: Sequence[str], ranges: Sequence[Ranges]) -> np.ndarray[Any, Any]:
    return np.array([own[-1][1] - own[0][0] for _, own in zip(texts, ranges, strict=True)], dtype=float)


def test_a_score_for_each_set_of_words() -> None:
    sets = TextSets("not good", words_of("not good", tiny_tokenizer()), lambda inputs: np.array([*map(len, inputs)]))
    assert sets(np.array([[True, True], [False, True], [True, False]]), "delete").tolist() == [8, 4, 3]
    assert sets(np.array([[False, True]]), "mask").tolist() == [len("[MASK] good")]


@pytest.mark.parametrize(
    ("gone", "removal", "text"),
    [
        ("", "delete", TEXT),
        ("He saw (", "delete", "New York) twice, didn't he?"),
        ("saw", "delete", "He ( New York) twice, didn't he?"),
        ("saw", "mask", "He [MASK] ( New York) twice, didn't he?"),
        ("New", "delete", "He saw ([MASK] York) twice, didn't he?"),
        ("New York", "mask", "He saw ([MASK] [MASK]) twice, didn't he?"),
        (") twice , didn't", "delete", "He saw (New York he?"),
    ],
)
def test_a_span_keeps_its_place(gone: str, removal: Any, text: str) -> None:
    words = gone.split() if gone != "He saw (" else ["He", "saw", "("]
    kept = np.array([word.text not in words for word in WORDS])
    found, ranges = SpanSets(TEXT, WORDS, SPAN, length).placed(kept, removal)
    assert found == text
    spans = [found[start:end] for start, end in ranges]
    assert spans == [word if word not in words else "[MASK]" for word in ("New", "York")]


def test_words_of_the_same_spelling_are_told_apart() -> None:
    text = "York York York"
    sets = SpanSets(text, words_of(text, tiny_tokenizer()), range(1, 2), length)
    kept = np.array([[False, True, True], [True, True, False]])
    assert [sets.placed(row, "delete") for row in kept] == [("York York", [(0, 4)]), ("York York", [(5, 9)])]
    assert sets(kept, "delete").tolist() == [4, 4]
