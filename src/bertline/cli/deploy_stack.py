"""``bertline deploy stack``: replicas of a model on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bertline.errors import needing

EPILOG = "Example: bertline deploy stack reviews --out stack --replicas 3"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(stack)


def stack(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory of the bundle.")],
    out: Annotated[Path, typer.Option(help="Directory to write to; existing files but .env are overwritten.")] = Path(
        "stack"
    ),
    replicas: Annotated[int, typer.Option(help="Number of replicas.")] = 2,
    image: Annotated[
        str | None, typer.Option(help="Image of the replicas. [localhost/NAME:latest]", show_default=False)
    ] = None,
    network: Annotated[
        str, typer.Option(help="First three numbers of the addresses of the replicas' network.")
    ] = "172.31.250",
) -> None:
    """Write a stack for one machine: replicas behind nginx, with HTTPS, API keys, shared limits and Prometheus.

    For Docker Compose or podman. README.md in the directory says how to start it and how to upgrade it without losing
    a request. It also has a systemd unit for one server without containers.
    """
    with needing("writing these files needs {}", "yaml", "prometheus_client", extra="serve"):
        from bertline.bundle.verify import read_manifest
        from bertline.deploy.stack import Stack, image_name, write_stack
    read_manifest(bundle)
    name = image_name(bundle.resolve().name)
    kept = (out / ".env").exists()
    for path in write_stack(Stack(name, image or f"localhost/{name}:latest", replicas, network), out):
        typer.echo(str(path))
    if kept:
        typer.echo(f"note: {out / '.env'} is kept, with its image and passwords", err=True)
    typer.echo(f"Next: {out / 'README.md'}", err=True)
