from __future__ import annotations

import pytest

from bertline.lifecycle.probes.marks import LONGEST, marked


@pytest.mark.parametrize(
    ("before", "after", "marks"),
    [
        ("a good film", "a good film", ([], [])),
        ("a good film", "a bad film", ([(2, 6)], [(2, 5)])),
        ("is good", "is not good", ([], [(3, 6)])),
        ("do not go", "don't go", ([(0, 6)], [(0, 5)])),
        ("🙂 gray", "🙂 grey", ([(2, 6)], [(2, 6)])),
        ("a  b\nc", "@x a  b\nc", ([], [(0, 2)])),
    ],
)
def test_words_that_differ(before: str, after: str, marks: tuple[list[object], list[object]]) -> None:
    assert marked(before, after) == marks


def test_a_very_long_text_is_marked_in_one_piece() -> None:
    text = "word " * (LONGEST + 1)
    assert marked(text, f"{text}end") == ([], [(len(text), len(text) + 3)])
    first, second = marked(f"a {text}", f"a x {text}")
    assert (first[0][0], second[0][0]) == (2, 2)
