"""``bertline deploy``: what a bundle needs to run elsewhere, a file for each verb."""

from __future__ import annotations

import typer

from bertline.cli import deploy_chart, deploy_image, deploy_init, deploy_manifests, deploy_ray, deploy_stack

deploy = typer.Typer(help="Write what a bundle needs to run elsewhere.", no_args_is_help=True)
for verb in (deploy_init, deploy_image, deploy_chart, deploy_manifests, deploy_ray, deploy_stack):
    verb.register(deploy)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(deploy, name="deploy")
