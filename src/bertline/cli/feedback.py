"""``bertline feedback``: what people say of predictions, in and out of their store."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli import feedback_show
from bertline.cli.feedback_store import AsJson, Model, Since, StoreUrl, model_in, opened, since_of

if TYPE_CHECKING:
    from bertline.database.database import Database
    from bertline.lifecycle.predictions.labelled import Texts

app = typer.Typer(
    name="feedback",
    help="Feedback on predictions: import and export it, live accuracy, what to review next.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


def register(root: typer.Typer) -> None:
    """Add the verb with its own verbs."""
    root.add_typer(app)


feedback_show.register(app)


@app.command("import", epilog="Example: bertline feedback import labelled.csv --source reviewers")
def import_(
    table: Annotated[
        Path, typer.Argument(metavar="FILE", help="Table with the columns request_id and correct, and maybe index.")
    ],
    source: Annotated[str, typer.Option(help="Where it comes from, for rows without the column source.")] = "import",
    url: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Import feedback from a table. Importing it again changes nothing.

    A row has the X-Request-Id of a response, the index of the text in the request (default: 0) and the correct answer,
    in the terms of the model's task; rows without one are left out. Optional columns: source, annotator, time. Of
    several rows on one text the latest counts. Rows on unknown requests are kept for 7 days in case that they come.
    """
    from bertline.lifecycle.predictions.imported import import_feedback

    with opened(url) as store:
        found = import_feedback(store, table, source=source)
    if as_json:
        typer.echo(json.dumps({"counts": found.counts, "blank": found.blank, "not_kept": len(found.faults)}))
    else:
        said = [f"{number:,} {status}" for status, number in sorted(found.counts.items()) if status != "invalid"]
        said += [f"{found.blank:,} without a correct answer"] if found.blank else []
        typer.echo(", ".join(said) or "nothing")
    if error := found.error(str(table)):
        raise error


@app.command(
    epilog="Examples: bertline feedback export labelled.csv --since 30d · "
    "bertline feedback export labelled.csv --texts my-texts.csv"
)
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Table to write: .csv, .tsv, .jsonl or .parquet.")],
    model: Model = None,
    since: Since = None,
    texts: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE", help="Your own table with the texts, joined by request_id or, without that, by content."
        ),
    ] = None,
    url: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write labelled texts to a table that bertline train reads.

    Texts come from the store, if the server kept them (--predictions-text), or from your own table. --since takes the
    time at which feedback came.
    """
    from bertline.lifecycle.predictions.labelled import NO_TEXTS, write_labelled

    with opened(url) as store:
        name = model_in(store, model)
        known = NO_TEXTS if texts is None else _texts(store, texts)
        written = write_labelled(store, name, out, since=since_of(since), texts=known)
    if as_json:
        typer.echo(json.dumps(asdict(written)))
        return
    typer.echo(f"{written.rows:,} labelled texts: {out}")
    if written.without_text:
        typer.echo(f"{written.without_text:,} labelled predictions have no known text and were left out", err=True)
    if written.redacted:
        typer.echo(f"{written.redacted:,} texts were redacted, so positions in them do not hold; left out", err=True)


@app.command(
    epilog="Examples: bertline feedback erase --client blc_3fK9x2Qa · bertline feedback erase --request-id 3f2a9c…"
)
def erase(
    client: Annotated[str | None, typer.Option(help="Erase all predictions of this client.")] = None,
    request_id: Annotated[str | None, typer.Option(help="Erase the predictions of this request.")] = None,
    url: StoreUrl = None,
) -> None:
    """Erase predictions with their texts and feedback. Backups of the database are yours to erase.

    What a running server has not written yet is not erased: a second later it is.
    """
    from bertline.lifecycle.predictions.retention import erase as run

    with opened(url) as store:
        found = run(store, client=client, request_id=request_id)
    typer.echo(f"erased {found.predictions:,} predictions and {found.feedback:,} items of feedback")


def _texts(store: Database, table: Path) -> Texts:
    """The texts of a table by request, or by hash."""
    from bertline.lifecycle.predictions.own_texts import read_texts

    return read_texts(store, table)
