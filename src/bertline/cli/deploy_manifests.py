"""``bertline deploy manifests``: a chart as plain manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bertline.destination import write_files

EPILOG = "Example: bertline deploy manifests chart --out base --name reviews --namespace shop --values production.yaml"
WHAT = "the manifests"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("manifests", epilog=EPILOG)(manifests)


def manifests(
    chart: Annotated[Path, typer.Argument(metavar="CHART", help="Directory that bertline deploy chart wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Output directory; existing files are overwritten.")],
    name: Annotated[str, typer.Option("--name", help="Name of the release, with which the objects' names begin.")],
    namespace: Annotated[str, typer.Option("--namespace", help="Namespace of the objects.")] = "default",
    values: Annotated[
        list[Path] | None,
        typer.Option("--values", metavar="FILE", help="Values that override the chart's; may be repeated."),
    ] = None,
) -> None:
    """Render a chart to plain manifests with a kustomization.yaml, for kubectl apply -k and overlays.

    Needs helm on this machine, and nothing in the cluster.
    """
    from bertline.deploy.manifests import render

    for path in write_files(render(chart, name, namespace, values or ()), out, WHAT):
        typer.echo(str(path))
