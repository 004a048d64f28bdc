"""Texts with their pieces, as the tokenizer of all-MiniLM-L6-v2 (which lower-cases and drops accents) makes them."""

from __future__ import annotations

from bertline.encoder.source import find_model
from bertline.tasks.tag.alignment import Pieces
from bertline.tasks.tag.windows import tokens_of
from bertline.text.reader import Reader
from bertline.text.reading import Reading
from bertline.text.tokenizer import Tokenizer
from bertline.text.truncation import Truncation

TOKENIZER = Tokenizer.from_directory(find_model("all-MiniLM-L6-v2"))
WHOLE = Truncation(10_000)


def read(text: str, truncation: Truncation = WHOLE, tokenizer: Tokenizer = TOKENIZER) -> Reading:
    [reading] = Reader(tokenizer, truncation, offsets=True).read([text])
    return reading


def pieces_of(
    text: str, truncation: Truncation = WHOLE, *, label_all: bool = False, tokenizer: Tokenizer = TOKENIZER
) -> Pieces:
    return Pieces(text, tokens_of(read(text, truncation, tokenizer)).visible(text), label_all)
