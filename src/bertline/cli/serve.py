"""``bertline serve``: bundles behind an HTTP API and a web page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel

from bertline.cli.bundle_argument import ADDRESSES, fetched, located_version
from bertline.cli.models_registry import RegistryUrl
from bertline.cli.settings_flags import with_settings
from bertline.errors import UsageError, needing
from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.monitoring.logs.settings import LogSettings
from bertline.monitoring.traces.exporter import TraceSettings
from bertline.registry.reference import CHAMPION, is_reference, parse_reference
from bertline.registry.settings import RegistrySettings, registry_settings
from bertline.service.edge.proxies import EdgeSettings
from bertline.service.edge.tls import TlsSettings
from bertline.service.guard.settings import AuthSettings
from bertline.service.limits.settings import LimitSettings
from bertline.service.settings import ServeSettings

if TYPE_CHECKING:
    from bertline.registry.resolve import Located
    from bertline.serving.follow import Followed
    from bertline.serving.models import Models

# The other parts of the server's settings, by the names of their components.
PARTS: dict[str, type[BaseModel]] = {
    "auth": AuthSettings, "limits": LimitSettings, "tls": TlsSettings, "edge": EdgeSettings, "logs": LogSettings,
    "traces": TraceSettings, "predictions": PredictionSettings,
}  # fmt: skip
# What bertline[serve] installs and is imported at once.
NEEDED = ("fastapi", "fastapi_offline", "starlette", "uvicorn", "joserfc", "sqlalchemy", "structlog", "httpx")

PATHS = (
    ".",
    "/",
    "~",
    "s3://",
    "oci://",
    "hf://",
    "file:",
    "models:/",
)  # that an argument without a name begins with, where the path has a = in it
EPILOG = "Example: bertline serve reviews --port 8080"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(ServeSettings, "serve", **PARTS)(serve))


def serve(
    bundles: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]BUNDLE",
            help=f"Bundle directory or {ADDRESSES}, which is followed; NAME is the model's name for clients, as in "
            "BAAI/bge-small=runs/bge.",
        ),
    ],
    settings: ServeSettings,
    auth: AuthSettings,
    limits: LimitSettings,
    tls: TlsSettings,
    edge: EdgeSettings,
    logs: LogSettings,
    traces: TraceSettings,
    predictions: PredictionSettings,
    registry: RegistryUrl = None,
) -> None:
    """Serve models over HTTP, with a page to try them on.

    POST /v1/predict classifies texts, / is the page, /docs describes the API. Ctrl+C stops the server. Without
    authentication (--auth-database, --auth-issuers) only this machine can reach it. When the alias of a model such as
    models:/reviews@champion names another version, that one is fetched, verified and exchanged without a restart.
    """
    with needing("serving needs {}", *NEEDED, extra="serve"):
        from bertline.service.following import Following
        from bertline.service.perimeter import PerimeterSettings
        from bertline.service.run import serve as run

    def say_ready(url: str, models: Models) -> None:
        names = ", ".join(f"{one.name} (version {one.version}, engine {one.engine})" for one in models)
        typer.echo(f"{names} at {url} · API: {url}/docs · Ctrl+C stops")
        if not auth.configured and not settings.insecure:
            typer.echo("no authentication: only this machine can reach the server", err=True)

    def say_exposed(address: str) -> None:
        typer.echo(
            f"warning: no authentication: everybody who can reach {address} can use the models",
            err=True,
        )

    perimeter = PerimeterSettings(
        auth=auth, limits=limits, tls=tls, edge=edge, logs=logs, traces=traces, predictions=predictions
    )
    known = registry_settings(registry)
    followed: dict[str, Followed] = {}
    directories = named_bundles(bundles, settings.require_signed_by, known, followed)
    pinned = any(is_reference(named(one)[1]) for one in bundles)
    following = Following(followed, known.place, pinned)
    run(directories, settings, perimeter, on_ready=say_ready, on_exposed=say_exposed, following=following)


def named_bundles(
    bundles: Sequence[str],
    signed_by: Sequence[Path] = (),
    registry: RegistrySettings | None = None,
    followed: dict[str, Followed] | None = None,
) -> dict[str, Path]:
    """The directories of ``[NAME=]BUNDLE`` arguments by name, in their order; those at addresses are fetched.

    Args:
        bundles: the arguments.
        signed_by: files of keys, one of which must have signed a bundle that is fetched.
        registry: of versions.
        followed: receives, by name, the models that are given by an alias of the registry.

    Raises:
        UsageError: two have the same name, or a path was taken for a name.
        BundleError: one is no bundle, or at an address without a signature by one of the keys in ``signed_by``.
        StoreError, DestinationError: one cannot be fetched.
    """
    from bertline.bundle.verify import read_manifest

    directories: dict[str, Path] = {}
    for bundle in bundles:
        name, place = named(bundle)
        if is_reference(place):
            located = located_version(place, signed_by, registry)
            name, directory = name or located.version.name, located.path
            if followed is not None:
                followed |= _followed(name, place, located)
        else:
            directory = fetched(place, signed_by)
        if name and not directory.exists() and Path(bundle).exists():
            raise UsageError(
                f"{bundle} means the bundle {directory} under the name {name}, and there is no such bundle: "
                f"write ./{bundle} for the directory of that name"
            )
        name = name or read_manifest(directory).name
        if name in directories:
            raise UsageError(f"two models are called {name}: rename one of them, NAME={directory}")
        directories[name] = directory
    return directories


def _followed(name: str, place: str, located: Located) -> dict[str, Followed]:
    """A model by its name, unless it is given by the number of its version, which never changes."""
    from bertline.serving.follow import Followed

    reference = parse_reference(place)
    if reference.version is not None:
        return {}
    alias = replace(reference, alias=reference.alias or CHAMPION)
    return {name: Followed(alias, located.version.bundle()[0])}


def named(bundle: str) -> tuple[str | None, str]:
    """Name and place of a ``[NAME=]BUNDLE`` argument: the name ends at the first =, and no name begins a path.

    >>> named("BAAI/bge-small=runs/a=1"), named("./runs/a=1")
    (('BAAI/bge-small', 'runs/a=1'), (None, './runs/a=1'))
    """
    name, equals, directory = bundle.partition("=")
    if not equals or bundle.startswith(PATHS):
        return None, bundle
    if not name or not directory:
        raise UsageError(f"{bundle} is not NAME=BUNDLE: write reviews=path/to/bundle, or the path alone")
    return name, directory
