"""Foreign texts stand out, and where nothing has changed few do."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np

from bertline.lifecycle.predictions.foreign import LEAST_ROWS, WIDTH, foreign, reference_texts, vectors
from bertline.testing.tiny import write_tiny_bundle
from bertline.testing.words import WordCounter

FILM = ["film", "story", "actor", "scene", "music", "director", "plot", "ending", "screen", "camera", "comedy", "drama"]
BANK = ["interest", "rate", "bank", "loan", "credit", "account", "transfer", "card", "payment"]


def sentences(words: list[str], number: int, seed: int) -> list[str]:
    draw = Random(seed)
    return [" ".join(draw.choices(words, k=8)) for _ in range(number)]


def test_another_topic_comes_first() -> None:
    reference, texts = sentences(FILM, 300, 1), [*sentences(FILM, 95, 2), *sentences(BANK, 5, 3)]
    found = foreign(reference, texts)
    assert {one.place for one in found[:5]} == {95, 96, 97, 98, 99}
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert foreign(reference, texts) == found


def test_where_nothing_has_changed_few_are_foreign() -> None:
    shares = [len(foreign(sentences(FILM, 400, seed), sentences(FILM, 200, seed + 100))) / 200 for seed in range(10)]
    assert np.mean(shares) < 0.04  # 0.01 is expected; a draw of 200 has 2 ± 1.4 of them


def test_too_few_texts_tell_nothing() -> None:
    few, many = sentences(FILM, LEAST_ROWS - 1, 1), sentences(BANK, 100, 2)
    assert foreign(few, many) == foreign(many, few) == foreign([], many) == []


def test_a_long_reference_is_thinned_and_texts_without_words_are_no_error() -> None:
    found = foreign(sentences(FILM, 5_000, 1), [*sentences(BANK, 25, 2), "", "!?"])
    assert len(found) >= 25


def test_vectors_have_length_one_and_count_a_word_once() -> None:
    rows = vectors(["good good film", "film GOOD", ""])
    assert rows.shape == (3, WIDTH)
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 0], atol=1e-6)


def test_the_reference_of_a_bundle(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "b", rows=30)
    assert len(reference_texts(tmp_path / "b")) == 60
    assert reference_texts(WordCounter().bundle) == ()
