"""The texts of a scan: typed ones, those of a table, or those that a store of predictions kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertline.data.corpus import inputs_of
from bertline.data.formats import name_of
from bertline.data.rows import BadRows, rows_left_out
from bertline.data.settings import Reads
from bertline.errors import DataError
from bertline.lifecycle.probes.settings import ScanSettings
from bertline.text import Input

if TYPE_CHECKING:
    from bertline.database.database import Database
    from bertline.lifecycle.predictions.kept import Span


def inputs_of_table(data: str, settings: ScanSettings, reads: Reads) -> tuple[list[Input], list[str]]:
    """Every text of a table, and sentences about rows that are left out.

    Args:
        data: a table, a .txt file with a text per line, or ``-``.
        settings: how to read it.
        reads: what the model reads of a row.

    Raises:
        DataError: the table cannot be read, or has no text.
    """
    bad = BadRows(name_of(data, "input"))
    inputs = [one for _, one in inputs_of(data, settings, bad, reads=reads)]
    if bad and not settings.skip_bad_rows:
        raise bad.error()
    if not inputs:
        raise DataError(f"{name_of(data, 'input')} has no text: give at least one")
    return inputs, [sentence for sentence in [rows_left_out(bad.counts)] if sentence is not None]


def inputs_of_store(store: Database, model: str, settings: ScanSettings, span: Span) -> tuple[list[Input], list[str]]:
    """A random sample of the texts that clients sent, and sentences about them.

    Args:
        store: of predictions.
        model: its name for clients.
        settings: size and seed of the sample.
        span: when the predictions were made.

    Raises:
        DataError: no text was kept.
        PredictionStoreError: the store cannot be read.
    """
    from bertline.lifecycle.predictions.kept import kept_texts

    kept, without, redacted = kept_texts(store, model, span, most=settings.rows, seed=settings.seed)
    if not kept:
        raise DataError(f"{store.place} has no texts of {model}: bertline serve --predictions-text keeps them")
    notes = []
    if without:
        notes.append(f"{without:,} predictions have no text: bertline serve --predictions-text keeps texts")
    if redacted:
        notes.append(f"{redacted:,} texts were redacted: what stands in place of names and numbers is not changed")
    return kept, notes
