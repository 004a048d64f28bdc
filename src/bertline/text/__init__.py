"""Text to ids: WordPiece tokenising, truncation that is reported, windows over long texts."""

from bertline.text.tokenizer import Span, Tokenizer
from bertline.text.truncation import Tokens, Truncation
from bertline.text.unread import why_unread
from bertline.text.windows import windows

__all__ = ["Span", "Tokenizer", "Tokens", "Truncation", "why_unread", "windows"]
