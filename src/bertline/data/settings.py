"""How a table is read: the settings that every command over tables shares, each with its one description."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from bertline.data.columns import TEXT_NAMES
from bertline.data.formats import Format, Location, format_beside, format_of, name_of
from bertline.data.head import Head, take_head
from bertline.data.rows import BadRow, Row

Problem = Literal["single", "several", "number"]


class TableSettings(BaseModel):
    """A table with a column of text."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    text_column: str | None = Field(None, description="column of the text; found by name when not given")
    text_pair_column: str | None = Field(None, description="column of the second text, where the rows are pairs")
    format: Format | None = Field(
        None,
        description="format of the table, and of further ones whose suffix gives none; by default the suffix decides",
    )
    encoding: str = Field("utf-8", description="encoding of all text files; UTF-16 and UTF-32 are detected")
    delimiter: str | None = Field(
        None, description="delimiter of CSV and TSV, such as ; or tab; found from the header by default"
    )
    no_header: bool = Field(
        False, description="CSV and TSV have no header: line 1 is a row, and columns are column_1 and so on"
    )
    skip_bad_rows: bool = Field(False, description="leave unusable rows out and count them, instead of stopping")

    def rows(self, source: Location, name: str | None = None) -> Iterator[Row | BadRow]:
        """The rows of ``source``, as ``read_rows`` gives them."""
        from bertline.data.table import read_rows  # numpy: settings are read before anything is imported

        return read_rows(
            source,
            format=self.format,
            encoding=self.encoding,
            delimiter=self.delimiter,
            header=not self.no_header,
            name=name,
        )

    def opened(self, source: Location, name: str | None = None) -> tuple[Head, Iterator[Row | BadRow]]:
        """The head of ``source``, and all of its rows; ``name`` is for messages."""
        name, format = name or name_of(source, "input"), format_of(source, self.format)
        return take_head(name, format, self.rows(source, name), header=not self.no_header)

    def beside(self, source: Location) -> Self:
        """The settings of a table beside DATA: its suffix says its format, and ``format`` only if it has none."""
        return self.model_copy(update={"format": format_beside(source, self.format)})

    def find_text_column(self, head: Head) -> str:
        """The column of the text, as the settings name it or by its usual names.

        Raises:
            DataError: it is missing or in doubt.
        """
        return head.find_column(self.text_column, TEXT_NAMES, "text")


class LabelledTableSettings(TableSettings):
    """A table with a column of text, and of what is to be learned."""

    label_column: str | None = Field(None, description="column of the label or number; found by name when not given")
    label_columns: tuple[str, ...] = Field(
        (), description="columns of 0 and 1, one for each label, where a text may have several labels"
    )
    label_separator: str | None = Field(
        None, min_length=1, description="what separates the labels of a text in the column of the label"
    )
    entities_column: str | None = Field(None, description="column of the entities; found by name when not given")


class TaskSettings(LabelledTableSettings):
    """A table to train on, and what to learn from it: a task's spec is made from these."""

    task: str | None = Field(
        None, description="classify (texts) or tag (entities in texts); by default tag where a table has entities"
    )
    problem: Problem | None = Field(
        None,
        description="what a classifier gives a text: a single label, several labels, or a number; by default several "
        "where the labels are lists or columns, else single",
    )
    scheme: Literal["BIO", "BIOES"] = Field("BIO", description="how a tagger spells entities")
    label_all_pieces: bool = Field(False, description="a tagger learns from every piece of a word, not the first alone")


AS_FOUND = LabelledTableSettings()  # every setting has its default


class EvaluateSettings(LabelledTableSettings):
    """A labelled table whose figures are broken down."""

    slice_columns: tuple[str, ...] = Field((), description="columns by whose values the report breaks the figures down")


class UnlabelledSettings(TableSettings):
    """Files of text without labels."""

    unlabelled: tuple[str, ...] = Field(
        (), description="a table with a text column, or a .txt file with a text on each line; may be repeated"
    )
