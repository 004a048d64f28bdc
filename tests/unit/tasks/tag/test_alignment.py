"""Entities of characters to labels of pieces and back, with offsets that are exact in the raw text."""

from __future__ import annotations

import numpy as np
import pytest

from bertline.data.entities import Entity
from bertline.tasks.tag.alignment import UNLABELLED
from bertline.tasks.tag.answer import answers
from bertline.tasks.tag.scheme import Name, Scheme
from bertline.tasks.tag.spec import Spec
from bertline.text.tokenizer import Tokenizer
from bertline.text.tokenizer_classes import FAIRSEQ_SPECIALS
from bertline.text.truncation import Policy, Truncation
from tests.tokenizers import FAIRSEQ, bpe, unigram
from tests.unit.tasks.tag.texts import TOKENIZER, pieces_of, read

TEXTS = [
    "Café in São\r\nPaulo",
    "Cafe\u0301 in Sa\u0303o Paulo\u0301, ok",
    "👩‍👩‍👧‍👦 ❤️ loves 🇩🇪!",
    "\u200eParis\u200e, a\u200db",
    "İstanbul STRASSE ﬁnance",
    "中文abc 東京",
    "  lead\tand tail \n",
    "supercalifragilistic Llanfairpwllgwyngyll",
    "x[SEP] y ##ing",
    "A\u0301\u0302B C",
]

TOKENIZERS = {
    "WordPiece": TOKENIZER,
    "byte-level BPE": Tokenizer(bpe(), lowercase=False, specials=FAIRSEQ_SPECIALS),
    "Unigram": Tokenizer(unigram(FAIRSEQ), lowercase=False, specials=FAIRSEQ_SPECIALS),
}


def word_spans(text: str, tokenizer: Tokenizer = TOKENIZER) -> list[tuple[int, int]]:
    pieces = pieces_of(text, tokenizer=tokenizer)
    return [pieces.characters(i, i + 1) for i in range(len(pieces.units))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Café in São\r\nPaulo", ["Café", "in", "São", "Paulo"]),
        ("Cafe\u0301 ok", ["Cafe\u0301", "ok"]),
        ("A\u0301\u0302B, e\u0301", ["A\u0301\u0302B", ",", "e\u0301"]),
        ("👩‍👩‍👧‍👦 ❤️ 🇩🇪!", ["👩‍👩‍👧‍👦", "❤️", "🇩🇪", "!"]),
        ("\u200eParis\u200e, a\u200db", ["\u200eParis\u200e", ",", "a\u200db"]),
        ("a,\u200eb", ["a", ",\u200e", "b"]),
        ("İstanbul ﬁ", ["İstanbul", "ﬁ"]),
        ("中文abc", ["中", "文", "abc"]),
        (" \u200b lone", ["lone"]),
    ],
)
def test_the_characters_of_each_word(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in word_spans(text)] == words


@pytest.mark.parametrize("label_all", [False, True])
@pytest.mark.parametrize("name", ["BIO", "BIOES"])
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("text", TEXTS)
def test_every_run_of_words_keeps_its_characters(text: str, tokenizer: str, name: Name, label_all: bool) -> None:
    own = TOKENIZERS[tokenizer]
    scheme, words = Scheme(name, ("x", "y")), word_spans(text, own)
    pieces = pieces_of(text, label_all=label_all, tokenizer=own)
    for i in range(len(words)):
        for j in range(i, len(words)):
            entity = Entity(words[i][0], words[j][1], "y")
            labels = pieces.targets([entity], scheme)
            assert (labels[pieces.units] != UNLABELLED).all()
            [(first, after, kind)] = scheme.read(labels[pieces.units])
            assert (Entity(*pieces.characters(first, after), scheme.types[kind])) == entity


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_words_end_at_white_space_and_punctuation(tokenizer: str) -> None:
    text = " a  Paris,\n so!"
    assert [text[start:end] for start, end in word_spans(text, TOKENIZERS[tokenizer])] == ["a", "Paris", ",", "so", "!"]


@pytest.mark.parametrize("max_tokens", [8, 64])
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_white_space_inside_an_entity_has_no_label(tokenizer: str, max_tokens: int) -> None:
    own, text = TOKENIZERS[tokenizer], "in New  \n York  now"
    reading = read(text, Truncation(max_tokens, "window"), own)
    spec = Spec(types=("x",))
    arrays = spec.arrays((Entity(3, 14, "x"),), reading)
    for piece, labels in zip(reading.pieces, arrays, strict=True):
        assert len(labels) == len(piece.ids)
        for (start, end), label in zip(piece.offsets or (), labels.tolist(), strict=True):
            assert text[start:end].strip() or label == UNLABELLED
    rows = [np.eye(3)[labels.clip(0)] * 9 for labels in arrays]
    [answer] = answers(spec, [rows], [reading])
    assert [(one.text, one.entity.label) for one in answer.entities] == [("New  \n York", "x")]


def test_labels_on_first_pieces_and_on_all() -> None:
    text, scheme = "in Llanfairpwllgwyngyll now", Scheme("BIOES", ("x",))
    [encoded] = TOKENIZER.encode_whole([text])
    middle = len(encoded.ids) - 2
    assert middle > 2
    some = pieces_of(text).targets([Entity(3, 23, "x")], scheme).tolist()
    assert some == [0, scheme.label("S", 0), *[UNLABELLED] * (middle - 1), 0]
    every = pieces_of(text, label_all=True).targets([Entity(3, 23, "x")], scheme).tolist()
    b, i, e = (scheme.label(prefix, 0) for prefix in "BIE")
    assert every == [0, b, *[i] * (middle - 2), e, 0]


def test_a_part_of_a_word_stands_for_the_word() -> None:
    scheme = Scheme("BIO", ("x",))
    assert pieces_of("unhappily so").targets([Entity(2, 7, "x")], scheme)[0] == scheme.label("B", 0)


def test_entities_without_a_word_of_their_own_have_no_label() -> None:
    scheme = Scheme("BIO", ("x",))
    pieces = pieces_of("newyork \u200b so")
    spans = pieces.spans([Entity(0, 3, "x"), Entity(3, 7, "x"), Entity(8, 9, "x"), Entity(10, 12, "z")], ("x",))
    assert spans == [(0, 1, 0)]
    assert pieces_of("").targets([Entity(0, 1, "x")], scheme).tolist() == []


@pytest.mark.parametrize(
    ("policy", "words"),
    [("head", ["a", ",", "b"]), ("tail", ["e", ";", "f"]), ("head_tail", ["a", ";", "f"])],
)
def test_characters_that_were_not_read_are_in_no_word(policy: Policy, words: list[str]) -> None:
    text = "a,b,c;d,e;f"
    pieces = pieces_of(text, Truncation(5, policy))
    spans = [pieces.characters(i, i + 1) for i in range(len(pieces.units))]
    assert [text[start:end] for start, end in spans] == words


def test_the_entities_that_labels_cannot_give_back() -> None:
    pieces = pieces_of("happy in New York, Rome", Truncation(7, "head"))
    entities = [Entity(2, 5, "x"), Entity(9, 17, "x"), Entity(19, 23, "x")]
    assert pieces.misfits(entities) == [entities[0], entities[2]]
