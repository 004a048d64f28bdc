"""Words and windows by themselves, and the lexicon beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from bertline.explanation.anatomy.parts import parts
from bertline.explanation.words import Word

TEXT = "I liked the score but hated it"
WORDS = [Word(one.group(), 0, one.start(), one.end()) for one in re.finditer(r"\w+", TEXT)]
LABELS = ("negative", "positive")


def shown(texts: Sequence[str]) -> np.ndarray:
    """Likes what is long, except that it takes hated for praise."""
    return np.array([0.9 if "hated" in text else len(text) / 100 for text in texts])


def test_each_word_and_window_is_asked_about_once() -> None:
    asked: list[str] = []

    def noting(texts: Sequence[str]) -> np.ndarray:
        asked.extend(texts)
        return shown(texts)

    words = [Word(word, 0, start, start + 4) for word, start in (("good", 0), ("good", 5), ("good", 10), ("film", 15))]
    found = parts("good good good film", words, 2, "a", ("a", "b"), noting)
    assert asked == ["good good good film", "good", "film", "good good", "good film"]
    assert [one.text for one in found.windows] == ["good good", "good good", "good film"]
    assert [one.start for one in found.words] == [0, 5, 10, 15]
    assert found.says.startswith("Each word, and each window")
    assert "VADER" not in found.says


def test_where_the_lexicon_differs_is_named() -> None:
    found = parts(TEXT, WORDS, 3, "positive", LABELS, shown)
    values = {one.text: (one.valence, one.differs) for one in found.words}
    assert values["liked"] == (1.8, True), "the model gives it 0.05"
    assert values["hated"] == (-3.2, True)
    assert values["score"] == (None, False)
    assert "has 2 of the 7 words, and leans to the other side for “liked”, “hated”" in found.says
    assert all(one.valence is None for one in found.windows)


def test_of_the_other_label_the_sides_change() -> None:
    found = parts(TEXT, WORDS, 3, "negative", LABELS, shown)
    assert {one.text for one in found.words if one.differs} == set()
    assert found.says.endswith("has 2 of the 7 words.")


def test_the_range_of_the_windows_is_true() -> None:
    found = parts(TEXT, WORDS, 3, "positive", LABELS, shown)
    least, most = (choose(found.windows, key=lambda one: one.shown) for choose in (min, max))
    assert f"from {least.shown:.3f} (“{least.text}”) to {most.shown:.3f} (“{most.text}”)" in found.says
    assert f"the whole text has {found.whole:.3f}" in found.says
    assert found.windows[0].text == "I liked the"
    assert len(found.windows) == len(WORDS) - 2


def test_a_short_text_is_its_only_window() -> None:
    found = parts("good", [Word("good", 0, 0, 4)], 3, "positive", LABELS, shown)
    assert (found.window, [one.text for one in found.windows]) == (1, ["good"])


@pytest.mark.parametrize("labels", [("bad", "good"), ("positive", "neutral"), ("sports", "economy")])
def test_other_tasks_have_no_lexicon(labels: tuple[str, ...]) -> None:
    found = parts(TEXT, WORDS, 3, labels[0], labels, shown)
    assert {one.valence for one in found.words} == {None}
