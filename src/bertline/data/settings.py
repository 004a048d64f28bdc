"""Settings for reading tables, shared by every command, each described once."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bertline.data.columns import (
    ANCHOR_NAMES,
    NEGATIVE_NAMES,
    PAIR_NAMES,
    POSITIVE_NAMES,
    QUERY_NAMES,
    RANKED_NAMES,
    TEXT_NAMES,
    candidates,
)
from bertline.data.formats import Format, Location, format_beside, name_of
from bertline.data.head import Head, take_head
from bertline.data.rows import BadRow, Row
from bertline.errors import SettingsError

Problem = Literal["single", "several", "number"]
Reads = Literal["text", "pair", "query"]  # a text, two of them, or a query and a text


class TableSettings(BaseModel):
    """A table with a text column."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    text_column: str | None = Field(None, description="column of the text; detected by name by default")
    text_pair_column: str | None = Field(None, description="column of the second text, for pairs of texts")
    query_column: str | None = Field(None, description="column of the query, for rankers; detected by name by default")
    format: Format | None = Field(
        None,
        description="format of the table, and of others without a known suffix; by default the suffix decides",
    )
    encoding: str = Field("utf-8", description="encoding of all text files; UTF-16 and UTF-32 are detected")
    delimiter: str | None = Field(
        None, description="delimiter of CSV and TSV, such as ; or tab; detected from the header by default"
    )
    no_header: bool = Field(
        False, description="CSV and TSV have no header: line 1 is a row, and columns are named column_1, column_2, …"
    )
    skip_bad_rows: bool = Field(False, description="skip and count unusable rows instead of stopping")

    def opened(self, source: Location, name: str | None = None) -> tuple[Head, Iterator[Row | BadRow]]:
        """The head of ``source``, and all of its rows; ``name`` is for messages."""
        from bertline.data.table import file_format, read_rows  # numpy: settings are read before all imports

        name, format, header = name or name_of(source, "input"), file_format(source, self.format), not self.no_header
        rows = read_rows(
            source, format=format, encoding=self.encoding, delimiter=self.delimiter, header=header, name=name
        )
        return take_head(name, format, rows, header=header)

    def beside(self, source: Location) -> Self:
        """The settings for another table: its suffix decides the format, else ``format`` does."""
        return self.model_copy(update={"format": format_beside(source, self.format)})

    def find_text_column(self, head: Head) -> str:
        """The text column, by the settings or by its usual names.

        Raises:
            DataError: it is missing or ambiguous.
        """
        return head.find_column(self.text_column, TEXT_NAMES, "text")

    def check_reads(self, reads: Reads) -> None:
        """Check that no column is set that a model does not read.

        Raises:
            SettingsError: there is one.
        """
        if reads != "query" and self.query_column is not None:
            raise SettingsError("query_column is set, but only rankers read queries: leave it out")
        if reads == "query" and self.text_pair_column is not None:
            raise SettingsError(
                "text_pair_column is set, but a ranker reads a query and a text: set query_column and text_column"
            )

    def find_text_columns(self, head: Head, reads: Reads = "text") -> dict[str, str]:
        """The columns of what a model reads, in its order, by the settings that name them.

        Where the column of a second text is set, the model reads pairs.

        Raises:
            SettingsError: a column is set that only other models read.
            DataError: a column is missing or ambiguous.
        """
        self.check_reads(reads)
        if reads == "query":
            query = head.find_column(self.query_column, QUERY_NAMES, "query")
            return {"query_column": query, "text_column": head.find_column(self.text_column, RANKED_NAMES, "text")}
        columns = {"text_column": self.find_text_column(head)}
        if reads == "pair" or self.text_pair_column is not None:
            columns["text_pair_column"] = head.find_column(self.text_pair_column, PAIR_NAMES, "text-pair")
        return columns


class LabelledTableSettings(TableSettings):
    """A table with a text column and the targets."""

    label_column: str | None = Field(None, description="column of the label or number; detected by name by default")
    label_columns: tuple[str, ...] = Field(
        (), description="columns of 0 and 1, one per label, for texts with several labels"
    )
    label_separator: str | None = Field(
        None, min_length=1, description="separator in the label column, for texts with several labels"
    )
    entities_column: str | None = Field(None, description="column of the entities; detected by name by default")
    score_column: str | None = Field(
        None, description="column of the score, for rankers: 0 or 1, or a grade; detected by name by default"
    )
    negative_column: str | None = Field(
        None, description="column of a text unlike the first one, for embedders; detected by name by default"
    )

    def find_alike_columns(self, head: Head) -> dict[str, str]:
        """The columns of an embedder's texts, by the settings that name them.

        A row has one text and a label, or two texts, or three of which the last is unlike the first.

        Raises:
            SettingsError: a column is set that only other models read.
            DataError: a column is missing or ambiguous.
        """
        self.check_reads("text")
        single = candidates(head.columns, TEXT_NAMES) and not candidates(head.columns, POSITIVE_NAMES)
        if self.label_column is not None or (single and self.text_pair_column is None):
            return {"text_column": self.find_text_column(head)}
        columns = {
            "text_column": head.find_column(self.text_column, ANCHOR_NAMES, "text"),
            "text_pair_column": head.find_column(self.text_pair_column, POSITIVE_NAMES, "text-pair"),
        }
        if self.negative_column is not None or candidates(head.columns, NEGATIVE_NAMES):
            columns["negative_column"] = head.find_column(self.negative_column, NEGATIVE_NAMES, "negative")
        return columns


class TaskSettings(LabelledTableSettings):
    """A table to train on and the task to learn; a task's spec is made from these."""

    task: str | None = Field(
        None,
        description="classify (texts), tag (entities in texts), rank (texts for a query) or embed (texts as vectors); "
        "by default as the named columns say, else classify",
    )
    problem: Problem | None = Field(
        None,
        description="what a classifier predicts: a single label, several labels, or a number; by default several "
        "if the labels are lists or columns, else single",
    )
    scheme: Literal["BIO", "BIOES"] = Field("BIO", description="tagging scheme for entities")
    matryoshka: tuple[int, ...] = Field(
        (), description="shorter lengths that an embedder's vectors may be cut to, such as 256,128,64"
    )
    label_all_pieces: bool = Field(False, description="taggers label every piece of a word, not only the first")

    @field_validator("matryoshka", mode="before")
    @classmethod
    def _longest_first(cls, value: object) -> object:
        """Lengths from commas or repeated flags, each once."""
        parts = value if isinstance(value, list | tuple) else [value]
        lengths = [part.strip() for one in parts for part in str(one).split(",")]
        if not all(one.isdecimal() and int(one) for one in lengths):
            raise ValueError("lengths must be whole numbers above 0, such as 256,128,64")
        return tuple(sorted({*map(int, lengths)}, reverse=True))


AS_FOUND = LabelledTableSettings()  # every setting has its default


class EvaluateSettings(LabelledTableSettings):
    """A labelled table, and the columns that break its figures down."""

    slice_columns: tuple[str, ...] = Field((), description="columns whose values break the report's figures down")


class UnlabelledSettings(TableSettings):
    """Files of text without labels."""

    unlabelled: tuple[str, ...] = Field(
        (), description="table with a text column, or .txt file with one text per line; repeatable"
    )
