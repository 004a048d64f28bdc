"""Signatures of versions in the registry: made on this machine, and put beside the bundle in its store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertline.bundle.signing import Signature, sign
from bertline.bundle.verify import SIGNATURE
from bertline.registry.fetch import parse_address, store_settings
from bertline.registry.fetch.local import objects_at
from bertline.registry.reference import Reference
from bertline.registry.resolve import locate, look_up
from bertline.registry.settings import RegistrySettings

if TYPE_CHECKING:
    from bertline.bundle.signing import PrivateKey


def sign_version(reference: Reference, key: PrivateKey, settings: RegistrySettings) -> Signature:
    """Sign the bundle of a version; its digest stays, because signatures are not part of it.

    Raises:
        RegistryError: there is no such version.
        BundleError: its bundle is damaged.
        StoreError, DestinationError: the store cannot be read or written.
    """
    located = locate(look_up(reference, settings))
    made = sign(located.path, key)
    digest, address = located.version.bundle()
    place = parse_address(address)
    if place.scheme != "file":  # of a directory, it is the bundle itself that was signed
        objects_at(place, store_settings()).put(f"{digest}/{SIGNATURE}", located.path / SIGNATURE)
    return made
