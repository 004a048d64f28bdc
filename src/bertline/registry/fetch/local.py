"""From the address of a bundle to its directory on this machine, and back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bertline.bundle import load
from bertline.bundle.signing import PublicKey, read_public_key, require_signature
from bertline.errors import BundleError, UsageError
from bertline.registry.fetch.address import Address, is_address, parse_address
from bertline.registry.fetch.cache import Cache
from bertline.registry.fetch.folder import Folder
from bertline.registry.fetch.objects import Objects, ObjectSource
from bertline.registry.fetch.pull import Pulled, Watch, checked_manifest, fill, pull
from bertline.registry.fetch.push import push_objects
from bertline.registry.fetch.settings import StoreSettings, store_settings
from bertline.registry.fetch.source import Source


def unwatched(_here: int, _total: int) -> None:
    """Ignore the progress."""


def local_bundle(
    bundle: str | Path,
    settings: StoreSettings | None = None,
    *,
    signed_by: Sequence[Path] = (),
    watch: Watch = unwatched,
) -> Path:
    """The directory of a bundle, fetched into the cache if it is given by its address.

    Whoever takes a bundle's path takes its address through this function. A bundle from the cache stays there until
    this process ends. A directory's own bundles are not copied.

    Args:
        bundle: path or address.
        settings: by default those of ``bertline.toml`` and the environment.
        signed_by: files of public keys; with any, one of them must have signed the bundle. By default those of the
            settings.
        watch: called with the bytes that are here and the bytes in all.

    Raises:
        UsageError: the address is none, or a package that it needs is missing.
        StoreError: it cannot be fetched.
        BundleError: it is damaged, of a newer format, or lacks a required signature.
        DestinationError: the cache cannot be written.
    """
    if not is_address(str(bundle)):
        return Path(bundle)
    address, settings = parse_address(str(bundle)), settings or store_settings()
    trusted = _keys(settings, signed_by)
    if address.scheme == "file":
        source = ObjectSource(address, folder := Folder(Path(address.place)))
        checked_manifest(source, address, trusted)
        return folder.root / source.folder
    return pull_to_cache(address, settings, trusted, watch).path


def pull_to_cache(
    address: Address, settings: StoreSettings, trusted: Sequence[PublicKey] = (), watch: Watch = unwatched
) -> Pulled:
    """Fetch a bundle into the cache, where it stays until this process ends.

    A pinned bundle that is there needs no network.

    Raises:
        StoreError, BundleError, DestinationError: as ``local_bundle``.
    """
    cache = Cache(settings.cache_directory, settings.cache_bytes)
    if address.scheme in ("s3", "file") and address.pin and (path := cache.use(address.pin)) is not None:
        with suppress(BundleError):  # another signature may be at the address
            if trusted:
                require_signature(path, trusted)
            return Pulled(path, load(path, verify=False).manifest)
    source = open_source(address, settings)
    manifest = checked_manifest(source, address, trusted)
    received = 0

    def fetch(staging: Path) -> None:
        nonlocal received
        received = fill(source, address, manifest, staging, settings, watch)

    path = cache.use(manifest.checksum) or cache.add(manifest, fetch)
    cache.sign(manifest.checksum, source.signature)
    return Pulled(path, manifest, received)


def pull_to(
    address: Address,
    out: Path | None,
    *,
    trust: Sequence[Path] = (),
    overwrite: bool = False,
    watch: Watch = unwatched,
) -> Pulled:
    """Fetch a bundle to a directory, or into the cache if ``out`` is None.

    Raises:
        StoreError, BundleError, DestinationError: as ``local_bundle``.
    """
    settings = store_settings()
    trusted = _keys(settings, trust)
    if out is None:
        return pull_to_cache(address, settings, trusted, watch)
    return pull(open_source(address, settings), address, out, settings, trusted, overwrite=overwrite, watch=watch)


def push(bundle: Path, address: Address, *, overwrite: bool = False, watch: Watch = unwatched) -> Address:
    """Push a bundle, after every hash of it has been compared; returns the address that pins it.

    Raises:
        BundleError: the bundle is damaged.
        UsageError: the address is pinned.
        StoreError, DestinationError: it cannot be pushed.
    """
    settings, loaded = store_settings(), load(bundle)
    if address.pin is not None and address.scheme != "hf":
        raise UsageError(f"{address} is pinned, and what is pushed has its own hash: leave out @ and what follows it")
    if address.scheme == "oci":
        from bertline.registry.fetch.oci_push import push_image

        return address.pinned(push_image(loaded, address, settings, watch))
    if address.scheme == "hf":
        from bertline.registry.fetch.hub import push_commit

        return address.pinned(push_commit(loaded, address))
    objects = objects_at(address, settings)
    version = push_objects(loaded, address, objects, parallel=settings.parallel, overwrite=overwrite, watch=watch)
    return address.pinned(version)


def open_source(address: Address, settings: StoreSettings) -> Source:
    """The bundle at an address, with its manifest read.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    if address.scheme == "oci":
        from bertline.registry.fetch.oci import ImageSource

        return ImageSource(address, settings)
    if address.scheme == "hf":
        from bertline.registry.fetch.hub import Hub

        return ObjectSource(address, Hub(address, settings))
    return ObjectSource(address, objects_at(address, settings))


def objects_at(address: Address, settings: StoreSettings) -> Objects:
    """The objects below the prefix of an ``s3`` or ``file`` address."""
    if address.scheme == "file":
        return Folder(Path(address.place))
    from bertline.registry.fetch.s3 import S3

    return S3(address, settings)


def _keys(settings: StoreSettings, signed_by: Sequence[Path]) -> list[PublicKey]:
    return [read_public_key(path) for path in signed_by or settings.require_signed_by]
