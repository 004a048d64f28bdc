"""Text to token ids: tokenisation, pairs, reported truncation, windows over long texts.

What needs the library of tokenizers is imported when it is first used: a bundle is loaded without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bertline.text.reading import Input, Piece, Reading
from bertline.text.truncation import Policy, Truncation

if TYPE_CHECKING:
    from bertline.text.reader import Reader
    from bertline.text.tokenizer import Span, Tokenizer
    from bertline.text.unread import why_unread

__all__ = ["Input", "Piece", "Policy", "Reader", "Reading", "Span", "Tokenizer", "Truncation", "why_unread"]

_LATER = {"Reader": "reader", "Span": "tokenizer", "Tokenizer": "tokenizer", "why_unread": "unread"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
