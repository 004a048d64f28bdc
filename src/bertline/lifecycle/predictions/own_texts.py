"""Texts from a table of the user's own, which has request ids or the same texts."""

from __future__ import annotations

from pathlib import Path

from bertline.data.columns import NEGATIVE_NAMES, PAIR_NAMES, QUERY_NAMES, TEXT_NAMES, candidates
from bertline.data.rows import BadRow
from bertline.data.table import read_rows
from bertline.database.database import Database
from bertline.errors import DataError
from bertline.lifecycle.predictions.imported import NAMES
from bertline.lifecycle.predictions.labelled import Texts
from bertline.lifecycle.predictions.records import text_hash
from bertline.lifecycle.predictions.store import secret_of


def read_texts(store: Database, table: Path) -> Texts:
    """The texts of a table, by request and index if it has them, else by the store's hash of them.

    Raises:
        DataError: the table cannot be read, or has no column of texts.
        PredictionStoreError: the store cannot be read.
    """
    key = secret_of(store)
    texts: dict[tuple[str, int] | str, tuple[str, ...]] = {}
    for row in read_rows(table):
        if isinstance(row, BadRow):
            raise DataError(f"{table} has a bad row (line {row.line}: {row}): fix it")
        names = [*row.values]
        own = tuple(str(row.values[one]) for one in _columns(names, table))
        by_name = {name.strip().casefold(): name for name in names}
        requests = [by_name[name] for name in NAMES["request_id"] if name in by_name]
        if not requests:
            texts[text_hash(own, key)] = own
            continue
        items = [by_name[name] for name in NAMES["item"] if name in by_name]
        index = str(row.values[items[0]] or 0).strip() if items else "0"
        if not index.isdecimal():
            raise DataError(f"{table} has an index that is no number (line {row.line}): give 0 or higher")
        texts[str(row.values[requests[0]]).strip(), int(index)] = own
    return texts


def _columns(names: list[str], table: Path) -> list[str]:
    """The columns of a text, or of a query and a text, or of a pair."""
    found = [candidates(names, some) for some in (QUERY_NAMES, TEXT_NAMES, PAIR_NAMES)]
    chosen = [one for some in found for one in some if one not in candidates(names, NEGATIVE_NAMES)]
    if not found[1] or any(len(some) > 1 for some in found):
        raise DataError(
            f"{table} needs one column of texts: name it text, and query or text_pair where the model reads two (its "
            f"columns are {', '.join(names)})"
        )
    return chosen
