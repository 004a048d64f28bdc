"""A bundle pushed to a registry as an image: its layers, then its manifests, then the index under the tag."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bertline.bundle import Bundle
from bertline.registry.fetch.address import LATEST, Address
from bertline.registry.fetch.oci_image import Layer, digest_of, image_files, layers_of
from bertline.registry.fetch.oci_registry import IMAGE, INDEX, Registry
from bertline.registry.fetch.pull import Watch
from bertline.registry.fetch.settings import StoreSettings


def push_image(bundle: Bundle, address: Address, settings: StoreSettings, watch: Watch) -> str:
    """Push a verified bundle; returns the digest of its image, without ``sha256:``.

    Layers that are there already are left: an interrupted push goes on after the last whole one.

    Raises:
        StoreError: the registry cannot be reached, or refuses it.
    """
    registry = Registry(address, settings, "pull,push")
    layers = layers_of(bundle)
    total, here = sum(layer.size for layer in layers), 0
    pool = ThreadPoolExecutor(settings.parallel, thread_name_prefix="push")
    try:
        for size in pool.map(partial(_put, registry), layers):
            here += size
            watch(here, total)
    finally:
        pool.shutdown(cancel_futures=True)
    configs, manifests, index = image_files(bundle, layers)
    for config in configs:
        registry.put_blob(digest_of(config), len(config), lambda start, config=config: iter([config[start:]]))  # type: ignore[misc]
    for manifest in manifests:
        registry.put_manifest(digest_of(manifest), manifest, IMAGE)
    registry.put_manifest(address.tag or LATEST, index, INDEX)
    return digest_of(index).removeprefix("sha256:")


def _put(registry: Registry, layer: Layer) -> int:
    registry.put_blob(layer.digest, layer.size, layer.pieces)
    return layer.size
