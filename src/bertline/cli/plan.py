"""``bertline plan``: replicas, cores and money for a load, measured here and simulated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.settings_flags import with_settings
from bertline.deploy.capacity.settings import PlanSettings

if TYPE_CHECKING:
    from rich.console import Console

    from bertline.deploy.capacity.plan import Plan

WIDE = 100  # columns of a terminal that has room for every figure
SHOWN = 12  # options in the terminal; the page and --json have all

EPILOG = "Example: bertline plan reviews --rps 500 --p99-ms 100 --prices prices.toml --out plan.html"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(PlanSettings, "plan")(plan))


def plan(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory of the bundle.")],
    settings: PlanSettings,
    out: Annotated[Path | None, typer.Option("--out", help="Write a page with pictures (HTML).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Plan capacity: how many replicas a load takes on machines like this one, and what they cost.

    Every engine of the bundle is measured here: its batches, and the server around it. The replicas are then simulated
    with the server's own scheduler until the latency is met.
    """
    from rich.console import Console

    from bertline.deploy.capacity.answer import to_json
    from bertline.deploy.capacity.plan import make_plan
    from bertline.deploy.capacity.report import check_page, write_page

    console = Console(stderr=True, highlight=False)
    if out is not None:
        check_page(out)
    with console.status("Reading the bundle") as status:
        made = make_plan(bundle, settings, status.update)
    _show(console, made)
    if as_json:
        typer.echo(json.dumps(to_json(made), ensure_ascii=False))
    if out is not None:
        write_page(out, made)
        console.print(f"\nPage  {out}", soft_wrap=True)


def _show(console: Console, made: Plan) -> None:
    from rich.table import Table

    from bertline.deploy.capacity.answer import answer, assumptions, option_json
    from bertline.statistics.figures import percent

    console.print(answer(made), soft_wrap=True, style="bold")
    priced = made.prices is not None
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    wide = console.width >= WIDE
    for name in ("engine", *(("machines",) if priced else ())):
        table.add_column(name, no_wrap=True)
    money = (f"{made.prices.currency}/month",) if made.prices is not None else ()
    more = ("memory MB", "p50 ms") if wide else ()
    for name in ("replicas × cores", *more, "p99 ms", "busy", *money):
        table.add_column(name, justify="right", no_wrap=True)
    for one in made.options[:SHOWN]:
        facts = option_json(made, one)
        table.add_row(
            facts["engine"],
            *((f"{facts['machines']} × {facts['machine']}",) if priced else ()),
            f"{'~' if one.extrapolated else ''}{one.replicas} × {one.sizer.cores}",
            *((f"{facts['memory_mb']:,}", f"{facts['p50_ms']:.1f}") if wide else ()),
            f"{facts['p99_ms']:.1f}",
            percent(facts["busy_ratio"], digits=0),
            *((f"{facts['per_month']:,.0f}",) if priced else ()),
        )
    console.print()
    console.print(table)
    if len(made.options) > SHOWN:
        console.print(f"and {len(made.options) - SHOWN} more options: see --out or --json")
    console.print()
    for sentence in assumptions(made):
        console.print(sentence, soft_wrap=True, style="dim")
