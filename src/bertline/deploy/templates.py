"""The files under ``deploy/files``, with the user's values in them.

A place for a value is ``@{name}``, which is no syntax of Helm, shells, Dockerfiles or pipelines, so their own tools can
read each file as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable

_PLACE = re.compile(r"@\{([a-z_]+)\}")


def read(folder: str) -> dict[str, str]:
    """The texts of a folder under ``deploy/files``, by their path below it, in the order of the paths."""
    return dict(sorted(_walk(resources.files("bertline.deploy").joinpath("files", folder), "")))


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with each ``@{name}`` replaced by its value.

    Raises:
        KeyError: there is no value of this name.

    >>> fill("image: @{image}@sha256:12", {"image": "mails"})
    'image: mails@sha256:12'
    """
    return _PLACE.sub(lambda place: values[place[1]], text)


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    files: list[tuple[str, str]] = []
    for one in folder.iterdir():
        path = f"{prefix}{one.name}"
        files += _walk(one, f"{path}/") if one.is_dir() else [(path, one.read_text(encoding="utf-8"))]
    return files
