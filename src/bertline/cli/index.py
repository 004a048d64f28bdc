"""``bertline index``: embed the texts of a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bertline.cli.bundle_argument import bundle_argument
from bertline.cli.settings_flags import with_settings
from bertline.data.settings import TableSettings

EPILOG = "Example: bertline index minilm tickets.csv --out tickets-index"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(TableSettings)(index))


def index(
    bundle: Annotated[Path, bundle_argument("Bundle of the model that embeds the texts.")],
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Table with a text column, or .txt file with a text on each line, or -."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Output directory of the index.")],
    settings: TableSettings,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an unfinished run, or keep a finished one."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the index, or an unfinished run.")] = False,
    dimensions: Annotated[
        int | None,
        typer.Option(min=1, help="Keep the first so many dimensions, which the model was trained for (--matryoshka)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Embed the texts of a table once, for `nearest`, `cluster` and `duplicates`.

    The index is a directory with the rows (rows.jsonl) and their embeddings, each of length 1 (vectors.npy). Any
    bundle can embed; a model that was trained for it, or imported with `models import`, does it best.
    """
    from bertline.cli.embedded_tables import progress, sentences
    from bertline.cli.predict_screen import note
    from bertline.similarity.build import build_index

    with progress() as notify:
        how: Any = {"resume": resume, "overwrite": overwrite, "dimensions": dimensions}
        made = build_index(bundle, data, out, settings, notify, **how)
    if as_json:
        typer.echo(json.dumps(made.facts.model_dump(), ensure_ascii=False))
    for sentence in sentences(made):
        note(sentence)
    texts = "text" if made.facts.rows == 1 else "texts"
    note(f"{made.facts.rows:,} {texts}, {made.facts.dimensions} dimensions: {out}")
