from __future__ import annotations

import pytest

from bertline.lifecycle.drift import language
from bertline.lifecycle.drift.properties import (
    CUT,
    LANGUAGE,
    LENGTH,
    SCRIPT,
    SPLIT,
    UNKNOWN,
    UNSEEN,
    most_common,
    properties_of,
    relative_properties,
)
from bertline.testing.tiny import tiny_tokenizer
from bertline.text import Reader, Truncation

ENGLISH = ["The film was long, and nobody laughed.", "A quiet story about two brothers and their father."]
GERMAN = ["Der Film war lang, und niemand hat gelacht.", "Eine leise Geschichte über zwei Brüder und ihren Vater."]


def test_what_the_model_reads_of_a_text() -> None:
    tokenizer = tiny_tokenizer()
    readings = Reader(tokenizer, Truncation(6, "head")).read(["a is it", "a a a a a a a a", "東 a", "alz"])
    seen = frozenset(i for one in readings[:2] for piece in one.pieces for i in piece.ids)
    found = properties_of(tokenizer, readings, seen)
    assert found[LENGTH].tolist() == [5, 10, 4, 4]
    assert found[CUT].tolist() == [0, 1, 0, 0]
    assert found[UNKNOWN].tolist() == [0, 0, 0.25, 0]
    assert found[UNSEEN].tolist() == [0, 0, 0.25, 0.5]  # al and ##z
    assert found[SPLIT].tolist() == [5 / 3, 10 / 8, 2, 4]


def test_without_counts_of_the_training_texts_nothing_is_unseen() -> None:
    readings = Reader(tiny_tokenizer(), Truncation(6, "head")).read(["a"])
    assert UNSEEN not in properties_of(tiny_tokenizer(), readings, frozenset())


def test_another_script_and_another_language() -> None:
    most = most_common(ENGLISH)
    assert most == {"script": "LATIN", "language": "en"}
    found = relative_properties(["Фильм", "film Ω", "12!", *GERMAN, *ENGLISH], most)
    assert found[SCRIPT].tolist() == [1, pytest.approx(0.2), 0, 0, 0, 0, 0]
    assert found[LANGUAGE][3:].tolist() == [1, 1, 0, 0]


def test_languages_are_left_out_where_they_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_identifier", lambda: None)
    assert not language.identifies()
    assert most_common(["film"]) == {"script": "LATIN"}
    assert [*relative_properties(["film"], most_common(["film"]))] == [SCRIPT]
