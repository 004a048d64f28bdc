"""``bertline deploy chart``: a Helm chart with a bundle's measured figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bertline import __version__
from bertline.destination import write_files
from bertline.errors import needing

EPILOG = "Example: bertline deploy chart reviews --out chart --image registry.example.com/reviews@sha256:…"
WHAT = "the chart"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("chart", epilog=EPILOG)(chart)


def chart(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory of the bundle.")],
    out: Annotated[Path, typer.Option("--out", help="Output directory; existing files are overwritten.")],
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Output of bertline plan --json, instead of measuring."),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option("--image", metavar="REFERENCE", help="Image in the registry, registry/name@sha256:…"),
    ] = None,
    chart_version: Annotated[
        str, typer.Option("--chart-version", help="Version of the chart: raise it when you publish the chart again.")
    ] = __version__,
) -> None:
    """Write a Helm chart for a bundle, with figures measured on this machine.

    The server is started and loaded for some seconds: its start decides the startup budget, its memory and cores
    the requests and limits, its throughput the thresholds of the autoscalers. Measure on the kind of machine on which
    the pods will run, or give the figures with --plan.
    """
    with needing("writing the chart needs {}", "yaml", "prometheus_client", "fastapi", extra="serve"):
        from bertline.bundle import load
        from bertline.deploy import chart as charts
        from bertline.deploy.measured import read_measured
        from bertline.deploy.measuring import measure

    given = charts.image_of(image) if image else None
    loaded = load(bundle)
    measured = read_measured(plan) if plan else measure(loaded, lambda line: typer.echo(line, err=True))
    for path in write_files(charts.files(loaded, measured, given, chart_version), out, WHAT):
        typer.echo(str(path))
