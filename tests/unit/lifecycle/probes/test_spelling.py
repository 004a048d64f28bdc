from __future__ import annotations

from random import Random

import pytest

from bertline.lifecycle.probes.change import Draw
from bertline.lifecycle.probes.spelling import OTHER, PAIRS, spelling

DRAW = Draw(Random(0), lambda word: False)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Its colours are grey.", "Its colors are gray."),
        ("I realized it in the THEATER", "I realised it in the THEATRE"),
        ("Favourite; favourable", "Favorite; favorable"),
        ("a humorous film", None),
        ("Labour won", None),
        ("the labour of love", "the labor of love"),
        ("a good film", None),
    ],
)
def test_the_other_spelling(text: str, after: str | None) -> None:
    assert spelling(text, DRAW) == after
    if after is not None:
        assert spelling(after, DRAW) == text


def test_every_word_has_one_other_spelling() -> None:
    assert len(OTHER) == 2 * len(PAIRS)
    assert not {british for british, _ in PAIRS} & {american for _, american in PAIRS}
    assert all(british != american for british, american in PAIRS)
