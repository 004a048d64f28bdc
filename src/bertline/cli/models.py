"""``bertline models``: bundles between training and serving; here, who vouches for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bertline.errors import UsageError

app = typer.Typer(help="Sign bundles and check their signatures.", no_args_is_help=True)
keys = typer.Typer(help="Keys that sign bundles.", no_args_is_help=True)
app.add_typer(keys, name="key")

BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory of the bundle.")]
Passphrase = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="File with the passphrase of the private key."),
]


def register(main: typer.Typer) -> None:
    """Add the verbs."""
    main.add_typer(app, name="models")


@keys.command("new", epilog="Example: bertline models key new release.key")
def new_key(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File of the private key; OUT.pub is the public one.")],
    passphrase_file: Passphrase = None,
) -> None:
    """Make a pair of Ed25519 keys: one that signs, and one for whoever checks.

    The private key is readable by you alone. Servers need the public one.
    """
    from bertline.bundle.signing import new_key

    made = new_key(out, _passphrase(passphrase_file))
    typer.echo(f"key {made.id}: {out} signs, {out}.pub is for those who check")


@app.command(epilog="Example: bertline models sign reviews --key release.key")
def sign(
    bundle: BundlePath,
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="Private key, from models key new.")],
    passphrase_file: Passphrase = None,
) -> None:
    """Sign a bundle: vouch for every file in it.

    All hashes are checked first. Signatures by other keys stay. Whatever writes the bundle again, as optimize does,
    removes them all.
    """
    from bertline.bundle.signing import read_private_key
    from bertline.bundle.signing import sign as make

    made = make(bundle, read_private_key(key, _passphrase(passphrase_file)))
    typer.echo(f"{bundle} is signed by key {made.key} at {made.signed_at}")


@app.command(epilog="Example: bertline models verify reviews --trust release.key.pub")
def verify(
    bundle: BundlePath,
    trust: Annotated[
        list[Path],
        typer.Option("--trust", metavar="FILE", help="Public key; give the flag again for more. One of them must fit."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON on standard output.")] = False,
) -> None:
    """Check a bundle's signature and every file. Exit code 0: it is as one of the keys signed it.

    Nothing in the bundle is interpreted before its signature fits.
    """
    from bertline.bundle import load
    from bertline.bundle.signing import read_public_key

    found = load(bundle, trusted=[read_public_key(path) for path in trust])
    assert found.signature is not None, "one was required"
    key, signed_at = found.signature.key, found.signature.signed_at
    if as_json:
        typer.echo(json.dumps({"bundle": str(bundle), "version": found.version, "key": key, "signed_at": signed_at}))
        return
    files = len(found.manifest.files)
    typer.echo(f"{bundle} (version {found.version}) is signed by key {key} at {signed_at}; all {files} files fit")


def _passphrase(file: Path | None) -> bytes | None:
    """The first line of a file."""
    if file is None:
        return None
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"the passphrase file {file} cannot be read: {error.strerror}; name another") from None
    if not lines or not lines[0]:
        raise UsageError(
            f"the first line of {file} is empty: write the passphrase there, or leave --passphrase-file out"
        )
    return lines[0]
