"""The index of a command's argument: opened if it is one, made for the time being if it is a table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bertline.bundle.verify import read_manifest
from bertline.data.settings import TableSettings
from bertline.errors import UsageError
from bertline.similarity.build import Load, build_index
from bertline.similarity.index import Index, check_model, open_index
from bertline.similarity.notify import Notify, quiet


def open_for(bundle: Path, directory: Path, settings: TableSettings) -> Index:
    """An index to ask with a bundle.

    Args:
        bundle: of the model that embeds.
        directory: of the index.
        settings: of tables; none is set but the format, which may be that of an output.

    Raises:
        UsageError: a setting of tables is set.
        DataError: as ``open_index``, or another model made the index.
    """
    index = open_index(directory)
    if given := settings.model_dump(exclude_defaults=True, exclude={"format"}):
        name = next(iter(given))
        raise UsageError(f"{name} is set, but {directory} is an index, which has its texts: leave it out")
    check_model(index, read_manifest(bundle), bundle)
    return index


@contextmanager
def opened(
    bundle: Path, data: str, settings: TableSettings, notify: Notify = quiet, embedder: Load | None = None
) -> Iterator[Index]:
    """Within: the index of ``data``, a directory or a table; ``embedder`` as ``build_index``.

    Raises:
        UsageError, DataError, BundleError: as ``open_for`` and ``build_index``.
    """
    if Path(data).is_dir():
        yield open_for(bundle, Path(data), settings)
        return
    with tempfile.TemporaryDirectory(prefix="bertline-") as place:
        yield build_index(bundle, data, Path(place) / "index", settings, notify, embedder=embedder)
