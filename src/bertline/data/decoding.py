"""Bytes to lines of text: which encoding they are in, and what cannot be decoded.

A table that is said to be UTF-8, as it is unless somebody says otherwise, may as well be in UTF-16 or UTF-32: Excel's
"Unicode text" and PowerShell's ``>`` write that. Their bytes tell it, by a mark or by their zeros.
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
MARKED = ("utf-8-sig", "utf-16", "utf-32")  # what json.detect_encoding calls bytes with a mark
GENERAL = ("utf-8", "utf-8-sig", "utf-16", "utf-32")  # say nothing of the order of the bytes
HEAD_BYTES = 64  # of text without a mark, whose zeros are counted

Bytes = io.BufferedReader | gzip.GzipFile


def codec_of(head: bytes, encoding: str) -> str:
    """The codec for text that begins with ``head`` and is said to be in ``encoding``.

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
    """Whether most units of the head are ASCII in this codec, as they are where a table begins."""
    width = 4 if "32" in codec else 2
    high = head[1::width] if codec.endswith("le") else head[::width]
    return 2 * high.count(0) >= len(high)


@contextmanager
def text_of(stream: Bytes, name: str, encoding: str, newline: str = "") -> Iterator[tuple[Iterable[str], str]]:
    """Lines with their endings, and the codec; bytes that are no text become surrogates (PEP 383).

    Args:
        stream: is left open.
        name: of the table, in messages.
        encoding: as for ``codec_of``.
        newline: as for ``open``; by default a line ends at any of the three.

    Raises:
        DataError: no such encoding, or a stream that is damaged at its beginning.
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
        if not stream.closed:  # an abandoned reader and what it reads go in any order
            text.detach()


def lines_of(text: Iterable[str], name: str, codec: str) -> Iterator[str]:
    """The lines of ``text_of``; what goes wrong on the way is an error that names the last good line.

    Raises:
        DataError: damaged, unreadable, or in an encoding that cannot go on after a fault.
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
    """What is said of a gzip file that ends too early or whose checksum is wrong."""
    return TableFault(name, f"is cut off or damaged{where} ({error})", "copy it again")
