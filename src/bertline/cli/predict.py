"""``bertline predict``: labels with calibrated probabilities for texts, lines or a whole table."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bertline.cli.bundle_argument import bundle_argument
from bertline.cli.settings_flags import with_settings
from bertline.cli.spread import PANEL, Spread, core_hour, is_spread
from bertline.data.settings import TableSettings
from bertline.errors import UsageError
from bertline.text.reading import Input

if TYPE_CHECKING:
    from bertline.tasks.zero_shot import Candidates

EPILOG = (
    'Examples: bertline predict reviews "A gripping film." · '
    "bertline predict reviews --input new.csv --output scored.csv · "
    "cat lines.txt | bertline predict reviews --json · "
    "bertline predict reviews --input new/ --output scored/ --shard 3/64 · "
    "bertline predict reviews --input new/ --output scored/ --ray local · "
    'bertline predict entailment "Where is my parcel?" --labels refund,delivery,praise'
)
STANDARD = "-"
# Settings without effect on lines.
OF_TABLES = ("format", "text_column", "text_pair_column", "query_column", "delimiter", "no_header")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(TableSettings)(predict))


def predict(
    bundle: Annotated[Path, bundle_argument("Directory that bertline train wrote.")],
    settings: TableSettings,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help="Texts to label. Without any, and without --input: standard input, one text per line.",
        ),
    ] = None,
    seconds: Annotated[
        list[str] | None,
        typer.Option(
            "--text-pair",
            help="Second text of a TEXT, for models that read pairs: one for each TEXT, in their order, or several for "
            "one TEXT, such as a ranker's query.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            help="Table to label: CSV, TSV, JSON lines or Parquet, plain or gzipped, or -. Or .txt file with a text on "
            "each line. Or a directory or s3:// address of tables.",
        ),
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="Table to write; - is standard output. Or a directory or s3:// address for shards."
        ),
    ] = STANDARD,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that --output names.")] = False,
    top_k: Annotated[
        int | None,
        typer.Option(
            "--top-k",
            "-k",
            min=1,
            help="Labels to give per text; without it 1, with --json all. Words per [MASK]; without it 5.",
        ),
    ] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--target", help="Word to choose from, for models that fill in words; may be repeated; without it all."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="LABEL,LABEL,…",
            help="Labels to choose from instead of the model's own, for embedding and entailment models.",
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option("--template", help="Sentence about a label of --labels; without it 'This text is about {}.'"),
    ] = None,
    several: Annotated[
        bool, typer.Option("--several", help="Judge each label of --labels by itself, for entailment models.")
    ] = False,
    dimensions: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Keep the first so many dimensions of an embedding, if the model was trained for it (--matryoshka).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per text; not with --input.")] = False,
    engine: Annotated[
        str | None, typer.Option(help="Engine to answer with, torch and words included; without it the bundle's first.")
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Do the share K of N, counted from 1, of the shards of --input that are not done.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    shard_rows: Annotated[
        int | None,
        typer.Option(min=1, help="Rows of a shard, at least; without it as suits.", rich_help_panel=PANEL),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Ray cluster whose workers do the shards: HOST:PORT, auto, or local for one on this machine.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Workers on the cluster; without it as many as it has cores.", rich_help_panel=PANEL),
    ] = None,
    worker_cores: Annotated[int, typer.Option(min=1, help="Cores of a worker.", rich_help_panel=PANEL)] = 1,
    core_hour_price: Annotated[
        float | None,
        typer.Option(min=0, help="Price of a core for an hour; shows the cost.", rich_help_panel=PANEL),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(help="Price table of bertline plan; shows the cost on --machine.", rich_help_panel=PANEL),
    ] = None,
    machine: Annotated[
        str | None, typer.Option(help="Machine of the price table; without it its first.", rich_help_panel=PANEL)
    ] = None,
) -> None:
    """Label texts, with calibrated probabilities.

    With --input, all columns are kept, the order too, and these are added: predicted_label, probability,
    with --top-k also label_2, probability_2 and so on, and cut_tokens (what was too long to read). If the
    table has one of these already, the new ones begin with the name of the model. A table of any size takes
    little memory.

    Texts are answered on a terminal to be read, elsewhere as lines of label, probability and text with tabs
    between.

    With --labels, a model chooses among labels that it was not trained on: an embedding model by their nearness to the
    text, a classifier of pairs with the labels entailment, neutral and contradiction by what the text entails.

    A directory, an s3:// address, --shard or --ray make a job of shards: files of fixed rows in --output, each written
    whole or not at all. Start the same command again after anything that ended it, and it does what is not done. If
    --output is a file, the shards are joined into it when the last one is done; see also bertline join.

    A model that fills in words (models import) reads texts with [MASK]. To a table it adds filled (the text with
    the first word for each [MASK]), predicted_masks (all words with their probabilities) and cut_masks.
    """
    with _reader_may_leave():
        candidates, targets = _candidates(labels, template, several), _words(targets)
        spread = Spread(shard, shard_rows, ray, workers, worker_cores, core_hour(core_hour_price, prices, machine))
        if source is None:
            _only_with_input(shard=shard, ray=ray, shard_rows=shard_rows)
            table_flags = {name: getattr(settings, name) for name in OF_TABLES}
            _only_with_input(output=target != STANDARD, overwrite=overwrite, **table_flags)
            how: dict[str, Any] = {"top_k": top_k, "targets": targets, "as_json": as_json, "engine": engine}
            how.update(candidates=candidates, dimensions=dimensions)
            _label_texts(bundle, _inputs(texts or [], seconds), settings, how)
            return
        if seconds:
            raise UsageError("--text-pair goes with texts: name the column of a table with --text-pair-column")
        if texts:
            raise UsageError("texts and --input were both given: give one of them")
        if as_json:
            raise UsageError("--json is for texts: with --input, name the --output .jsonl or pass --format jsonl")
        given = (source, target, settings, overwrite, targets, candidates, dimensions)
        _label_table(bundle, given, top_k, engine, spread)


def _label_table(bundle: Path, given: tuple[Any, ...], top_k: int | None, engine: str | None, spread: Spread) -> None:
    from bertline.cli.predict_table import Table, label_table

    table = Table(*given)
    if is_spread(table.source, table.target, spread):
        from bertline.cli.predict_shards import label_shards

        label_shards(bundle, table, spread, top_k, engine=engine)
    else:
        label_table(bundle, table, top_k, engine=engine)


def _words(targets: list[str] | None) -> list[str] | None:
    """The words of --target, if there are any."""
    if not targets:
        return None
    if not all(one.strip() for one in targets):
        raise UsageError("a --target is empty: name a word, or leave the flag out")
    return targets


def _candidates(labels: str | None, template: str | None, several: bool) -> Candidates | None:
    if labels is None:
        if template is not None or several:
            raise UsageError(f"--{'several' if template is None else 'template'} goes with --labels: give the labels")
        return None
    from bertline.tasks.zero_shot import Candidates

    return Candidates.of(labels, template, several, fields=("--labels", "--template"))


def _inputs(texts: Sequence[str], seconds: Sequence[str] | None) -> list[Input]:
    if not seconds:
        return [*texts]
    if len(texts) not in (1, len(seconds)) or [*texts] == [STANDARD]:
        raise UsageError(
            f"there are {len(texts)} texts and {len(seconds)} of --text-pair: give each text its second one, one text "
            "for all of them, or a table of pairs with --input"
        )
    return [*zip([*texts] * (len(seconds) // len(texts)), seconds, strict=True)]


def _label_texts(bundle: Path, texts: Sequence[Input], settings: TableSettings, how: Mapping[str, Any]) -> None:
    if not texts and sys.stdin.isatty():
        raise UsageError(
            "there is no text: give texts as arguments, pipe in one text per line, or name a table with --input"
        )
    from bertline.cli.predict_texts import How, label_arguments, label_lines

    if texts and [*texts] != [STANDARD]:
        label_arguments(bundle, texts, How(**how))
    else:
        label_lines(bundle, settings, How(**how))


def _only_with_input(**given: object) -> None:
    for name, value in given.items():
        if value:
            raise UsageError(f"--{name.replace('_', '-')} goes with --input: name the table to label")


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End quietly when whoever reads standard output (``… | head``) has enough."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes standard output once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
