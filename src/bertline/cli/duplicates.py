"""``bertline duplicates``: texts of a table that mean the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.settings_flags import with_settings
from bertline.cli.similarity_flags import AsJson, Bundle, Data, Output, Overwrite
from bertline.data.settings import TableSettings
from bertline.errors import UsageError
from bertline.similarity import THRESHOLD

if TYPE_CHECKING:
    from bertline.similarity.duplicates import Duplicates, Member

EPILOG = (
    "Examples: bertline duplicates minilm tickets.csv --threshold 0.95 · "
    "bertline duplicates minilm tickets.csv --drop --output unique.csv"
)
COLUMNS = ("duplicate_group", "nearest_line", "similarity")
SHOWN = 20  # groups on a terminal


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(TableSettings)(duplicates))


def duplicates(
    bundle: Bundle,
    data: Data,
    settings: TableSettings,
    threshold: Annotated[
        float, typer.Option("--threshold", help="Lowest cosine of two texts that mean the same, up to 1.")
    ] = THRESHOLD,
    target: Output = None,
    overwrite: Overwrite = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="Write only the first row of each group, and the rows in no group.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find texts of a table that mean the same, in other words too.

    All pairs are compared. Pairs that share a text are one group, so two texts of a group may be less similar than the
    threshold. Look at some groups before you drop rows: which cosine means the same depends on the model.

    With --output, all rows and columns of the table are written, and duplicate_group (a number), nearest_line (of the
    most similar other text) and similarity, which are empty for a row without duplicates.
    """
    if drop and target is None:
        raise UsageError("--drop goes with --output: name the table to write")
    from bertline.cli.embedded_tables import asked, table_to_write, write_rows
    from bertline.cli.predict_screen import note
    from bertline.similarity.duplicates import check_threshold, duplicates_of

    check_threshold(threshold)
    with table_to_write(data, target, settings, overwrite=overwrite), asked(bundle, data, settings) as (index, notify):
        found = duplicates_of(index, threshold, notify)
        if target is not None:
            values = ({} if drop else _values(one) for one in found.rows)
            rows = enumerate(zip(index.rows(), values, strict=True))
            left_out = found.repeated if drop else frozenset()
            kept = (row for number, row in rows if number not in left_out)
            write_rows(target, index, settings, () if drop else COLUMNS, kept)
    again, groups, pairs = len(found.repeated), len(found.groups), found.pairs
    note(f"rows that repeat an earlier one: {again:,} of {len(found.rows):,}; groups: {groups:,}; pairs: {pairs:,}")
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
    elif target is None:
        _show(found, index.facts.place)


def _values(one: tuple[int, Member] | None) -> dict[str, object]:
    group, member = one or (None, None)
    values = (group, member and member.nearest_line, member and member.similarity)
    return dict(zip(COLUMNS, values, strict=True))


def _show(found: Duplicates, place: str) -> None:
    for group in found.groups[:SHOWN]:
        for one in group:
            typer.echo(f"{place} {one.line}\t{one.similarity:.4f}\t{' '.join(one.text.split())}")
        typer.echo()
    if len(found.groups) > SHOWN:
        typer.echo(f"… {len(found.groups) - SHOWN:,} more groups: --output or --json has all")
