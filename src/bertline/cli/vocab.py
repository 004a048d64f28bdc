"""``bertline vocab``: train a WordPiece vocabulary on texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.settings_flags import with_settings
from bertline.training.pretraining.settings import VocabularySettings

if TYPE_CHECKING:
    from rich.console import Console

    from bertline.training.pretraining.vocabulary import Trained

EPILOG = "Example: bertline vocab reviews.csv more-reviews.txt.gz --size 8000 --out reviews-vocabulary"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(VocabularySettings, "vocab")(vocab))


def vocab(
    texts: Annotated[
        list[str],
        typer.Argument(metavar="TEXTS...", help="Tables with a text column, or .txt files with a text on each line."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Output directory of the tokenizer.")],
    settings: VocabularySettings,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the vocabulary at --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Train a WordPiece vocabulary on texts, and measure it on held-out ones.

    One text of twenty is held out. The vocabulary of --base is measured on the same texts.
    """
    from rich.console import Console

    from bertline.training.pretraining.vocabulary import make_vocabulary

    console = Console(stderr=True, highlight=False)
    with console.status("Counting words") as status:
        trained = make_vocabulary(
            texts, out, settings, lambda step, read: status.update(f"{step}: {read:,} texts read"), overwrite=overwrite
        )
    if as_json:
        typer.echo(json.dumps(trained.to_json(), ensure_ascii=False))
    _show(console, trained, settings)


def _show(console: Console, trained: Trained, settings: VocabularySettings) -> None:
    skipped = f"; {_counted(trained.skipped, 'bad row')} left out" if trained.skipped else ""
    texts, words = _counted(trained.texts, "text"), _counted(trained.words, "different word")
    console.print(f"{trained.size:,} tokens from {texts} with {words}{skipped}")
    if trained.size < settings.size:
        console.print(
            f"The texts have no more pieces that occur {settings.min_count:,} times (--size {settings.size:,})"
        )
    console.print()
    if trained.coverage is None:
        console.print("Not measured: no text was held out, because there are too few")
    else:
        _show_coverage(console, trained)
    if trained.pieces is not None:
        for name, pieces in zip(("new", trained.base), trained.pieces, strict=True):
            console.print(f"\n{name}, {len(pieces)} tokens\n  {' '.join(pieces)}", soft_wrap=True, markup=False)
    console.print(f"\nVocabulary  {trained.out}", soft_wrap=True)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _show_coverage(console: Console, trained: Trained) -> None:
    from rich.table import Table

    from bertline.statistics.figures import percent

    assert trained.coverage is not None
    table = Table(title=f"{trained.coverage[0].texts:,} held-out texts", title_justify="left", box=None)
    table.add_column("vocabulary")
    for name in ("tokens per word", "unknown words", "tokens"):
        table.add_column(name, justify="right")
    for name, one in zip(("new", trained.base), trained.coverage, strict=True):
        table.add_row(name, f"{one.pieces_per_word:.3f}", percent(one.unknown_share, digits=3), f"{one.pieces:,}")
    console.print(table)
