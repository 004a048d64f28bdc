"""Cut tables into shards: one pass over all rows, which also finds the bad ones before any work."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from bertline.data.formats import Format, format_of
from bertline.data.head import Head, take_head
from bertline.data.offsets import MARK, Offsets
from bertline.data.outline import Outline
from bertline.data.ranges import Preamble, Range
from bertline.data.rows import BadRow, BadRows, Row
from bertline.data.settings import Reads, TableSettings
from bertline.data.table import open_table, read_rows
from bertline.distributed.inputs import Inputs
from bertline.distributed.plan import InputFile, Shard, Table
from bertline.inference.stream import FIRST_WINDOW_ROWS, Windows
from bertline.inference.table_texts import Legible, checked_row, input_of, text_columns

# A shard that is lost is computed again, so a shard should not take minutes; its files should not be many.
SHARD_ROWS = 16_384
PARQUET_END = 2**62  # the last shard of a file has all rows to its end

Watch = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """How tables are read, and what is written of them.

    Attributes:
        settings: of the tables.
        format: of the shards.
        reads: what the model reads.
        legible: does the model read anything of a text?
        required: what every text must contain.
    """

    settings: TableSettings
    format: Format
    reads: Reads
    legible: Legible
    required: str = ""


@dataclass
class Edges:
    """Where windows of a file begin: line, first byte (of Parquet the number of rows before), and most texts."""

    offsets: Offsets | None  # None: of Parquet, whose rows are numbered
    windows: Windows = field(default_factory=Windows)
    starts: list[tuple[int, int, int]] = field(default_factory=lambda: [(1, 0, FIRST_WINDOW_ROWS)])
    rows: list[int] = field(default_factory=lambda: [0])

    def take(self, row: Row, texts: tuple[str, ...]) -> None:
        """The next good row."""
        if self.windows.begins(input_of(row, texts)) and (self.offsets is None or self.offsets.known):
            start = row.line - 1 if self.offsets is None else self.offsets.of(row.line)
            self.starts.append((row.line, start, self.windows.limit_rows))
            self.rows.append(0)
        self.rows[-1] += 1

    def joined(self, shard_rows: int) -> None:
        """Leave out edges, so that shards have so many rows at least, but for the last one."""
        starts, rows = self.starts[:1], self.rows[:1]
        for start, number in zip(self.starts[1:], self.rows[1:], strict=True):
            if rows[-1] >= shard_rows:
                starts.append(start)
                rows.append(number)
            else:
                rows[-1] += number
        self.starts, self.rows = starts, rows


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What the pass over a file found."""

    table: Table
    edges: Edges
    columns: tuple[str, ...]
    bad: BadRows


def survey(inputs: Inputs, file: InputFile, how: Reading, watch: Watch) -> Surveyed:
    """Read a table once: its windows, its columns, and its bad rows.

    Args:
        inputs: have the file.
        file: to read.
        how: reads it.
        watch: is called with the number of rows that were read since the last call.

    Raises:
        DataError: the table cannot be read, has no text, has bad rows that may not be left out, or has a column that
            the shards' format cannot hold.
    """
    settings, name = how.settings, inputs.shown(file.name)
    kind, header = format_of(file.name, settings.format), not settings.no_header
    offsets = None if kind == "parquet" else Offsets()
    with inputs.open(file.name) as stream:
        source = read_rows(
            stream, format=kind, encoding=settings.encoding, delimiter=settings.delimiter, header=header, name=name,
            offsets=offsets,
        )  # fmt: skip
        preamble = _Preamble(kind, header, offsets)
        head, rows = take_head(name, kind, preamble.watched(source), header=header)
        head.require_rows("texts to label", skip=settings.skip_bad_rows)
        texts, edges = text_columns(settings, head, how.reads), Edges(offsets)
        if kind == "conll" and offsets is not None:
            offsets.known = False
        bad, columns = _pass(rows, head, texts, how, edges, watch)
    return Surveyed(Table(preamble=preamble.found, texts=texts), edges, columns, bad)


def shards_of(surveyed: Surveyed, inputs: Inputs, files: Sequence[InputFile], place: int) -> Iterator[Shard]:
    """The shards between a table's edges, with the hashes of their bytes.

    Shards begin where a process that answers the whole file begins a window of texts, so they have its batches, and
    its answers to the last bit.
    """
    edges, name = surveyed.edges, files[place].name
    for rows, (_, _, window_rows), part in zip(edges.rows, edges.starts, _parts(edges, inputs, name), strict=True):
        yield Shard(file=place, rows=rows, window_rows=window_rows, part=part)


def _pass(
    rows: Iterator[Row | BadRow],
    head: Head,
    texts: tuple[str, ...],
    how: Reading,
    edges: Edges,
    watch: Watch,
) -> tuple[BadRows, tuple[str, ...]]:
    outline, bad = Outline(head.source, how.format, head.place), head.bad_rows()
    good = False
    for row in rows:
        watch(1)
        checked = checked_row(row, texts, how.legible, outline, how.required)
        if isinstance(checked, BadRow):
            bad.add(checked)
            continue
        good = True
        outline.add(checked)
        edges.take(checked, texts)
    if bad and not (good and how.settings.skip_bad_rows):
        raise bad.error()
    return bad, tuple(outline.columns)


class _Preamble:
    """What comes before the rows that a range may begin with."""

    def __init__(self, kind: Format, header: bool, offsets: Offsets | None) -> None:
        self._kind, self._header, self._offsets = kind, header, offsets
        self.found = Preamble()

    def watched(self, rows: Iterator[Row | BadRow]) -> Iterator[Row | BadRow]:
        """The rows as they pass; the preamble is found among the first ones."""
        if self._offsets is None or self._kind == "conll":
            yield from rows
            return
        before = []  # rows that every range is read with
        if self._kind in ("csv", "tsv") and not self._header:
            for row in rows:
                before.append(row)
                if isinstance(row, Row):
                    break
        first = next(rows, None)
        if first is not None and self._kind == "jsonl":
            start = self._offsets.of(1)
            self.found = Preamble(len(MARK) if start == len(MARK) else 0)
        elif first is not None:
            self.found = Preamble(self._offsets.of(first.line), first.line - 1, len(before))
        yield from chain(before, [] if first is None else [first], rows)


def _parts(edges: Edges, inputs: Inputs, file: str) -> Iterator[Range]:
    """The ranges between the edges; those of text with the hash of their bytes."""
    lines, starts = [line for line, _, _ in edges.starts], [start for _, start, _ in edges.starts]
    if edges.offsets is None:
        ends = [*starts[1:], PARQUET_END]
        yield from (Range(*one) for one in zip(lines, starts, ends, strict=True))
        return
    if not edges.offsets.known:
        yield Range(1, 0, 0)
        return
    with inputs.open(file) as raw, open_table(raw, file) as whole:
        for line, start, end in zip(lines, starts, [*starts[1:], edges.offsets.end], strict=True):
            yield Range(line, start, end, hashlib.sha256(whole.read(end - start)).hexdigest())
