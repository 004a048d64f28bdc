"""BM25 orders texts by the words that they share with a query."""

from __future__ import annotations

import math

import pytest

from bertline.evaluation.bm25 import LENGTH, SATURATION, bm25

TEXTS = ["the red sea is warm", "the sea", "a red red car", "nothing of it"]


def scores(query: str) -> list[float]:
    return bm25([(query, text) for text in TEXTS], TEXTS)


def test_it_is_robertsons_formula() -> None:
    mean_length = (5 + 2 + 4 + 3) / 4
    norm = SATURATION * (1 - LENGTH + LENGTH * 4 / mean_length)
    weight = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))  # "red" is in two of four texts
    assert scores("Red")[2] == pytest.approx(weight * 2 * (SATURATION + 1) / (2 + norm))


def test_rare_words_and_short_texts_weigh_more_and_unknown_words_nothing() -> None:
    warm, short, _, none = scores("the warm sea")
    assert warm > short > none == 0
    assert scores("the sea")[1] > scores("the sea")[0]
    assert scores("boat?") == [0, 0, 0, 0]
    assert bm25([("a", "b")], ["", "b"]) == [0]
