"""Text to token ids: WordPiece tokenisation, pairs, reported truncation, windows over long texts."""

from bertline.text.reading import Input, Piece, Reader, Reading
from bertline.text.tokenizer import Span, Tokenizer
from bertline.text.truncation import Policy, Truncation
from bertline.text.unread import why_unread

__all__ = ["Input", "Piece", "Policy", "Reader", "Reading", "Span", "Tokenizer", "Truncation", "why_unread"]
