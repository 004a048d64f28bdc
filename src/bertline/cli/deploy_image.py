"""``bertline deploy image``: an image of the server, with or without its model, or one for training and batch work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from bertline import __version__
from bertline.destination.checks import megabytes
from bertline.errors import UsageError

EPILOG = "Example: bertline deploy image reviews --out image --build --tag registry.example/reviews:1"
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]*(@sha256:[0-9a-f]{64})?")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("image", epilog=EPILOG)(image)


def image(
    bundle: Annotated[
        str | None,
        typer.Argument(
            metavar="[BUNDLE]",
            help="Directory of a bundle, which is put inside, or its address with @sha256:…, from which a container "
            "fetches it when it starts. [an image without a model: BERTLINE_MODEL names it]",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Output directory; existing files are overwritten.")] = Path("image"),
    target: Annotated[
        Literal["serve", "batch"],
        typer.Option(help="A server, or train, evaluate, optimize and predict: that one has PyTorch."),
    ] = "serve",
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
    """Write the build context of an image, and build it.

    The context has a Dockerfile, locked requirements, this bertline as a wheel, and a verified copy of the bundle, if
    it is one of a directory.
    """
    from bertline.deploy import containers

    for option, reference in (("--tag", tag), ("--base", base), ("--builder", builder)):
        if reference is not None and not _REFERENCE.fullmatch(reference):
            raise UsageError(f"{option} {reference} is not the name of an image: write registry/name:tag")
    tool = containers.find_tool() if build else None
    about, default = _write(out, bundle, target, trust or ())
    typer.echo(f"{out} is the build context of {about}")
    if tool is None:
        typer.echo(f"build it: docker build --tag {tag or default} {out}")
        return
    made = containers.build(
        tool,
        out,
        tag or default,
        base=base,
        builder=builder,
        options=build_option or (),
    )
    typer.echo(f"{made.tag} is built by {tool}: {megabytes(made.size_bytes)} with its base, id {made.id}")
    if base is None or "@" not in base:
        typer.echo("its base is not pinned: with --base NAME@sha256:… a later build has the same bytes", err=True)


def _write(out: Path, bundle: str | None, target: str, trust: Sequence[Path]) -> tuple[str, str]:
    """Write a context; what it is of, and the name of its image."""
    from bertline.bundle.signing import read_public_key
    from bertline.deploy import batch_image, image
    from bertline.registry.fetch import is_address

    inside = bundle is not None and not is_address(bundle)
    if target == "batch" and bundle is not None:
        raise UsageError(
            f"--target batch has no model inside: leave out {bundle}, and mount it when the container runs"
        )
    if trust and not inside:
        raise UsageError(
            "--trust verifies a bundle that is put inside: where containers fetch theirs, set "
            "BERTLINE_STORE_REQUIRE_SIGNED_BY in their environment"
        )
    if target == "batch":
        batch_image.write_context(out)
        return f"training and batch work (bertline {__version__})", f"bertline-batch:{__version__}"
    if bundle is None or not inside:
        image.write_without_model(out, bundle or "")
        about = f"a server that fetches {bundle}" if bundle else "a server without a model"
        return f"{about} (bertline {__version__})", f"bertline:{__version__}"
    model = image.write_context(out, Path(bundle), [read_public_key(path) for path in trust] or None)
    manifest = model.manifest
    return f"{manifest.name} (version {model.version})", _tag(manifest.name, model.version)


def _tag(name: str, version: str) -> str:
    """The tag of a bundle, in the letters that names of images may have."""
    return f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'model'}:{version}"
