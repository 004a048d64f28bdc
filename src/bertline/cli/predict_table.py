"""Labels for a table of any size: rows in, the same rows with added columns out, in constant memory."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bertline.bundle.verify import read_manifest
from bertline.cli.predict_screen import PredictScreen, note, skipped_sentence
from bertline.data.formats import STANDARD, Format, format_of, is_gzip_name, name_of, output_format_of
from bertline.data.head import Head
from bertline.data.outline import Outline
from bertline.data.rows import BadRow, BadRows, Row
from bertline.data.settings import TableSettings
from bertline.data.table import open_writer
from bertline.data.text_lines import check_lines, open_text_lines
from bertline.destination import check_name, check_place, check_room, claim
from bertline.errors import DataError, UsageError
from bertline.inference import Predictor, predict_stream
from bertline.inference.added_columns import AddedColumns
from bertline.inference.label_tally import LabelTally
from bertline.inference.requested import spec_of, top_of
from bertline.inference.table_texts import Legible, checked_row, good_rows, input_of, text_columns
from bertline.inference.zero_shot import load_with_labels
from bertline.tasks.contract import TaskSpec
from bertline.tasks.zero_shot import Candidates
from bertline.text import Tokenizer

WHAT = "the output"  # in messages about where it goes

Load = Callable[[Path], Predictor]


@dataclass(frozen=True, slots=True)
class Table:
    """What to label and where to write it, as the command's flags say."""

    source: str
    target: str = STANDARD
    settings: TableSettings = field(default_factory=TableSettings)
    overwrite: bool = False
    targets: Sequence[str] | None = None  # words to choose from
    candidates: Candidates | None = None  # labels that the model was not trained on
    dimensions: int | None = None  # leading ones of an embedding to keep
    copy: str | None = None  # of a pipe, on disk

    @property
    def name(self) -> str:
        """The input's name in messages."""
        return name_of(self.source, "input")

    @property
    def input_format(self) -> Format:
        """``--format``, else what the input's name says; a file with one text per line is read like a CSV.

        Raises:
            UsageError: as ``check_lines``.
            DataError: neither says it.
        """
        if check_lines(self.source, self.settings):
            return "csv"
        return format_of(self.source, self.settings.format)

    @property
    def output_format(self) -> Format:
        """The format that the output's name says, otherwise the input's; JSON lines where the input is CoNLL."""
        if self.target == STANDARD:
            return "jsonl" if self.input_format == "conll" else self.input_format
        try:
            return output_format_of(self.target)
        except DataError:
            if self.settings.format is None:
                raise
            return output_format_of(self.target, self.settings.format)

    @property
    def replaces_a_file(self) -> bool:
        """Whether the output is or becomes a file; pipes and devices are written as they come."""
        target = Path(self.target)
        return self.target != STANDARD and (target.is_file() or not target.exists())

    @property
    def least_bytes(self) -> int:
        """What the output takes at least, where that is known: every column of the input is in it."""
        packed = is_gzip_name(self.target) or self.output_format == "parquet"
        source = Path(self.source)
        return source.stat().st_size if not packed and source.is_file() else 0

    def opened(self) -> tuple[Head, Iterator[Row | BadRow]]:
        """The input's head, and all of its rows."""
        if check_lines(self.source, self.settings):
            return open_text_lines(self.source, self.settings)
        settings = self.settings.model_copy(update={"format": self.input_format})
        return settings.opened(self.source if self.copy is None else self.copy, self.name)

    @property
    def is_pipe(self) -> bool:
        """Whether it can be read only once."""
        return self.copy is None and not Path(self.source).is_file()

    @property
    def needs_all_rows(self) -> bool:
        """Whether the output's columns and their types, or what it cannot hold, show only when all rows are read."""
        return self.input_format == "parquet" or (self.input_format == "jsonl" != self.output_format)


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known before the first row is labelled.

    Of a pipe, which is read once, ``rows`` and ``outline`` are None. ``texts``: the column of the text, or both of a
    pair.
    """

    columns: tuple[str, ...]
    texts: tuple[str, ...]
    rows: int | None
    bad: BadRows
    outline: Outline | None


def label_table(
    bundle: Path, table: Table, top_k: int | None = None, *, engine: str | None = None, load: Load | None = None
) -> None:
    """Label a table. A file is read twice, so that its bad rows are found before hours of work and not after.

    Args:
        bundle: of the model.
        table: what to label, and where the labels go.
        top_k: labels or words to give.
        engine: by name; None is the bundle's first.
        load: makes the predictor; None is the bundle's own, or that of the table's candidate labels.

    Raises:
        UsageError: the output must not be written.
        DataError: the input cannot be read or has bad rows, or the output cannot be written.
        BundleError: the bundle cannot be loaded.
        DestinationError: there is no room for the output, no right to write it, or another process writes it.
    """
    read_manifest(bundle)
    check_output(table)
    shown = table.target != STANDARD or not sys.stdout.isatty()
    with claimed(table), _read_twice(table) as table, PredictScreen(shown=shown) as screen:
        # A second; the survey takes minutes.
        predictor = load(bundle) if load else load_with_labels(bundle, table.candidates, engine=engine)
        tally = LabelTally()
        screen.begin("checking")
        spec, required = spec_of(predictor, top_k, table.targets, table.dimensions), predictor.spec.required
        legible = Tokenizer.from_bundle(bundle).reads
        survey, rows = take_survey(table, screen, legible, predictor.spec, required)
        top, [example] = top_of(predictor, top_k), predictor.predict([required])
        added = AddedColumns.choose(survey.columns, [*example.columns(**top)], predictor.name)
        screen.begin("labelling", survey.rows)
        inputs = ((input_of(row, survey.texts), row) for row in rows)
        columns = [*survey.columns, *added.columns]
        output = open_writer(table.target, format=table.output_format, columns=columns, outline=survey.outline)
        with closing(rows), output as writer:
            for row, prediction in predict_stream(partial(predictor.predict, spec=spec), inputs):
                writer.write(row.values, added.values(row, prediction, table.name, top))
                tally.add(prediction)
                screen.advance()
    note(added.sentence())
    note(tally.cut_sentence(predictor.max_tokens))
    note(skipped_sentence(survey.bad))
    if table.target != STANDARD:
        note(f"{screen.summary()}: {table.target}")


def check_output(table: Table) -> None:
    """Refuse, before any work, an output that must not be written.

    Raises:
        UsageError: it exists, is the input, has no directory, or is Parquet on a terminal.
        DestinationError: it cannot be written there, or there is no room.
    """
    if table.target == STANDARD:
        if table.output_format == "parquet" and sys.stdout.isatty():
            raise UsageError("Parquet is not for a terminal: name a file with --output")
        return
    output, source = Path(table.target), Path(table.source)
    check_name(output, WHAT)
    if not output.parent.is_dir():
        raise UsageError(f"--output {output} has no directory: create {output.parent} first")
    if output.is_dir():
        raise UsageError(f"--output {output} is a directory: give the name of a file to write")
    if table.source != STANDARD and source.is_file() and output.exists() and output.samefile(source):
        raise UsageError(f"--output {output} is the input itself: name another file")
    if output.is_file() and not table.overwrite:
        raise UsageError(f"--output {output} exists: name another file, or pass --overwrite to replace it")
    table.output_format  # noqa: B018 - says now if no format is known
    if table.replaces_a_file:
        check_place(output, WHAT)
        check_room(output, WHAT, table.least_bytes)


@contextmanager
def claimed(table: Table) -> Iterator[None]:
    """Within: no other process writes the output, if it is a file."""
    with claim(Path(table.target), WHAT) if table.replaces_a_file else nullcontext():
        yield


@contextmanager
def _read_twice(table: Table) -> Iterator[Table]:
    """The table; a pipe of which all rows must be known first has a copy of its bytes in a temporary file."""
    if not (table.is_pipe and table.needs_all_rows):
        yield table
        return
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="bertline-"))
            pipe = sys.stdin.buffer if table.source == STANDARD else stack.enter_context(Path(table.source).open("rb"))
            shutil.copyfileobj(pipe, copy)
            copy.flush()
        except OSError as error:
            raise DataError(
                f"{table.name} cannot be copied to {tempfile.gettempdir()} ({error.strerror}): "
                "free some space there, set TMPDIR, or give a file as --input"
            ) from error
        yield replace(table, copy=copy.name)


def take_survey(
    table: Table, screen: PredictScreen, legible: Legible, spec: TaskSpec, required: str
) -> tuple[Survey, Generator[Row]]:
    """What the table has, and its good rows from the beginning.

    Args:
        table: where it is.
        screen: shows how far it is.
        legible: does the model read anything of a text?
        spec: of the model.
        required: what every text must contain.

    Raises:
        DataError: it cannot be read, has no text, has bad rows that may not be left out, or has a column that the
            output's format cannot hold.
    """
    skip = table.settings.skip_bad_rows
    if spec.pairs and check_lines(table.source, table.settings):
        what = "pairs of texts" if spec.reads == "pair" else "a query and a text"
        raise DataError(f"{table.name} has one text per line, and what is read is {what}: give a table with both")
    head, rows = table.opened()
    head.require_rows("texts to label", skip=skip)
    texts = text_columns(table.settings, head, spec.reads, alike=spec.apart)
    outline, bad = Outline(head.source, table.output_format, head.place), head.bad_rows()
    rows = (checked_row(row, texts, legible, outline, required) for row in rows)
    if table.is_pipe:
        return Survey(head.columns, texts, None, bad, None), good_rows(rows, bad, skip=skip)
    number = 0
    for row in rows:
        screen.advance()
        if isinstance(row, BadRow):
            bad.add(row)
        else:
            number += 1
            outline.add(row)
    if bad and not (number and skip):
        raise bad.error()
    again = (checked_row(row, texts, legible, outline, required) for row in table.opened()[1])
    survey = Survey(tuple(outline.columns), texts, number, bad, outline)
    return survey, good_rows(again, head.bad_rows(), skip=skip)
