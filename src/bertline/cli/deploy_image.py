"""``bertline deploy image``: a container image with a bundle inside."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from bertline.destination.checks import megabytes
from bertline.errors import UsageError

EPILOG = "Example: bertline deploy image reviews --out image --build --tag registry.example/reviews:1"
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]*(@sha256:[0-9a-f]{64})?")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("image", epilog=EPILOG)(image)


def image(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory of the bundle.")],
    out: Annotated[Path, typer.Option(help="Output directory; existing files are overwritten.")] = Path("image"),
    trust: Annotated[
        list[Path] | None,
        typer.Option("--trust", metavar="FILE", help="Require a signature by this public key; may be repeated."),
    ] = None,
    build: Annotated[bool, typer.Option("--build", help="Build it with Docker, Podman or Buildah.")] = False,
    tag: Annotated[str | None, typer.Option(help="Name of the built image. [NAME:VERSION of the bundle]")] = None,
    base: Annotated[
        str | None, typer.Option(help="Base image with Python, best pinned by its digest. [python:3.13-slim-bookworm]")
    ] = None,
    builder: Annotated[
        str | None,
        typer.Option(
            help="Image that installs the packages, with pip and the same Python. [--base, or python:3.13-bookworm]"
        ),
    ] = None,
    build_option: Annotated[
        list[str] | None,
        typer.Option(help="Passed on to the tool's build, as in --build-option=--no-cache; may be repeated."),
    ] = None,
) -> None:
    """Write the build context of an image that serves a bundle, and build it.

    The context has a Dockerfile, locked requirements, this bertline as a wheel, and a verified copy of the bundle.
    """
    from bertline.bundle.signing import read_public_key
    from bertline.deploy import containers
    from bertline.deploy.image import write_context

    for option, reference in (("--tag", tag), ("--base", base), ("--builder", builder)):
        if reference is not None and not _REFERENCE.fullmatch(reference):
            raise UsageError(f"{option} {reference} is not the name of an image: write registry/name:tag")
    tool = containers.find_tool() if build else None
    model = write_context(out, bundle, [read_public_key(path) for path in trust] if trust else None)
    typer.echo(f"{out} is the build context of {model.manifest.name} (version {model.version})")
    if tool is None:
        typer.echo(f"build it: docker build --tag {tag or _tag(model.manifest.name, model.version)} {out}")
        return
    made = containers.build(
        tool,
        out,
        tag or _tag(model.manifest.name, model.version),
        base=base,
        builder=builder,
        options=build_option or (),
    )
    typer.echo(f"{made.tag} is built by {tool}: {megabytes(made.size_bytes)} with its base, id {made.id}")
    if base is None or "@" not in base:
        typer.echo("its base is not pinned: with --base NAME@sha256:… a later build has the same bytes", err=True)


def _tag(name: str, version: str) -> str:
    """The tag of a bundle, in the letters that names of images may have."""
    return f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'model'}:{version}"
