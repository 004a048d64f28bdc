"""``bertline pretrain``: pre-train an encoder on texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.settings_flags import with_settings
from bertline.training.pretraining.settings import PretrainSettings

if TYPE_CHECKING:
    from bertline.training.finished import Finished
    from bertline.training.pretraining.run import Pretrained

EPILOG = (
    "Example: bertline pretrain reviews.csv more-reviews.txt.gz --model all-MiniLM-L6-v2 --epochs 3 "
    "--out reviews-encoder"
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(PretrainSettings, "pretrain")(pretrain))


def pretrain(
    texts: Annotated[
        list[str],
        typer.Argument(metavar="TEXTS...", help="Tables with a text column, or .txt files with a text on each line."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Output directory of the encoder.")],
    settings: PretrainSettings,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the texts and say what the run would take, without training.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an unfinished run, or keep a finished one."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the encoder, or an unfinished run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Pre-train an encoder on texts as a masked language model, or with --causal as one that generates text.

    With --model, training goes on from a published encoder; with --vocab, it starts from scratch.
    One text of twenty is held out. `bertline train --model` fine-tunes the result, and `bertline generate` continues
    texts with a causal one.
    """
    from bertline.cli.training_screen import TrainingScreen
    from bertline.training.finished import Finished
    from bertline.training.parallel.launch import carry_out
    from bertline.training.pretraining.run import forecast
    from bertline.training.pretraining.run import pretrain as recipe

    with TrainingScreen() as screen:
        if dry_run:
            expected = forecast(texts, out, settings, screen, overwrite=overwrite)
            for line in expected.lines():
                screen.note(line)
            figures = expected.to_json()
        else:
            pretrained = carry_out(recipe, settings, screen, resume=resume, texts=texts, out=out, overwrite=overwrite)
            if pretrained is None:  # this process is a rank, and the leader shows the result
                return
            figures = dict(pretrained.record) if isinstance(pretrained, Finished) else pretrained.to_json()
    if as_json:
        typer.echo(json.dumps(figures, ensure_ascii=False))
    if not dry_run:
        _show(pretrained, causal=settings.causal)


def _show(pretrained: Pretrained | Finished, *, causal: bool) -> None:
    from rich.console import Console

    from bertline.cli.figures_table import print_figures, rows
    from bertline.statistics.figures import title as readable

    console = Console(stderr=True, highlight=False)
    console.print()
    print_figures(pretrained.title, rows((readable(name), one) for name, one in pretrained.headline()), stderr=True)
    console.print(f"\nEncoder  {pretrained.out}", soft_wrap=True)
    if causal:
        console.print(f'\nTry it  bertline generate {pretrained.out} "a text"', soft_wrap=True)
    else:
        console.print(f"\nFine-tune it   bertline train DATA --model {pretrained.out} --out BUNDLE", soft_wrap=True)
        console.print(f"Fill in words  bertline models import {pretrained.out} --out BUNDLE", soft_wrap=True)
