from __future__ import annotations

from random import Random

import pytest

from bertline.lifecycle.probes.change import Draw
from bertline.lifecycle.probes.writing import contraction, end_mark, lower, upper

DRAW = Draw(Random(0), lambda word: False)


def test_case() -> None:
    assert (lower("A Film", DRAW), upper("A Film", DRAW)) == ("a film", "A FILM")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("A film.", "A film"),
        ("A film ", "A film."),
        ("A film!", "A film"),
        ("A film?", None),
        ("A film…", None),
        ("A film...", None),
        (" ", None),
    ],
)
def test_the_mark_at_the_end(text: str, after: str | None) -> None:
    assert end_mark(text, DRAW) == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("I do not like it.", "I don't like it."),
        ("It will  not end; he cannot sing.", "It won't end; he can't sing."),
        ("Do not go.", "Don't go."),
        ("I don't like it.", "I do not like it."),
        ("He won’t, and I'm glad.", "He will not, and I am glad."),
        ("Won't do. They've gone.", "Will not do. They have gone."),
        ("I'll do it and it'll work.", "I will do it and it will work."),
        ("Don't you like it?", None),
        ("Do not they go", None),
        ("It's good.", None),
        ("He'd go.", None),
        ("A film", None),
    ],
)
def test_contractions(text: str, after: str | None) -> None:
    """None of 's and 'd, each of which stands for two words, nor in a question, which has another order of words."""
    assert contraction(text, DRAW) == after
