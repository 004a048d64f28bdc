"""From the name of a version to its bundle on this machine: resolved, fetched, verified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bertline.registry.fetch import local_bundle
from bertline.registry.fetch.local import unwatched
from bertline.registry.fetch.pull import Watch
from bertline.registry.reference import Reference, is_reference, parse_reference
from bertline.registry.settings import RegistrySettings, registry_settings

if TYPE_CHECKING:
    from bertline.registry.catalogue import ModelVersion


@dataclass(frozen=True, slots=True)
class Located:
    """A version of the registry, and the directory of its bundle."""

    version: ModelVersion
    path: Path


def look_up(reference: Reference, settings: RegistrySettings) -> ModelVersion:
    """The version that a reference names now.

    Raises:
        UsageError: a package is missing.
        RegistryError: there is none, or the database cannot be used.
    """
    from bertline.registry.catalogue import Catalogue
    from bertline.registry.database import Database

    with Database(settings.place) as database:
        return Catalogue(database).version(reference)


def locate(version: ModelVersion, signed_by: Sequence[Path] = (), watch: Watch = unwatched) -> Located:
    """A version's bundle, fetched into the cache unless the store is a directory.

    Raises:
        RegistryError: it is not a bundle.
        StoreError, BundleError, DestinationError: it cannot be fetched.
    """
    _, address = version.bundle()
    return Located(version, local_bundle(address, signed_by=signed_by, watch=watch))


def open_bundle(
    bundle: str | Path,
    *,
    signed_by: Sequence[Path] = (),
    watch: Watch = unwatched,
    settings: RegistrySettings | None = None,
) -> Path:
    """The directory of a bundle, by its path, its address or its name in the registry (``models:/reviews@champion``).

    Whoever takes a bundle takes it through this function.

    Args:
        bundle: path, address or name.
        signed_by: as ``local_bundle``.
        watch: called with the bytes that are here and the bytes in all.
        settings: of the registry; by default those of ``bertline.toml`` and the environment.

    Raises:
        UsageError: the address or name is none, or a package that it needs is missing.
        RegistryError: the registry has no such version.
        StoreError, BundleError, DestinationError: it cannot be fetched.
    """
    if not is_reference(str(bundle)):
        return local_bundle(bundle, signed_by=signed_by, watch=watch)
    version = look_up(parse_reference(str(bundle)), settings or registry_settings())
    return locate(version, signed_by, watch).path
