"""Decode bytes into lines of text: detect the encoding, and mark what cannot be decoded.

A table declared as UTF-8, which is the default, may still be UTF-16 or UTF-32: Excel's "Unicode text" and PowerShell's
``>`` write these. They are recognised by a byte order mark or by their zero bytes.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from bertline.data.rows import EncodingFault, TableFault
from bertline.errors import DataError

DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
MARKED = ("utf-8-sig", "utf-16", "utf-32")  # names from json.detect_encoding for bytes with a mark
GENERAL = ("utf-8", "utf-8-sig", "utf-16", "utf-32")  # do not fix the byte order
HEAD_BYTES = 64  # counted for zeros in text without a mark

Bytes = io.BufferedReader | gzip.GzipFile


def codec_of(head: bytes, encoding: str) -> str:
    """The codec for text that begins with ``head`` and is declared as ``encoding``.

    >>> codec_of("text".encode("utf-16"), "utf-8"), codec_of(b"text", "utf8"), codec_of(b"text", "Latin-1")
    ('utf-16', 'utf-8', 'iso8859-1')

    Raises:
        LookupError: there is no such encoding.
    """
    said = codecs.lookup(encoding).name
    if not said.startswith(("utf-8", "utf-16", "utf-32")):
        return said
    seen = json.detect_encoding(head[:4])
    if seen in MARKED or (said in GENERAL and seen != "utf-8" and _has_zeros(head[:HEAD_BYTES], seen)):
        return seen
    return said


def _has_zeros(head: bytes, codec: str) -> bool:
    """Whether most units of the head are ASCII in this codec, as at the start of a table."""
    width = 4 if "32" in codec else 2
    high = head[1::width] if codec.endswith("le") else head[::width]
    return 2 * high.count(0) >= len(high)


@contextmanager
def text_of(stream: Bytes, name: str, encoding: str, newline: str = "") -> Iterator[tuple[Iterable[str], str]]:
    """Lines with their endings, and the codec; undecodable bytes become surrogates (PEP 383).

    Args:
        stream: is left open.
        name: the table's name, for messages.
        encoding: as for ``codec_of``.
        newline: as for ``open``; by default a line ends at any of the three.

    Raises:
        DataError: unknown encoding, or the stream is damaged at its beginning.
    """
    try:
        codec = codec_of(stream.peek(HEAD_BYTES), encoding)
        text = io.TextIOWrapper(cast(BinaryIO, stream), codec, errors="surrogateescape", newline=newline)
    except DAMAGED as error:
        raise damaged(name, "", error) from error
    except LookupError as error:
        fault = f"cannot be read as {encoding!r}, which is not a text encoding"
        raise EncodingFault(name, fault, "pass another, such as --encoding utf-8") from error
    try:
        yield text, codec.removesuffix("-sig")
    finally:
        if not stream.closed:  # an abandoned reader and its stream may be closed in any order
            text.detach()


def lines_of(text: Iterable[str], name: str, codec: str) -> Iterator[str]:
    """The lines of ``text_of``; an error names the last good line.

    Raises:
        DataError: damaged, unreadable, or undecodable in an encoding that cannot resume.
    """
    number = 0
    try:
        for number, line in enumerate(text, 1):  # noqa: B007
            yield line
    except DAMAGED as error:
        raise damaged(name, f" after line {number}", error) from error
    except UnicodeError as error:  # UTF-16 and its like
        fault = f"is not {codec} after line {number} ({getattr(error, 'reason', error)})"
        raise EncodingFault(name, fault, "pass its --encoding, or save it as UTF-8") from error
    except OSError as error:
        raise TableFault(name, f"cannot be read after line {number} ({error.strerror})", "check the disk") from error


def damaged(name: str, where: str, error: Exception) -> DataError:
    """The error for a gzip file that is truncated or has a wrong checksum."""
    return TableFault(name, f"is truncated or damaged{where} ({error})", "copy it again")
