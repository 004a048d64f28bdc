"""``bertline gate``: may a model replace the one in use?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.bundle_argument import bundle_argument, fetched
from bertline.cli.models import Passphrase
from bertline.cli.settings_flags import with_settings
from bertline.errors import BertlineError, UsageError
from bertline.lifecycle.gate.settings import GateSettings

if TYPE_CHECKING:
    from bertline.lifecycle.gate.run import Gated

EPILOG = (
    "Examples: bertline gate new --champion reviews --data frozen.csv --out verdict.json · "
    "bertline gate models:/reviews/4 --champion models:/reviews@champion --data frozen.csv --fresh october.csv "
    "--behaviour sentiment --out verdict.json --key gate.key"
)
VERDICT, COMPARISON = "the verdict", "the comparison"  # in messages about where they go
Tables = Annotated[
    list[str],
    typer.Option("--data", metavar="TABLE", help="Labelled rows that stay the same for every challenger; repeatable."),
]


class GateSaidNo(BertlineError):
    """A challenger may not replace the champion, or the rows cannot tell."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(GateSettings)(gate))


def gate(
    challenger: Annotated[Path, bundle_argument("Directory of the new model.")],
    data: Tables,
    settings: GateSettings,
    champion: Annotated[
        str | None, typer.Option(metavar="BUNDLE", help="The model in use, likewise; none for the first model.")
    ] = None,
    fresh: Annotated[
        list[str] | None,
        typer.Option(metavar="TABLE", help="Recent labelled rows, which count apart from --data; repeatable."),
    ] = None,
    behaviour: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Cases as JSON lines, or sentiment, the starter set; repeatable."),
    ] = None,
    minimum: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Least value of a figure; repeatable.")
    ] = None,
    maximum: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Greatest value of a figure; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write the verdict, for promote.")] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Private key that signs the verdict.")] = None,
    passphrase_file: Passphrase = None,
    report: Annotated[Path | None, typer.Option(help="Directory to write gate.html to.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the comparison as Markdown, for a pull request.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Decide whether a model may replace the one in use. Exit code 0: it may; 1: it may not, or the rows cannot tell.

    Both models answer the same rows. The challenger must not be worse by the margin, with 97.5 % confidence, nor lose
    much on a slice; must be calibrated, agree with its own full network, be as fast and as small, keep bounds, behave,
    and not have seen the rows. Too few rows to tell is not a yes: the verdict says how many would do.
    """
    from bertline.bundle.signing import passphrase_in, read_private_key
    from bertline.cli.report_place import WHAT, report_place
    from bertline.destination import as_destination_error, check_place, replace_file
    from bertline.evaluation.bounds import Bound
    from bertline.lifecycle.gate.markdown import markdown as as_markdown
    from bertline.lifecycle.gate.page import write_gate
    from bertline.lifecycle.gate.run import Evidence
    from bertline.lifecycle.gate.run import gate as run

    if key is not None and out is None:
        raise UsageError("--key signs the file that --out names: give --out")
    private = None if key is None else read_private_key(key, passphrase_in(passphrase_file))
    bounds = [Bound.parse(one, least=True) for one in minimum or ()]
    bounds += [Bound.parse(one, least=False) for one in maximum or ()]
    for place, what in ((out, VERDICT), (markdown, COMPARISON)):
        if place is not None:
            check_place(place, what)
    with report_place(report, "gate.html"):
        other = None if champion is None else fetched(champion)
        found = run(challenger, other, Evidence(data, fresh or (), behaviour or (), bounds), settings)
        verdict = found.verdict() if private is None else found.verdict().signed(private)
        if out is not None:
            with as_destination_error(out, VERDICT):
                replace_file(out, verdict.to_file())
        if markdown is not None:
            with as_destination_error(markdown, COMPARISON):
                replace_file(markdown, as_markdown(found).encode())
        if report is not None:
            with as_destination_error(report, WHAT):
                write_gate(report, found, verdict.verdict)
    if as_json:
        typer.echo(json.dumps(verdict.verdict.model_dump(mode="json"), ensure_ascii=False))
    else:
        _show(found)
    if found.decision != "yes":
        raise GateSaidNo(_reason(found))


def _reason(found: Gated) -> str:
    """Why it did not say yes: every check that said the same."""
    reasons = "; ".join(f"{one.name}: {one.sentence}" for one in found.checks if one.decision == found.decision)
    if found.decision == "no":
        return f"{found.challenger.title} may not be promoted: {reasons}"
    return f"it cannot be decided yet: {reasons}"


def _show(found: Gated) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    against = "" if found.champion is None else f" in place of {found.champion.title}"
    words = {"yes": "may be promoted", "no": "may not be promoted", "undecided": "cannot be judged yet"}
    console.print(f"{found.challenger.title} {words[found.decision]}{against}\n")
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("check")
    table.add_column("says", no_wrap=True)
    table.add_column("")
    for one in found.checks:
        table.add_row(one.name, one.decision, one.sentence)
    console.print(table)
