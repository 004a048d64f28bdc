"""Overlapping windows become one array, each token from the window that has most context for it."""

from __future__ import annotations

import numpy as np
import pytest

from bertline.tasks.tag.windows import sources, tokens_of
from bertline.text.reader import Reader
from bertline.text.truncation import Truncation
from bertline.text.windows import windows
from tests.unit.tasks.tag.texts import TOKENIZER, read


@pytest.mark.parametrize(("tokens", "room"), [(7, 4), (100, 10), (101, 10), (11, 10), (300, 128)])
def test_a_token_has_the_window_with_the_most_context(tokens: int, room: int) -> None:
    parts = windows(range(tokens), room)
    chosen = sources([len(one) for one in parts], [one[0] for one in parts])

    def context(token: int, window: int) -> float:
        part = parts[window]
        left = np.inf if part[0] == 0 else token - part[0]
        right = np.inf if part[-1] == tokens - 1 else part[-1] - token
        return min(left, right) if token in part else -1

    for token in range(tokens):
        assert context(token, chosen[token]) == max(context(token, window) for window in range(len(parts)))
    assert (np.diff(chosen) >= 0).all()


@pytest.mark.parametrize("room", [4, 7, 30, 64, 200])
def test_windows_have_the_tokens_of_the_whole_text(room: int) -> None:
    text = " ".join(f"word{i}, caf\u00e9" for i in range(20))
    whole, windowed = read(text), read(text, Truncation(room + 2, "window"))
    assert (len(windowed.pieces) > 1) == (room < len(whole.piece.ids) - 2)
    ours, theirs = tokens_of(windowed), tokens_of(whole)
    for name in ("ids", "offsets", "words", "places", "total"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name))
    rows = np.random.default_rng(0).normal(size=(len(whole.piece.ids), 3))
    places = [np.array(piece.places) for piece in windowed.pieces]
    assert np.array_equal(ours.rows([rows[own + 1] for own in places]), rows[1:-1])


def test_the_tokens_on_both_sides_of_a_gap() -> None:
    tokens = tokens_of(read("a b c d e f g h", Truncation(6, "head_tail")))
    assert (tokens.places.tolist(), tokens.total) == ([0, 5, 6, 7], 8)


def test_a_reading_without_offsets_has_no_places() -> None:
    [reading] = Reader(TOKENIZER, Truncation(16)).read(["a b"])
    with pytest.raises(ValueError, match="a reading without offsets"):
        tokens_of(reading)
