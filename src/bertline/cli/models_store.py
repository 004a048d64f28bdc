"""``bertline models push``, ``pull``, ``tag`` and ``cache``: bundles to and from addresses."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from bertline.cli.bundle_argument import transfer_screen

Address = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS",
        help="s3://BUCKET/PREFIX, oci://HOST/NAME, hf://OWNER/NAME or a directory; with :TAG, or @sha256:HASH.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``models``."""
    app.command(epilog="Example: bertline models push reviews s3://models/reviews:stable")(push)
    app.command(epilog="Example: bertline models pull s3://models/reviews:stable --out reviews")(pull)
    app.command(epilog="Example: bertline models tag s3://models/reviews:2026-11-30 production")(tag)
    app.command(epilog="Example: bertline models cache --clear")(cache)


def push(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory of the bundle.")],
    address: Address,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write files that are there already again, to mend damaged ones.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Push a bundle to a bucket, a registry, the Hugging Face hub or a directory.

    All hashes are checked first. The tag, `latest` unless the address has another, is moved at last, so nobody sees
    half a bundle, and an interrupted push goes on where it stopped. It prints the address that pins what was pushed.
    """
    from bertline.registry.fetch import parse_address
    from bertline.registry.fetch import push as run

    with transfer_screen(f"pushing {bundle}") as watch:
        pinned = run(bundle, parse_address(address), overwrite=overwrite, watch=watch)
    typer.echo(json.dumps({"address": str(pinned)}) if as_json else f"{bundle} is at {pinned}")


def pull(
    address: Address,
    out: Annotated[
        Path | None, typer.Option("--out", help="Output directory of the bundle; without it, into the cache.")
    ] = None,
    trust: Annotated[
        list[Path] | None,
        typer.Option("--trust", metavar="FILE", help="Public key that must have signed the bundle; may be repeated."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle at --out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch a bundle; every file is verified as it arrives, and the directory appears when it is whole.

    An interrupted transfer goes on where it stopped. With --trust, the signature is verified before anything else is
    fetched.
    """
    from bertline.registry.fetch import parse_address, pull_to

    with transfer_screen(f"fetching {address}") as watch:
        pulled = pull_to(parse_address(address), out, trust=trust or (), overwrite=overwrite, watch=watch)
    version = pulled.manifest.checksum[:12]
    if as_json:
        facts = {"bundle": str(pulled.path), "name": pulled.manifest.name, "version": version}
        typer.echo(json.dumps({**facts, "received_bytes": pulled.received_bytes}))
        return
    typer.echo(f"{pulled.path} is {pulled.manifest.name} (version {version}); {pulled.received_bytes:,} bytes received")


def tag(
    address: Address,
    name: Annotated[str, typer.Argument(metavar="TAG", help="Tag that names the bundle from now on.")],
    as_json: AsJson = False,
) -> None:
    """Give a bundle in a store another tag, without a transfer; a tag that is elsewhere moves.

    It prints the address that pins the bundle.
    """
    from bertline.registry.fetch import parse_address
    from bertline.registry.fetch import tag as run

    pinned = run(parse_address(address), name)
    typer.echo(json.dumps({"address": str(pinned), "tag": name}) if as_json else f"{name} names {pinned}")


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all bundles that no process uses.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the bundles that were fetched from addresses, the least recently used first, or remove them."""
    from bertline.destination.checks import megabytes
    from bertline.registry.fetch import Cache, store_settings

    settings = store_settings()
    kept = Cache(settings.cache_directory, settings.cache_bytes)
    removed = kept.clear() if clear else []
    entries = kept.entries()
    if as_json:
        rows = [{"bundle": str(one.path), "bytes": one.bytes, "used": one.used, "held": one.is_held} for one in entries]
        typer.echo(json.dumps({"bundles": rows, "removed": [str(one.path) for one in removed]}))
        return
    for one in entries:
        used = datetime.fromtimestamp(one.used).astimezone().isoformat(timespec="minutes")
        typer.echo(f"{one.path}  {megabytes(one.bytes)}  {'in use' if one.is_held else f'last used {used}'}")
    total = sum(one.bytes for one in entries)
    if removed:
        typer.echo(f"removed {megabytes(sum(one.bytes for one in removed))}", err=True)
    typer.echo(f"{megabytes(total)} of {megabytes(settings.cache_bytes)} in {settings.cache_directory}", err=True)
