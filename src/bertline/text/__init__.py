"""Text to ids: WordPiece tokenising and truncation that is reported."""

from bertline.text.tokenizer import Tokenizer
from bertline.text.truncation import Tokens, Truncation

__all__ = ["Tokenizer", "Tokens", "Truncation"]
