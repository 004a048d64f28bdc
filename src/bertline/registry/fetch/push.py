"""A bundle pushed to a bucket or a directory: its files, then its manifest, then the tag that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from bertline.bundle import Bundle
from bertline.bundle.fields import MANIFEST
from bertline.bundle.verify import SIGNATURE
from bertline.registry.fetch.address import Address
from bertline.registry.fetch.objects import Objects, put_tag
from bertline.registry.fetch.pull import Watch


def push_objects(
    bundle: Bundle, address: Address, objects: Objects, *, parallel: int, overwrite: bool, watch: Watch
) -> str:
    """Push a verified bundle; returns its version there, the hash of its manifest.

    Files that are there already, in their size, are left: an interrupted push goes on from there.

    Args:
        bundle: from ``bundle.load``.
        address: where it goes; its tag is moved to this bundle at last.
        objects: of the address.
        parallel: files written at a time.
        overwrite: write the files that are there again.
        watch: called with the bytes that are there and the bytes in all.

    Raises:
        StoreError, DestinationError: it cannot be written.
    """
    version, files = bundle.manifest.checksum, bundle.manifest.files
    total, here = sum(file.bytes for file in files.values()), 0

    def put(path: str) -> int:
        key = f"{version}/{path}"
        if overwrite or objects.size(key) != files[path].bytes:
            objects.put(key, bundle.path / path)
        return files[path].bytes

    for size in _each(put, sorted(files, key=lambda path: -files[path].bytes), parallel):
        here += size
        watch(here, total)
    for name in (SIGNATURE, MANIFEST):  # the manifest last: without it there is no bundle
        if (bundle.path / name).exists():
            objects.put(f"{version}/{name}", bundle.path / name)
    if address.tag is not None:
        put_tag(objects, address.tag, version, bundle.manifest.name)
    return version


def _each(put: Callable[[str], int], paths: list[str], parallel: int) -> Iterator[int]:
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="push")
    try:
        yield from pool.map(put, paths)
    finally:
        pool.shutdown(cancel_futures=True)
