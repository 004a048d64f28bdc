"""The argument BUNDLE: a directory, or an address from which the bundle is fetched into the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from bertline.registry.fetch.pull import Watch
    from bertline.registry.resolve import Located
    from bertline.registry.settings import RegistrySettings

_ADDRESS: dict[Path, str] = {}  # of each directory that this process fetched
ADDRESSES = "s3://, oci:// or hf:// address, or models:/NAME@ALIAS"


def bundle_argument(directory: str) -> Any:
    """The argument of a verb that reads a bundle, which it gets as the path of a directory.

    Args:
        directory: a sentence about the directory, for the help.
    """
    return typer.Argument(metavar="BUNDLE", help=f"{directory} Or its {ADDRESSES}.", parser=fetched)


def fetched(bundle: str, signed_by: Sequence[Path] = ()) -> Path:
    """The directory of a bundle; one given by its address or name is fetched first, with the progress on a terminal.

    Raises:
        RegistryError, StoreError, BundleError, DestinationError: it cannot be fetched.
    """
    from bertline.registry.fetch import is_address, local_bundle
    from bertline.registry.reference import is_reference, parse_reference
    from bertline.registry.resolve import look_up
    from bertline.registry.settings import registry_settings

    if not is_reference(bundle) and not is_address(bundle):
        return Path(bundle)
    address = bundle
    if is_reference(bundle):
        address = look_up(parse_reference(bundle), registry_settings()).bundle()[1]
    with transfer_screen(f"fetching {bundle}") as watch:
        path = local_bundle(address, signed_by=signed_by, watch=watch)
    _ADDRESS[path] = address
    return path


def address_of(directory: Path) -> str | None:
    """From where this process fetched a bundle, for other machines; None for a directory of the user's."""
    return _ADDRESS.get(directory)


def located_version(
    reference: str, signed_by: Sequence[Path] = (), settings: RegistrySettings | None = None
) -> Located:
    """A version of the registry by ``models:/NAME@ALIAS``, fetched with the progress on a terminal.

    Raises:
        RegistryError, StoreError, BundleError, DestinationError: it cannot be fetched.
    """
    from bertline.registry.reference import parse_reference
    from bertline.registry.resolve import locate, look_up
    from bertline.registry.settings import registry_settings

    version = look_up(parse_reference(reference), settings or registry_settings())
    with transfer_screen(f"fetching {version}") as watch:
        return locate(version, signed_by, watch)


@contextmanager
def transfer_screen(title: str) -> Iterator[Watch]:
    """Within: shows on a terminal how much of a bundle has been transferred, how fast, and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(title, total=None)
        yield lambda here, total: progress.update(task, completed=here, total=total)
