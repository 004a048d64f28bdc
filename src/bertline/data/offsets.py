"""Where the lines of a text table begin in its bytes, so that a part of it can be read without what is before it."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterator

MARK = codecs.BOM_UTF8


class Offsets:
    """The first byte of the latest lines of a table, while its rows are read.

    Attributes:
        known: whether lines can be found in the bytes. In UTF-16, in UTF-32 and in encodings with states or several
            bytes per character other than UTF-8 they cannot.
        end: first byte after the last line that was read.
    """

    def __init__(self) -> None:
        self.known, self.end = False, 0
        self._starts: deque[int] = deque()
        self._line = 1  # of the first of the starts

    def watched(self, lines: Iterator[str], codec: str, mark: bool) -> Iterator[str]:
        """The lines as they pass.

        Args:
            lines: with their endings; undecodable bytes are surrogates (PEP 383).
            codec: of the bytes.
            mark: whether a byte order mark, which is in no line, comes first.
        """
        utf8 = codecs.lookup(codec).name == "utf-8"
        self.known, self.end = utf8 or has_single_bytes(codec), len(MARK) * mark
        for line in lines:
            self._starts.append(self.end)
            self.end += len(line.encode("utf-8", "surrogateescape")) if utf8 and not line.isascii() else len(line)
            yield line

    def of(self, line: int) -> int:
        """First byte of a line, counted from 1, which has been read; earlier lines than it are forgotten."""
        while self._line < line:
            self._starts.popleft()
            self._line += 1
        return self._starts[0]


def has_single_bytes(codec: str) -> bool:
    """Whether every byte is a character of its own.

    >>> has_single_bytes("latin-1"), has_single_bytes("cp1252"), has_single_bytes("utf-16"), has_single_bytes("gb2312")
    (True, True, False, False)
    """
    try:
        one, two = (bytes(range(256)).decode(codec, "surrogateescape"), b"\n\n".decode(codec, "surrogateescape"))
    except (UnicodeError, LookupError):
        return False
    return len(one) == 256 and one[:128].isascii() and two == "\n\n"
