"""``bertline deploy init``: a pipeline for a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

EPILOG = "Example: bertline deploy init --ci github --name mails --data data/train.csv --evaluation data/later.csv \
--minimum accuracy=0.82"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(init)


def init(
    ci: Annotated[Literal["github", "gitlab", "jenkins"], typer.Option("--ci", help="System that runs the pipeline.")],
    name: Annotated[str, typer.Option(help="Name of the model, its image and its chart.")],
    data: Annotated[str, typer.Option(help="Table to train on, below the project.")],
    evaluation: Annotated[str, typer.Option(help="Table that the model is measured on, below the project.")],
    out: Annotated[Path, typer.Option(help="Directory of the project.")] = Path(),
    minimum: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Least value of a figure; may be repeated.")
    ] = None,
    maximum: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Greatest value of a figure; may be repeated.")
    ] = None,
    registry: Annotated[
        str, typer.Option(help="Registry of images, charts and bundles.")
    ] = "registry.example.com/team",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
) -> None:
    """Write a pipeline into a project: train, measure, publish, deploy, verify, or go back.

    Its steps are commands that also run on a laptop (deploy/steps.sh). What is particular to a registry and a cluster
    is in deploy/hooks, and written for Docker, Trivy, Cosign and Helm.
    """
    from bertline.deploy.pipeline import Pipeline, write_pipeline
    from bertline.evaluation.bounds import Bound

    bounds = [Bound.parse(one, least=True) for one in minimum or ()]
    bounds += [Bound.parse(one, least=False) for one in maximum or ()]
    for path in write_pipeline(Pipeline(ci, name, data, evaluation, bounds, registry), out, overwrite=overwrite):
        typer.echo(str(path))
    typer.echo(f"Next: {out / 'deploy' / 'settings.sh'}, then deploy/steps.sh check", err=True)
