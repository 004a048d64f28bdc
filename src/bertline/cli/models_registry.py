"""``bertline models add``, ``list`` and ``show``: versions of models in the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bertline.cli.bundle_argument import fetched, transfer_screen
from bertline.cli.plain_table import print_table

if TYPE_CHECKING:
    from bertline.bundle.signing import PublicKey
    from bertline.registry.catalogue import ModelVersion
    from bertline.registry.verdicts import Kept

RegistryUrl = Annotated[
    str | None,
    typer.Option(
        "--registry",
        metavar="URL",
        help="Database of the registry, sqlite:///FILE or postgresql://USER@HOST/NAME. Default: BERTLINE_REGISTRY, "
        "[registry] url in bertline.toml, or a file in your data directory.",
        show_default=False,
    ),
]
StorePlace = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help="Where the registry keeps bundles, a directory or s3://BUCKET/PREFIX. Default: BERTLINE_STORE, "
        "[registry] store in bertline.toml, or a directory in your data directory.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``models``."""
    app.command(epilog="Example: bertline models add runs/reviews --name reviews")(add)
    app.command("list", epilog="Examples: bertline models list · bertline models list reviews --json")(list_)
    app.command(epilog="Examples: bertline models show reviews@champion · bertline models show reviews:3")(show)


def add(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Directory of the bundle, or its address.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Model of which it is a version.")],
    registry: RegistryUrl = None,
    store: StorePlace = None,
    verdict: Annotated[
        Path | None,
        typer.Option("--verdict", metavar="FILE", help="Verdict of a gate on it, which is kept with the version."),
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who adds it; default: USER@HOST.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Add a bundle to the registry as a version of a model.

    Its files are put into the store once; the same bundle added again is the same version. No alias is moved: see
    models promote.
    """
    from bertline.bundle.verdict import read_signed_verdict
    from bertline.registry.add import add as run
    from bertline.registry.person import whoever
    from bertline.registry.settings import registry_settings

    judged = read_signed_verdict(verdict) if verdict is not None else None
    directory = fetched(bundle)
    with transfer_screen(f"adding {bundle}") as watch:
        added = run(
            directory, name, registry_settings(registry, store), by=by or whoever(), verdict=judged, watch=watch
        )
    version = added.version
    if as_json:
        typer.echo(json.dumps({**_summary(version), "new": added.is_new}))
        return
    known = "is" if added.is_new else "was already"
    typer.echo(f"{bundle} {known} {version}, at {version.address}")


def list_(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only versions of this model.")] = None,
    registry: RegistryUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the versions of all models, or of one, the newest first."""
    from bertline.registry.catalogue import Catalogue
    from bertline.registry.database import Database
    from bertline.registry.settings import registry_settings

    with Database(registry_settings(registry).place) as database:
        versions = Catalogue(database).versions(name)
        place = database.place
    if as_json:
        typer.echo(json.dumps([_summary(one) for one in versions], ensure_ascii=False))
    elif not versions:
        typer.echo(f"the registry {place} is empty: bertline models add BUNDLE --name NAME", err=True)
    else:
        _print_table(versions)


def show(
    model: Annotated[
        str, typer.Argument(metavar="NAME@ALIAS|NAME:VERSION", help="Version; NAME alone is its champion.")
    ],
    trust: Annotated[
        list[Path] | None,
        typer.Option("--trust", metavar="FILE", help="Public key that verifies signatures of verdicts; repeatable."),
    ] = None,
    registry: RegistryUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show a version: lineage, data, settings, figures, verdicts of gates, engines, and where it is."""
    from bertline.bundle.signing import read_public_key
    from bertline.registry.catalogue import Catalogue
    from bertline.registry.database import Database
    from bertline.registry.reference import parse_reference
    from bertline.registry.settings import registry_settings
    from bertline.registry.verdicts import Verdicts

    trusted = [read_public_key(path) for path in trust or ()]
    with Database(registry_settings(registry).place) as database:
        catalogue = Catalogue(database)
        version = catalogue.version(parse_reference(model))
        verdicts = Verdicts(database).about(version.digest) if version.digest else []
        names = {one.digest: str(one) for one in catalogue.versions(version.name) if one.digest}
    if as_json:
        kept = [_verdict_json(one, trusted) for one in verdicts]
        typer.echo(json.dumps({**_summary(version), "facts": version.facts, "verdicts": kept}, ensure_ascii=False))
    else:
        _print_version(version, verdicts, names, trusted)


def _verdict_json(kept: Kept, trusted: Sequence[PublicKey]) -> dict[str, Any]:
    if kept.signed is None:
        return {"hash": kept.hash, "changed": True}
    state = kept.signed.signature(trusted)
    return {"hash": kept.hash, "changed": False, "signature": state, **kept.signed.model_dump(mode="json")}


def _summary(version: ModelVersion) -> dict[str, Any]:
    from bertline.registry.add import main_figure

    figure = main_figure(version.facts.get("metrics") or {})
    main = {"name": figure.name, "value": figure.value, "low": figure.low, "high": figure.high} if figure else None
    return {
        "name": version.name,
        "version": version.version,
        "aliases": list(version.aliases),
        "added": version.added,
        "task": version.task,
        "figure": main,
        "digest": version.digest,
        "address": version.address,
        "run": version.run,
    }


def _print_table(versions: list[ModelVersion]) -> None:
    from bertline.registry.add import main_figure
    from bertline.statistics.figures import INTERVAL

    rows = [["model", "aliases", "added (UTC)", "task", f"figure ({INTERVAL})", "digest"]]
    for one in versions:
        figure = main_figure(one.facts.get("metrics") or {})
        interval = f" ({figure.interval})" if figure and figure.interval else ""
        text = f"{figure.title} {figure.text}{interval}" if figure else "-"
        day = one.added[:16].replace("T", " ")
        rows.append([str(one), ", ".join(one.aliases) or "-", day, one.task or "-", text, (one.digest or "-")[:12]])
    print_table(rows)


def _print_version(
    version: ModelVersion, verdicts: Sequence[Kept], names: Mapping[str, str], trusted: Sequence[PublicKey]
) -> None:
    from bertline.registry.described import lines

    rows = list(lines(version, verdicts, names, trusted))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{name.ljust(width)}  {value}")
