"""``bertline nearest``: the texts of a table that are nearest to others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bertline.cli.settings_flags import with_settings
from bertline.cli.similarity_flags import AsJson, Bundle, Data, Output, Overwrite
from bertline.data.settings import TableSettings
from bertline.errors import UsageError

if TYPE_CHECKING:
    from bertline.similarity.nearest import Neighbour

EPILOG = (
    'Examples: bertline nearest minilm tickets.csv "the parcel never arrived" · '
    "bertline nearest minilm tickets-index --input new.csv --top-k 5 --output nearest.csv"
)
COLUMNS = ("query_line", "query", "rank", "similarity", "line")

Queries = Sequence[tuple[int, str]]  # the line and the text of each


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(TableSettings)(nearest))


def nearest(
    bundle: Bundle,
    data: Data,
    settings: TableSettings,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Texts whose nearest ones are wanted.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--input", "-i", help="Table or .txt file with these texts, instead of TEXT.")
    ] = None,
    target: Output = None,
    overwrite: Overwrite = False,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, help="Texts to give for each.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find the texts of a table that mean almost the same as others.

    Every text is compared, by the cosine of the embeddings. A table is embedded each time; an index (`bertline index`)
    is not. Prints the cosine, the line in the table and the text, with tabs between, and the query at the end if
    there are several. With --output, a row for each pair: query_line, query, rank, similarity and line, and the columns
    of the table.
    """
    if bool(texts) == (source is not None):
        raise UsageError("give the texts, or a table of them with --input, and not both")
    from bertline.cli.embedded_tables import asked, read_queries, table_to_write, write_rows
    from bertline.cli.predict_texts import check_texts, reader_of
    from bertline.inference import load_predictor
    from bertline.similarity.nearest import neighbours_of

    legible = reader_of(bundle)
    check_texts(texts or [], legible)
    queries = [*enumerate(texts or [], 1)] if source is None else read_queries(source, settings, legible)
    of_data = TableSettings() if source is not None and Path(data).is_dir() else settings
    embedder = cache(partial(load_predictor, bundle, output="embedding"))  # a table is embedded with it too
    with (
        table_to_write(data, target, settings, overwrite=overwrite),
        asked(bundle, data, of_data, embedder) as (index, notify),
    ):
        embedded = embedder().embed([text for _, text in queries])
        near = neighbours_of(index, embedded, top_k, notify)
        if target is not None:
            write_rows(target, index, settings, COLUMNS, _rows(queries, near))
    if as_json:
        _print_json(queries, near)
    elif target is None:
        _print(queries, near)


def _rows(queries: Queries, near: Sequence[Sequence[Neighbour]]) -> Iterator[tuple[Any, dict[str, object]]]:
    from bertline.data.rows import Row

    for (line, query), some in zip(queries, near, strict=True):
        for rank, one in enumerate(some, 1):
            values = (line, query, rank, one.similarity, one.line)
            yield Row(one.line, one.values), dict(zip(COLUMNS, values, strict=True))


def _print_json(queries: Queries, near: Sequence[Sequence[Neighbour]]) -> None:
    from bertline.data.rendering import json_of

    for (line, query), some in zip(queries, near, strict=True):
        neighbours = [
            {"similarity": one.similarity, "line": one.line, "text": one.text, "row": one.values} for one in some
        ]
        typer.echo(json_of({"line": line, "query": query, "nearest": neighbours}))


def _print(queries: Queries, near: Sequence[Sequence[Neighbour]]) -> None:
    for (_, query), some in zip(queries, near, strict=True):
        for one in some:
            fields = [f"{one.similarity:.4f}", str(one.line), " ".join(one.text.split())]
            typer.echo("\t".join(fields + ([" ".join(query.split())] if len(queries) > 1 else [])))
