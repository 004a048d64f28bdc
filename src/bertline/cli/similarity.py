"""``bertline similarity``: how alike two texts are, or those of each row of a table."""

from __future__ import annotations

from typing import Annotated

import typer

from bertline.cli.settings_flags import with_settings
from bertline.cli.similarity_flags import AsJson, Bundle, Overwrite
from bertline.data.formats import STANDARD
from bertline.data.settings import TableSettings
from bertline.errors import UsageError

EPILOG = (
    'Examples: bertline similarity minilm "the parcel never arrived" "my order is missing" · '
    "bertline similarity minilm --input pairs.csv --output compared.csv"
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(TableSettings)(similarity))


def similarity(
    bundle: Bundle,
    settings: TableSettings,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Texts to compare: the first one with each of the others."),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--input", "-i", help="Table with two columns of text, instead of TEXT.")
    ] = None,
    target: Annotated[str, typer.Option("--output", "-o", help="Table to write; - is standard output.")] = STANDARD,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compare texts by their meaning: the cosine of their embeddings, −1 to 1.

    Prints the cosine and the other text, with tabs between. To a table it adds the columns similarity and cut_tokens
    (what was too long to read). Columns are found by names such as sentence1 and sentence2, question and answer, or
    named with --text-column and --text-pair-column.
    """
    if bool(texts) == (source is not None):
        raise UsageError("give two texts or more, or a table of pairs with --input, and not both")
    if source is None:
        if target != STANDARD or overwrite:
            raise UsageError(f"--{'overwrite' if overwrite else 'output'} goes with --input: name the table of pairs")
        _compare(bundle, texts or [], as_json=as_json)
        return
    if as_json:
        raise UsageError("--json is for texts: with --input, name the --output .jsonl or pass --format jsonl")
    from bertline.cli.predict_table import Table, label_table
    from bertline.inference.similarity import load_similarity

    label_table(bundle, Table(source, target, settings, overwrite), load=load_similarity)


def _compare(bundle: Bundle, texts: list[str], *, as_json: bool) -> None:
    if len(texts) < 2:
        raise UsageError("there is one text: give another one to compare it with")
    from bertline.cli.predict_lines import json_line
    from bertline.cli.predict_screen import note
    from bertline.cli.predict_texts import check_texts, reader_of
    from bertline.inference.label_tally import LabelTally
    from bertline.inference.similarity import load_similarity

    check_texts(texts, reader_of(bundle))
    predictor, tally = load_similarity(bundle), LabelTally()
    pairs = [(texts[0], other) for other in texts[1:]]
    for pair, answer in zip(pairs, predictor.predict(pairs), strict=True):
        typer.echo(json_line(pair, answer) if as_json else f"{answer.similarity:.4f}\t{' '.join(pair[1].split())}")
        tally.add(answer)
    note(tally.cut_sentence(predictor.max_tokens))
