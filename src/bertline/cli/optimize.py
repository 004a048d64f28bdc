"""``bertline optimize``: a bundle's engines, tried and measured on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.settings_flags import with_settings
from bertline.errors import UsageError
from bertline.machine.timing import DurationRange
from bertline.optimization.settings import OptimizeSettings

if TYPE_CHECKING:
    from bertline.optimization.outcome import Optimized

WIDE = 100  # columns of a terminal that has room for every figure; the report has them all
INTERVAL = "lost, test rows"

EPILOG = "Example: bertline optimize reviews --max-accuracy-drop 0.5 --goal throughput"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(OptimizeSettings, "optimize")(optimize))


def optimize(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory of the bundle.")],
    settings: OptimizeSettings,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the candidates and estimate the time, but change nothing.")
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Measure on a machine of a Ray cluster: local, auto or HOST:PORT."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Make a bundle smaller and faster: build engines, measure them, select the best.

    Each engine is compared with fp32 on the bundle's validation rows and timed on this machine. Those within the
    accuracy limit are written into the bundle, the best one first. Accuracy is reported on the test rows, which no
    choice uses.
    """
    from bertline.optimization.run import optimize, plan

    if dry_run and ray is not None:
        raise UsageError("--dry-run estimates the time on this machine: leave out --ray")
    if dry_run:
        names, seconds = plan(bundle, settings)
        typer.echo(f"would try {', '.join(names)}; {minutes(seconds)} on this machine")
        return

    def notify(text: str) -> None:
        typer.echo(text, err=True)

    if ray is None:
        outcome = optimize(bundle, settings, notify)
    else:
        from bertline.optimization.on_cluster import optimize_on_cluster

        outcome = optimize_on_cluster(ray, bundle, settings, notify)
    if as_json:
        from bertline.optimization.report import row

        typer.echo(
            json.dumps({"picked": outcome.picked, "engines": {name: row(outcome, name) for name in outcome.measured}})
        )
    _show(bundle, outcome, settings)


def minutes(seconds: DurationRange) -> str:
    """About how long, or between which two, where the timings differ.

    >>> minutes(DurationRange(100.0, 110.0)), minutes(DurationRange(100.0, 600.0))
    ('about 2 min', '2 to 10 min (the pace varies: the machine is busy)')
    """
    low, high = (max(1, round(one / 60)) for one in (seconds.low, seconds.high))
    if low == high or seconds.stable:
        return f"about {max(1, round(seconds.middle / 60))} min"
    return f"{low} to {high} min (the pace varies: the machine is busy)"


def _show(bundle: Path, outcome: Optimized, settings: OptimizeSettings) -> None:
    from rich.console import Console
    from rich.table import Table

    from bertline.statistics.figures import percent

    console = Console(stderr=True, highlight=False)
    wide = console.width >= WIDE
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("engine", no_wrap=True)
    score = outcome.reported["fp32"].score
    same = {"accuracy": "same label", "MRR": "mean cosine", "Spearman": "mean cosine"}.get(score, "same answer")
    cold = ("memory MB", "start s") if wide else ()
    for name in ("texts/s", "p50 ms", "p99 ms", "MB", *cold, same, "lost", INTERVAL):
        table.add_column(name, justify="right", no_wrap=name != INTERVAL)  # what does not fit goes to a second line
    for name, one in outcome.measured.items():
        speed, tested = one.speed, outcome.reported[name].difference
        table.add_row(
            f"{name} ←" if name == outcome.picked else name,
            *(f"{speed.texts_per_s:,.0f}", f"{speed.p50_ms:.2f}", f"{speed.p99_ms:.2f}", f"{one.megabytes:.1f}"),
            *((f"{one.cold.memory_mb:.0f}", f"{one.cold.seconds:.2f}") if wide else ()),
            percent(one.quality.agreement),
            f"{one.quality.drop_points:.2f}",
            f"{outcome.reported[name].drop_points:.2f} ({0 - 100 * tested.high:.1f} to {0 - 100 * tested.low:.1f})",
        )
    console.print(table)
    for name, candidate in outcome.candidates.items():
        if candidate.note:
            console.print(f"{name}: {candidate.note}", soft_wrap=True)
    for sentence in outcome.caveats:
        console.print(f"note: {sentence}", soft_wrap=True)
    console.print(f"lost: points of {score} lost against fp32", soft_wrap=True)
    console.print(
        f"speed: measured on {outcome.processor}; the answers are the same on every processor", soft_wrap=True
    )
    console.print(f"\nPicked  {outcome.picked} for {settings.goal}", soft_wrap=True)
    console.print(f"Report  {bundle / 'report' / 'engines.html'}", soft_wrap=True)
