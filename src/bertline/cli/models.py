"""``bertline models``: the registry of versions; import checkpoints, push and pull bundles, sign and verify them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bertline.cli import models_deployments, models_registry, models_rollouts, models_store
from bertline.cli.bundle_argument import bundle_argument

app = typer.Typer(
    help="Versions of models and which of them is in use; import, push, pull, sign and verify bundles.",
    no_args_is_help=True,
)
keys = typer.Typer(help="Keys that sign bundles.", no_args_is_help=True)
app.add_typer(keys, name="key")
models_registry.register(app)
models_deployments.register(app)
models_rollouts.register(app)
models_store.register(app)

Passphrase = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="File with the passphrase of the private key."),
]


def register(main: typer.Typer) -> None:
    """Add the verbs."""
    main.add_typer(app, name="models")


@app.command(
    "import",
    epilog="Examples: bertline models import bert-base-uncased --out words · "
    "bertline models import all-MiniLM-L6-v2 --out vectors",
)
def import_checkpoint(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Masked language model or embedder: a directory, an installed model or a name on the hub.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Output directory of the bundle.")],
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=4, help="Maximum tokens of a text; without it as many as the checkpoint says or has positions."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle at --out.")] = False,
) -> None:
    """Make a bundle of a published model that answers as it is: nothing is trained.

    A masked language model fills in words for [MASK], as transformers' pipeline fill-mask does. A model of
    sentence-transformers embeds texts, as its encode does.
    """
    from bertline.training.imported import import_checkpoint

    spec = import_checkpoint(checkpoint, out, max_tokens=max_tokens, overwrite=overwrite)
    hint = f", with {spec.required} in the text" if spec.required else ""
    typer.echo(f"{out} is a bundle for the task {spec.task}: bertline predict {out} TEXT{hint}")


@keys.command("new", epilog="Example: bertline models key new release.key")
def new_key(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File of the private key; OUT.pub is the public one.")],
    passphrase_file: Passphrase = None,
) -> None:
    """Create an Ed25519 key pair: the private key signs, the public key verifies.

    Only you can read the private key. Servers need the public one.
    """
    from bertline.bundle.signing import new_key, passphrase_in

    made = new_key(out, passphrase_in(passphrase_file))
    typer.echo(f"key {made.id}: {out} signs, {out}.pub verifies")


@app.command(
    epilog="Examples: bertline models sign reviews --key release.key · "
    "bertline models sign models:/reviews@champion --key release.key"
)
def sign(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Directory of the bundle, or models:/NAME@ALIAS.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="Private key, from models key new.")],
    passphrase_file: Passphrase = None,
) -> None:
    """Sign a bundle and thereby every file in it.

    All hashes are checked first. Signatures by other keys stay. Commands that rewrite the bundle, such as optimize,
    remove all signatures.
    """
    from bertline.bundle.signing import passphrase_in, read_private_key
    from bertline.bundle.signing import sign as make
    from bertline.registry.reference import is_reference, parse_reference
    from bertline.registry.settings import registry_settings
    from bertline.registry.signing import sign_version

    private = read_private_key(key, passphrase_in(passphrase_file))
    if is_reference(bundle):
        made = sign_version(parse_reference(bundle), private, registry_settings())
    else:
        made = make(Path(bundle), private)
    typer.echo(f"{bundle} is signed by key {made.key} at {made.signed_at}")


@app.command(epilog="Example: bertline models verify reviews --trust release.key.pub")
def verify(
    bundle: Annotated[Path, bundle_argument("Directory of the bundle.")],
    trust: Annotated[
        list[Path],
        typer.Option("--trust", metavar="FILE", help="Trusted public key; may be repeated; one is enough."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Verify a bundle's signature and every file. Exit code 0: one of the keys signed it, and nothing has changed.

    Nothing in the bundle is interpreted before its signature is verified.
    """
    from bertline.bundle import load
    from bertline.bundle.signing import read_public_key

    loaded = load(bundle, trusted=[read_public_key(path) for path in trust])
    assert loaded.signature is not None, "one was required"
    key, signed_at = loaded.signature.key, loaded.signature.signed_at
    if as_json:
        typer.echo(json.dumps({"bundle": str(bundle), "version": loaded.version, "key": key, "signed_at": signed_at}))
        return
    files = len(loaded.manifest.files)
    typer.echo(f"{bundle} (version {loaded.version}) is signed by key {key} at {signed_at}; all {files} files match")
