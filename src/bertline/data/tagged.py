"""A table to texts with entities; a CoNLL file is such a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bertline.data.columns import TEXT_NAMES, find_column, text_fault
from bertline.data.entities import ENTITY_NAMES, Entity, row_entities
from bertline.data.formats import Location, format_of, name_of
from bertline.data.rows import BadRow, BadRows, Row
from bertline.data.table import read_rows
from bertline.errors import DataError


@dataclass(frozen=True, slots=True)
class TaggedText:
    """A text and its entities in order; ``line`` is where its row starts."""

    line: int
    text: str
    entities: tuple[Entity, ...]


@dataclass(frozen=True, slots=True)
class TaggedTexts:
    """The usable rows of a table in order, and how many were left out for which reason."""

    source: str
    texts: tuple[TaggedText, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def types(self) -> tuple[str, ...]:
        """The types of the entities, sorted."""
        return tuple(sorted({entity.label for one in self.texts for entity in one.entities}))


def read_tagged(
    source: Location,
    *,
    text_column: str | None = None,
    entities_column: str | None = None,
    format: str | None = None,
    encoding: str = "utf-8",
    skip_bad_rows: bool = False,
) -> TaggedTexts:
    """Read texts with entities.

    Args:
        source: a path or ``-``.
        text_column: found by its name when not given.
        entities_column: found by its name when not given.
        format: as for ``read_rows``.
        encoding: as for ``read_rows``.
        skip_bad_rows: leave bad rows out and count them in ``TaggedTexts.skipped``, instead of raising.

    Raises:
        DataError: the table cannot be read, a column is missing or in doubt, a row is bad, or there are no rows.
    """
    name = name_of(source, "input")
    bad = BadRows(name, "row" if format_of(source, format) == "parquet" else "line")
    texts: list[TaggedText] = []
    for row in read_rows(source, format=format, encoding=encoding):
        if isinstance(row, Row) and (text_column is None or entities_column is None):
            columns = tuple(row.values)
            text_column = find_column(name, columns, text_column, TEXT_NAMES, "text")
            entities_column = find_column(name, columns, entities_column, ENTITY_NAMES, "entities")
        one = row if isinstance(row, BadRow) else _tagged(row, text_column or "", entities_column or "")
        if isinstance(one, BadRow):
            bad.add(one)
        else:
            texts.append(one)
    if bad and (not skip_bad_rows or not texts):
        raise bad.error(skipped=skip_bad_rows)
    if not texts:
        raise DataError(f"{name} has no rows: give texts with their entities")
    return TaggedTexts(name, tuple(texts), dict(bad.counts))


def _tagged(row: Row, text_column: str, entities_column: str) -> TaggedText | BadRow:
    if fault := text_fault(row, text_column):
        return fault
    text = str(row.values[text_column])
    entities = row_entities(row, entities_column, text)
    return entities if isinstance(entities, BadRow) else TaggedText(row.line, text, entities)
