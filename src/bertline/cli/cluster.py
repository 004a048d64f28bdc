"""``bertline cluster``: what the texts of a table are about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.settings_flags import with_settings
from bertline.cli.similarity_flags import AsJson, Bundle, Data, Output, Overwrite
from bertline.data.settings import TableSettings

if TYPE_CHECKING:
    from bertline.similarity.clusters import Clusters

EPILOG = "Example: bertline cluster minilm tickets.csv --output clustered.csv"
COLUMNS = ("cluster", "cluster_name", "cluster_similarity")
NUMBERS = 26  # characters of the columns before the name, with the space between
LEAST = 6  # characters of a typical text
SHOWN = 70  # at most


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(TableSettings)(cluster))


def cluster(
    bundle: Bundle,
    data: Data,
    settings: TableSettings,
    number: Annotated[
        int | None,
        typer.Option("--clusters", min=1, help="Number of clusters; without it the one that separates best."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Equal seeds give equal clusters.")] = 0,
    target: Output = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Group the texts of a table by what they are about, and name each group.

    Clusters are made by spherical k-means on the embeddings. Without --clusters, numbers from 2 to 64 are tried and the
    highest silhouette wins. The name of a cluster is the words by which its texts differ most from all.

    With --output, all rows and columns of the table are written, and cluster (1 is the largest), cluster_name and
    cluster_similarity (the cosine with the cluster's centre).
    """
    from bertline.cli.embedded_tables import asked, table_to_write, write_rows
    from bertline.cli.predict_screen import note
    from bertline.similarity.clusters import clusters_of

    with table_to_write(data, target, settings, overwrite=overwrite), asked(bundle, data, settings) as (index, notify):
        found = clusters_of(index, number, seed=seed, notify=notify)
        if target is not None:
            names = [one.name for one in found.clusters]
            values = (dict(zip(COLUMNS, (own, names[own - 1], near), strict=True)) for own, near in found.rows)
            write_rows(target, index, settings, COLUMNS, zip(index.rows(), values, strict=True))
    if number is not None and len(found.clusters) < number:
        note(f"note: there are only {len(found.clusters):,} different texts, so there are no more clusters")
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        _show(found)


def _show(found: Clusters) -> None:
    from rich.console import Console
    from rich.table import Table

    from bertline.statistics.figures import percent

    console = Console(highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    for name in ("cluster", "rows", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("name", no_wrap=True)
    room = console.width - NUMBERS - max(len(one.name) for one in found.clusters)
    table.add_column("a typical text", no_wrap=True, overflow="ellipsis", width=min(SHOWN, max(LEAST, room)))
    for one in found.clusters:
        text = " ".join(one.typical[0].split())
        table.add_row(str(one.number), f"{one.rows:,}", percent(one.share), one.name, text)
    console.print(table)
    if found.silhouette is not None:
        console.print(f"\nSilhouette {found.silhouette:.3f}: 1 is well separated, 0 is not separated")
