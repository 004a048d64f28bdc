"""Pairs are read as transformers reads them: ids, segments and offsets, at every length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, DistilBertTokenizerFast

from bertline.encoder.source import find_model
from bertline.text import Reader, Tokenizer, Truncation
from tests.parity.test_tokenizer import CHARACTERS, OURS, TEXTS, THEIRS

pytestmark = pytest.mark.peer

PAIRS = [(TEXTS[i], TEXTS[j]) for i in range(len(TEXTS)) for j in (0, 2, i, (i + 3) % len(TEXTS))]
DRAWN = st.text(CHARACTERS, max_size=40)


def assert_equal(ours: Tokenizer, theirs: Any, first: str, second: str, max_tokens: int) -> None:
    how = {"return_offsets_mapping": True, "return_token_type_ids": True}
    # In lists: given two strings, transformers takes an empty second one for none.
    found = theirs([first], [second], truncation="longest_first", max_length=max_tokens, **how)
    (reading,) = Reader(ours, Truncation(max_tokens, "head"), offsets=True).read([(first, second)])
    piece = reading.piece
    assert ([piece.ids], [piece.segments]) == (found["input_ids"], found["token_type_ids"])
    assert [piece.offsets] == found["offset_mapping"]
    assert [reading.read + reading.cut] == [*map(len, theirs([first], [second])["input_ids"])]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_hostile_pairs_at_every_length(first: str, second: str) -> None:
    for max_tokens in (*range(4, 40), 64, 129, 10_000):
        assert_equal(OURS, THEIRS, first, second, max_tokens)


@settings(max_examples=100)
@given(first=DRAWN, second=DRAWN, max_tokens=st.integers(4, 60))
@example("İ", "a\u0301", 5)
def test_drawn_pairs(first: str, second: str, max_tokens: int) -> None:
    assert_equal(OURS, THEIRS, first, second, max_tokens)


@settings(max_examples=100)
@given(text=st.text(CHARACTERS, max_size=60), max_tokens=st.integers(4, 60))
def test_offsets_of_drawn_texts(text: str, max_tokens: int) -> None:
    found = THEIRS(text, truncation=True, max_length=max_tokens, return_offsets_mapping=True)
    (reading,) = Reader(OURS, Truncation(max_tokens, "head"), offsets=True).read([text])
    assert (reading.piece.ids, reading.piece.offsets) == (found["input_ids"], found["offset_mapping"])


def test_distilberts_tokenizer_reads_pairs_identically(tmp_path: Path) -> None:
    source = DistilBertTokenizerFast.from_pretrained(find_model("all-MiniLM-L6-v2"))
    source.save_pretrained(tmp_path)
    ours, theirs = Tokenizer.from_directory(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    for first, second in PAIRS:
        for max_tokens in (4, 5, 6, 7, 12, 64):
            assert_equal(ours, theirs, first, second, max_tokens)
