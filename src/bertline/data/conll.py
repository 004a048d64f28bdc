"""CoNLL files: one word per line with its tags in columns, and a blank line after each sentence.

A sentence becomes a row. Its ``text`` is its words joined by single spaces, and its ``entities`` come from the last
column of tags, with their characters in that text. A file with words alone has no entities.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from bertline.data.entities import Entity, chunks, is_tag
from bertline.data.rows import BadRow, Row, UnreadableValue, line_fault

DOCUMENT = "-DOCSTART-"  # CoNLL-2003's line between documents
_SPACES = re.compile(" +")

NumberedLine = tuple[int, str]


def read_conll(lines: Iterator[str], encoding: str) -> Iterator[Row | BadRow]:
    """The sentences of a file; ``BadRow.line`` is the line of the faulty word.

    Columns are separated by tabs if the first line with a word has one, otherwise by spaces. A line that begins with
    ``#`` before the first word of a sentence is a comment, unless it has as many columns as that first line.
    """
    numbered = ((number, line.rstrip("\r\n")) for number, line in enumerate(lines, 1))
    head: list[NumberedLine] = []
    for one in numbered:
        head.append(one)
        if one[1].strip() and not one[1].startswith(("#", DOCUMENT)):
            break
    layout = _Layout.of([line for _, line in head if line.strip() and not line.startswith(DOCUMENT)])
    sentence = _Sentence(layout, encoding)
    for number, line in chain(head, numbered):
        if not line.strip() or (line.startswith(DOCUMENT) and layout.split(line)[0] == DOCUMENT):
            yield from sentence.end()
            sentence = _Sentence(layout, encoding)
        elif not (line.startswith("#") and sentence.begins and len(layout.split(line)) != layout.columns):
            sentence.add(number, line)
    yield from sentence.end()


@dataclass(frozen=True, slots=True)
class _Layout:
    tab: bool
    columns: int

    @classmethod
    def of(cls, lines: Sequence[str]) -> _Layout:
        """The layout of the last of the lines; those before it begin with ``#``."""
        if not lines:
            return cls(tab=False, columns=0)
        tab = "\t" in lines[-1]
        fields = cls(tab, 0).split(lines[-1])
        comment = lines[-1].startswith("#") and not is_tag(fields[-1])
        return cls(tab, 0 if comment else len(fields))

    def split(self, line: str) -> list[str]:
        return line.split("\t") if self.tab else _SPACES.split(line.strip(" "))


@dataclass(slots=True)
class _Sentence:
    layout: _Layout
    encoding: str
    words: list[list[str]] = field(default_factory=list)
    line: int = 0
    fault: BadRow | None = None

    @property
    def begins(self) -> bool:
        return not self.words and self.fault is None

    def add(self, number: int, line: str) -> None:
        self.line = self.line or number
        fields = self.layout.split(line)
        if self.fault is not None:
            return
        if fault := line_fault(line, self.encoding):
            self.fault = BadRow(number, *fault)
        elif len(fields) != self.layout.columns:
            separator = "tabs" if self.layout.tab else "spaces"
            self.fault = BadRow(
                number,
                f"not the {self.layout.columns} columns of the first word",
                f"it has {len(fields)}, separated by {separator}",
            )
        elif not fields[0].strip():
            self.fault = BadRow(number, "a tag without a word")
        else:
            self.words.append(fields)

    def end(self) -> Iterator[Row | BadRow]:
        if self.fault is not None:
            yield self.fault
        elif self.words:
            words, *tags = zip(*self.words, strict=True)
            values: dict[str, object] = {"text": " ".join(words)}
            if tags:
                values["entities"] = _entities(words, tags[-1])
            yield Row(self.line, values)


def _entities(words: Sequence[str], tags: Sequence[str]) -> list[dict[str, object]] | UnreadableValue:
    for place, tag in enumerate(tags, 1):
        if not is_tag(tag):
            return UnreadableValue(f"word {place} has the tag {tag!r}, which is neither O nor of the form B-person")
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word) + 1
    return [
        Entity(starts[first], starts[after - 1] + len(words[after - 1]), kind).to_json()
        for first, after, kind in chunks(tags)
    ]
