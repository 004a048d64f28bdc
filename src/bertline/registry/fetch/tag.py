"""One more name for a bundle in its store, for example the name of the model in production. Nothing is transferred."""

from __future__ import annotations

import json
from dataclasses import replace

from bertline.bundle.fields import MANIFEST
from bertline.bundle.manifest import LARGEST_MANIFEST_BYTES, parse
from bertline.errors import StoreError, UsageError
from bertline.registry.fetch.address import LATEST, Address, is_tag
from bertline.registry.fetch.local import objects_at
from bertline.registry.fetch.objects import Objects, put_tag, small, tagged
from bertline.registry.fetch.settings import StoreSettings, store_settings
from bertline.registry.fetch.source import Absent


def tag(address: Address, name: str) -> Address:
    """Give the bundle at an address a tag, which moves there if it was at another one; returns the pinned address.

    Raises:
        UsageError: the name is no tag, or the hub was given, whose names are commits.
        StoreError: there is no bundle, or it cannot be read.
        DestinationError: the tag cannot be written.
    """
    if not is_tag(name):
        raise UsageError(f"{name!r} is not a tag: give letters, digits, _, . and -, at most 128")
    if address.scheme == "hf":
        raise UsageError(f"{address} is on the hub, which has commits instead of tags: give @ and a commit")
    settings = store_settings()
    if address.scheme == "oci":
        return address.pinned(_tag_image(address, name, settings))
    return address.pinned(_tag_objects(address, name, objects_at(address, settings)))


def _tag_objects(address: Address, name: str, objects: Objects) -> str:
    version = address.pin or tagged(objects, address)
    if version is None:
        raise Absent(f"{address} names no bundle that was pushed: push one there with bertline models push")
    try:
        manifest = parse(small(objects, f"{version}/{MANIFEST}", LARGEST_MANIFEST_BYTES), str(address))
    except Absent:
        raise Absent(f"{address} holds no bundle: push one there with bertline models push") from None
    if manifest.checksum != version:
        raise StoreError(f"{address} has a manifest of another hash: push the bundle again with --overwrite")
    put_tag(objects, name, version, manifest.name)
    return version


def _tag_image(address: Address, name: str, settings: StoreSettings) -> str:
    from bertline.registry.fetch.oci import ImageSource
    from bertline.registry.fetch.oci_image import digest_of
    from bertline.registry.fetch.oci_registry import IMAGE, INDEX, Registry

    registry = Registry(address, settings, "pull,push")
    content = registry.manifest(f"sha256:{address.pin}" if address.pin else address.tag or LATEST)
    digest = digest_of(content).removeprefix("sha256:")
    ImageSource(replace(address, tag=None, pin=digest), settings)  # another image than a bundle's is refused
    image = json.loads(content)
    kind = INDEX if "manifests" in image else IMAGE
    registry.put_manifest(name, content, str(image.get("mediaType", kind)))
    return digest
