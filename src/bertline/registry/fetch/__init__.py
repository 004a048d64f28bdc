"""Bundles to and from addresses: ``s3://``, ``oci://``, ``hf://`` and directories.

A bundle is addressed by the hash of its manifest, and the manifest has the hash of each file, so everything is verified
as it arrives, a transfer can be resumed, and equal bundles are kept once.
"""

from bertline.registry.fetch.address import Address, is_address, parse_address
from bertline.registry.fetch.cache import Cache
from bertline.registry.fetch.local import local_bundle, pull_to, push
from bertline.registry.fetch.settings import StoreSettings, store_settings
from bertline.registry.fetch.tag import tag

__all__ = [
    "Address",
    "Cache",
    "StoreSettings",
    "is_address",
    "local_bundle",
    "parse_address",
    "pull_to",
    "push",
    "store_settings",
    "tag",
]
