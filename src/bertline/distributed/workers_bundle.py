"""The bundle of a job on the machine of a worker: at the same path as where the work was begun, or fetched there."""

from __future__ import annotations

import socket
from pathlib import Path

from bertline.errors import BundleError
from bertline.registry.fetch import local_bundle


def workers_bundle(directory: Path, address: str | None) -> Path:
    """The bundle's directory on this machine.

    Args:
        directory: of the bundle where the work was begun; used if it is here as well.
        address: from which this machine fetches the bundle into its own cache otherwise; None for a directory of the
            user's.

    Raises:
        BundleError: there is neither, or the bundle is damaged.
        StoreError, DestinationError: it cannot be fetched.
    """
    if directory.is_dir():
        return directory
    if address is None:
        raise BundleError(
            f"{socket.gethostname()} has no directory {directory}: put the bundle at this path on all machines of the "
            "cluster, or give its address (s3://, oci://, hf:// or models:/NAME@ALIAS), from which each fetches it"
        )
    return local_bundle(address)
