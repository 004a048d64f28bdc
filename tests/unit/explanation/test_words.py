from __future__ import annotations

import pytest

from bertline.explanation.words import Word, sentences_of, without, words_of
from bertline.testing.tiny import tiny_tokenizer


def texts(one: str | tuple[str, str]) -> list[str]:
    return [word.text for word in words_of(one, tiny_tokenizer())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("good, bad!", ["good", ",", "bad", "!"]),
        ("I didn't; it’s good", ["I", "didn't", ";", "it’s", "good"]),
        ("the films' end", ["the", "films", "'", "end"]),
        ("'good' bad", ["'", "good", "'", "bad"]),
        ("  ", []),
    ],
)
def test_words_are_those_of_the_text(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_places_are_in_the_text_and_sides_are_told_apart() -> None:
    one = ("Good film", "bad film")
    words = words_of(one, tiny_tokenizer())
    assert [one[word.side][word.start : word.end] for word in words] == ["Good", "film", "bad", "film"]
    assert [word.side for word in words] == [0, 0, 1, 1]


def test_every_set_of_words_can_be_taken_out() -> None:
    text = "I didn't like it, but: good!"
    words = words_of(text, tiny_tokenizer())
    for bits in range(2 ** len(words)):
        kept = [bool(bits >> place & 1) for place in range(len(words))]
        left = without(text, words, kept, "delete", "[MASK]")
        assert str(left).replace(" ", "") == "".join(
            word.text for word, stays in zip(words, kept, strict=True) if stays
        )
    assert without(text, words, [True] * len(words), "delete", "[MASK]") == text
    assert without(text, words, [False] * len(words), "delete", "[MASK]") == ""


def test_masks_stand_apart() -> None:
    words = words_of("good,bad", tiny_tokenizer())
    assert without("good,bad", words, [True, False, True], "mask", "[MASK]") == "good [MASK] bad"


def test_a_pair_stays_a_pair() -> None:
    one = ("good film", "bad")
    words = words_of(one, tiny_tokenizer())
    assert without(one, words, [False, True, False], "delete", "[MASK]") == ("film", "")


def test_sentences_end_at_marks_lines_and_texts() -> None:
    text = 'One. Two?! "Three"\nfour'
    words = [Word(part, 0, text.index(part), text.index(part) + len(part)) for part in ("One", ".", "Two", "?", "!")]
    words += [Word("Three", 0, text.index("Three"), 17), Word("four", 0, 19, 23), Word("five", 1, 0, 4)]
    assert sentences_of(words, [text, "five"]) == [[0, 1], [2, 3, 4], [5], [6], [7]]
