"""What the verbs about embedded texts share: the index they ask, the progress, and the tables they write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bertline.cli.predict_screen import PredictScreen, note, skipped_sentence
from bertline.cli.predict_table import Table, check_output, claimed
from bertline.data.columns import unread_fault
from bertline.data.corpus import inputs_of, settings_beside
from bertline.data.formats import STANDARD, name_of
from bertline.data.rows import BadRows, Row
from bertline.data.settings import TableSettings
from bertline.data.table import open_writer
from bertline.errors import DataError
from bertline.inference.added_columns import AddedColumns
from bertline.inference.table_texts import Legible
from bertline.similarity.build import Load
from bertline.similarity.index import Index
from bertline.similarity.opened import opened

Values = Mapping[str, object]
Notify = Callable[[str, int, int | None], None]


@contextmanager
def progress() -> Iterator[Notify]:
    """Within: shows on a terminal how far the work is."""
    with PredictScreen() as screen:
        current, reached = "", 0

        def notify(what: str, done: int, of: int | None) -> None:
            nonlocal current, reached
            if what != current:
                screen.begin(what, of)
                current, reached = what, 0
            screen.advance(done - reached)
            reached = done

        yield notify


@contextmanager
def asked(
    bundle: Path, data: str, settings: TableSettings, embedder: Load | None = None
) -> Iterator[tuple[Index, Notify]]:
    """Within: the index of ``data``, and what shows the progress; ``embedder`` as ``build_index``."""
    with progress() as notify, opened(bundle, data, settings, notify, embedder) as index:
        if not Path(data).is_dir():
            for sentence in sentences(index):
                note(sentence)
        yield index, notify


def sentences(index: Index) -> Iterator[str]:
    """What was left out of an index."""
    facts = index.facts
    if facts.skipped:
        yield f"note: {facts.skipped:,} bad {'row' if facts.skipped == 1 else 'rows'} left out"
    if facts.cut:
        were = "was" if facts.cut == 1 else "were"
        yield f"note: {facts.cut:,} of {facts.rows:,} texts {were} too long to be read whole"


@contextmanager
def table_to_write(data: str, target: str | None, settings: TableSettings, *, overwrite: bool) -> Iterator[None]:
    """Within: the output, if there is one, can be written and is ours.

    Raises:
        UsageError, DestinationError: as ``check_output`` and ``claim``.
    """
    if target is None:
        yield
        return
    table = Table(data, target, settings, overwrite)
    check_output(table)
    with claimed(table):
        yield


def read_queries(source: str, settings: TableSettings, legible: Legible) -> list[tuple[int, str]]:
    """The line and the text of each row.

    Raises:
        DataError: a row cannot be used, or there are none.
    """
    bad = BadRows(name_of(source, "input"))
    out: list[tuple[int, str]] = []
    for line, text in inputs_of(source, settings_beside(source, settings), bad):
        fault = unread_fault(Row(line, {"text": text}), "text", legible)
        if fault is None:
            out.append((line, str(text)))
        else:
            bad.add(fault)
    if bad and not (out and settings.skip_bad_rows):
        raise bad.error(skipped=settings.skip_bad_rows)
    if not out:
        raise DataError(f"{bad.source} has no texts: give rows with a text")
    note(skipped_sentence(bad))
    return out


def write_rows(
    target: str, index: Index, settings: TableSettings, names: Sequence[str], rows: Iterable[tuple[Row, Values]]
) -> None:
    """Write rows of an index with further columns, under names that the table does not have.

    Args:
        target: where to.
        index: of the rows.
        settings: their format goes where the target's name has none.
        names: of the further columns.
        rows: with the values of these columns.
    """
    existing = [*next(index.rows()).values]
    added = AddedColumns.named(existing, names, index.facts.model)
    columns = [*existing, *added.columns]
    with open_writer(target, format=Table(STANDARD, target, settings).output_format, columns=columns) as writer:
        for row, values in rows:
            writer.write(row.values, {added.prefix + name: value for name, value in values.items()})
    note(added.sentence())
