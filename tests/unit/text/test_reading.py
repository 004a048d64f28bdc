"""Texts and pairs as pieces: ids, segments, offsets, and what was cut. Against transformers: tests/parity."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertline.encoder.source import find_model
from bertline.text import Input, Piece, Policy, Reader, Reading, Tokenizer, Truncation

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film", "##s", "!", "e", "i", "中", *"bcdfgh"]
UNK, CLS, SEP, A, FILM, S, BANG, E = 1, 2, 3, 5, 6, 7, 8, 9
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("ab é中!\r\n🎬\u0301\u200b\ud83d\udc4d")), max_size=60)
INPUTS = st.lists(st.one_of(TEXTS, st.tuples(TEXTS, TEXTS)), max_size=4)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    directory: Path = tmp_path_factory.mktemp("words")
    (directory / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    return Tokenizer.from_directory(directory)


@pytest.fixture(scope="module")
def minilm() -> Tokenizer:
    return Tokenizer.from_directory(find_model("all-MiniLM-L6-v2"))


def read(tokenizer: Tokenizer, one: Input, truncation: Truncation | None = None, *, offsets: bool = False) -> Reading:
    (reading,) = Reader(tokenizer, truncation or Truncation(), offsets=offsets).read([one])
    return reading


def test_a_text_and_a_pair(tokenizer: Tokenizer) -> None:
    assert read(tokenizer, "A films") == Reading([Piece([CLS, A, FILM, S, SEP])], 5)
    assert read(tokenizer, ("A films", "!")) == Reading(
        [Piece([CLS, A, FILM, S, SEP, BANG, SEP], [0, 0, 0, 0, 0, 1, 1])], 7
    )


@pytest.mark.parametrize(
    ("one", "unread"),
    [("", (0,)), (" \n", (0,)), (("", "a"), (0,)), (("a", "\u200b"), (1,)), ((" ", ""), (0, 1)), (("a", "a"), ())],
)
def test_a_text_without_tokens_is_named_by_its_place(tokenizer: Tokenizer, one: Input, unread: tuple[int, ...]) -> None:
    assert read(tokenizer, one).unread == unread
    assert read(tokenizer, one, Truncation(4)).unread == unread


@settings(max_examples=50)
@given(inputs=INPUTS, max_tokens=st.integers(4, 24), policy=st.sampled_from(get_args(Policy)))
def test_truncated_texts_are_reported(minilm: Tokenizer, inputs: list[Input], max_tokens: int, policy: Policy) -> None:
    whole = Reader(minilm, Truncation(100_000)).read(inputs)
    some = Reader(minilm, Truncation(max_tokens, policy)).read(inputs)
    for one, all_of_it, part in zip(inputs, whole, some, strict=True):
        assert all_of_it.cut == 0
        assert part.read + part.cut == all_of_it.read == len(all_of_it.piece.ids)
        assert all(len(piece.ids) <= max_tokens for piece in part.pieces)
        assert part.cut or len(part.pieces) > 1 or part.pieces == all_of_it.pieces
        if policy == "window" and isinstance(one, str):
            assert part.cut == 0
        for piece in part.pieces:
            assert (piece.ids[0], piece.ids[-1]) == (minilm.cls_id, minilm.sep_id)
            assert (piece.segments is None) == isinstance(one, str)
            assert piece.offsets is None


@settings(max_examples=50)
@given(inputs=INPUTS, max_tokens=st.integers(4, 24), policy=st.sampled_from(get_args(Policy)))
def test_offsets_change_nothing_else_and_go_with_their_ids(
    minilm: Tokenizer, inputs: list[Input], max_tokens: int, policy: Policy
) -> None:
    truncation = Truncation(max_tokens, policy)
    without, located = (Reader(minilm, truncation, offsets=offsets).read(inputs) for offsets in (False, True))
    whole = Reader(minilm, Truncation(100_000), offsets=True).read(inputs)
    for plain, one, all_of_it in zip(without, located, whole, strict=True):
        assert [(piece.ids, piece.segments) for piece in plain.pieces] == [
            (piece.ids, piece.segments) for piece in one.pieces
        ]
        known = {*rows(all_of_it.piece)}
        assert all(row in known for piece in one.pieces for row in rows(piece))


def rows(piece: Piece) -> list[tuple[int, int, tuple[int, int], int, int]]:
    assert piece.offsets is not None
    assert piece.words is not None
    assert piece.places is not None
    segments = piece.segments or [0] * len(piece.ids)
    return [*zip(piece.ids, segments, piece.offsets, piece.words, piece.places, strict=True)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("🎬 a films!", ["🎬", "a", "film", "s", "!"]),
        ("a\r\nfilm\r\n!", ["a", "film", "!"]),
        ("É films", ["É", "film", "s"]),  # the accent is stripped, and the letter has one character
        ("E\u0301a!", ["E\u0301a", "!"]),
        ("\ufeffa \u200bfilm\x07s", ["a", "film", "s"]),
        ("İ a", ["İ", "a"]),  # lower-cased, it is two characters, of which one is stripped
        ("中a中", ["中", "a", "中"]),
        ("a 👩‍👩‍👧 film", ["a", "👩‍👩‍👧", "film"]),
        ("\ud83c\udfac a", ["\ud83c\udfac", "a"]),  # two halves, each a character of Python's
        ("\ud83c a \udfac\ud83c\udfac\ud83d film", ["a", "\ud83c\udfac", "film"]),
    ],
)
def test_offsets_are_the_characters_of_the_raw_text(tokenizer: Tokenizer, text: str, parts: list[str]) -> None:
    first, second = read(tokenizer, text, offsets=True), read(tokenizer, ("a!", text), offsets=True)
    offsets = first.piece.offsets
    assert offsets is not None
    assert second.piece.offsets is not None
    assert offsets[0] == offsets[-1] == (0, 0)
    assert [text[start:end] for start, end in offsets[1:-1]] == parts
    assert second.piece.offsets == [(0, 0), (0, 1), (1, 2), *offsets]
    assert [(span.start, span.end) for span in tokenizer.spans(text)] == offsets[1:-1]


def test_windows_are_pieces(tokenizer: Tokenizer) -> None:
    reading = read(tokenizer, "a b c d e f g h", Truncation(6, "window"), offsets=True)
    assert [tokenizer.tokens(piece.ids[1:-1]) for piece in reading.pieces] == [
        [*"abcd"],
        [*"defg"],
        [*"efgh"],
    ]
    assert [piece.offsets[1:-1] for piece in reading.pieces if piece.offsets] == [
        [(2 * i, 2 * i + 1) for i in places] for places in (range(4), range(3, 7), range(4, 8))
    ]
    assert (reading.read, reading.cut) == (10, 0)
    with pytest.raises(ValueError, match="too many values"):
        _ = reading.piece


def test_words_and_places_count_in_their_own_text(tokenizer: Tokenizer) -> None:
    piece = read(tokenizer, ("a films!", "films a"), offsets=True).piece
    assert tokenizer.tokens(piece.ids) == ["[CLS]", "a", "film", "##s", "!", "[SEP]", "film", "##s", "a", "[SEP]"]
    assert piece.words == [-1, 0, 1, 1, 2, -1, 0, 0, 1, -1]
    assert piece.places == [-1, 0, 1, 2, 3, -1, 0, 1, 2, -1]
    assert read(tokenizer, "a").piece.words is None


def test_places_tell_where_tokens_were_cut(tokenizer: Tokenizer) -> None:
    assert read(tokenizer, "a b c d e f g h", Truncation(6), offsets=True).piece.places == [-1, 0, 5, 6, 7, -1]
    windows = read(tokenizer, "a b c d e f g h", Truncation(6, "window"), offsets=True)
    assert [piece.places for piece in windows.pieces] == [
        [-1, 0, 1, 2, 3, -1],
        [-1, 3, 4, 5, 6, -1],
        [-1, 4, 5, 6, 7, -1],
    ]


@pytest.mark.parametrize("one", ["A films", ("A", "\r\n 🎬")])
def test_a_reading_has_its_raw_input(tokenizer: Tokenizer, one: Input) -> None:
    assert read(tokenizer, one).input == one


def test_joined_tokens_are_spelt_by_the_decoder(tokenizer: Tokenizer) -> None:
    assert tokenizer.join(["a", "film", "##s", "!"]) == "a films!"
    assert tokenizer.join(["##s", "a", "##s"]) == "##s as"
