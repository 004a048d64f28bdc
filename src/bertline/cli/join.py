"""``bertline join``: the shards of a job as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = "Example: bertline join scored --output scored.csv"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(join)


def join(
    shards: Annotated[
        str, typer.Argument(metavar="SHARDS", help="Directory or s3:// address that predict wrote shards to.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write, in the shards' format; also .gz.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that --output names.")] = False,
) -> None:
    """Join the shards of predict into one table, in the order of the rows.

    A job with a missing shard is refused, and the shard is named.
    """
    from bertline.cli.predict_screen import note
    from bertline.destination import check_place, claim
    from bertline.distributed import join as joining
    from bertline.distributed.places import find_place
    from bertline.errors import UsageError
    from bertline.statistics.figures import how_many

    if output.exists() and not overwrite:
        raise UsageError(f"--output {output} exists: name another file, or pass --overwrite to replace it")
    place = find_place(shards)
    plan = joining.plan_at(place, shards)
    check_place(output, "the table")
    with claim(output, "the table"):
        rows = joining.join(plan, place, shards, output)
    note(f"{how_many(rows, 'row')} of {how_many(len(plan.shards), 'shard')}: {output}")
