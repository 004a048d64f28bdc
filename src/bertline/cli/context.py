"""``bertline context``: each token of a text from its left context alone and from both sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bertline.encoder.context import Contexts

EPILOG = 'Example: bertline context small-lm small-encoder "The film was far too long for children."'
DRAWN = 24  # tokens of a text up to which what each may see is drawn
SEEN, HIDDEN, UNSEEN = "●", "?", "·"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(context)


def context(
    causal: Annotated[Path, typer.Argument(metavar="CAUSAL", help="Output of bertline pretrain --causal.")],
    masked: Annotated[Path, typer.Argument(metavar="MASKED", help="Masked language model with the same vocabulary.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Text to read.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Show how probable each token of a text is from its left context alone and from both sides.

    It shows why BERT reads both ways. Do not compare the two figures: the perplexity from the left measures how
    well the model predicts the text; for the pseudo-perplexity, each token is predicted from all the others.
    """
    from bertline.encoder.context import contexts
    from bertline.encoder.network import load_causal, load_filling
    from bertline.encoder.source import find_model
    from bertline.errors import UsageError
    from bertline.text import Tokenizer

    directories = [find_model(str(one)) for one in (causal, masked)]
    first, second = (Tokenizer.from_bundle(one) for one in directories)
    if first.fingerprint != second.fingerprint:
        raise UsageError(f"{causal} and {masked} have different vocabularies: pre-train both with the same --vocab")
    found = contexts(load_causal(directories[0]), load_filling(directories[1]), first, text)
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        _show(found)


def _show(found: Contexts) -> None:
    from rich.console import Console
    from rich.table import Table

    from bertline.statistics.figures import percent, plain

    count, console = len(found.tokens), Console(highlight=False)
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("token", overflow="fold")
    for side in ("from the left", "from both sides"):
        if count <= DRAWN:
            table.add_column("sees")
        table.add_column(side, justify="right")
        table.add_column("expects", overflow="fold")
    for i, one in enumerate(found.tokens):
        cells = [[SEEN * i + HIDDEN + UNSEEN * (count - i - 1), percent(one.left), one.left_best]]
        cells += [[SEEN * i + HIDDEN + SEEN * (count - i - 1), percent(one.both), one.both_best]]
        drawn = slice(None) if count <= DRAWN else slice(1, None)
        table.add_row(one.token, *(cell for side in cells for cell in side[drawn]))
    console.print(table)
    console.print(
        f"\nPerplexity from the left {plain(found.perplexity)}, pseudo-perplexity from both sides "
        f"{plain(found.pseudo_perplexity)}",
        soft_wrap=True,
    )
