"""Programs that tests drive for real: where they are, and what becomes of a test where one is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

PACKAGES = [Path(__file__).parents[1] / "tools" / name for name in ("packages.txt", "packages-drill.txt")]
REMEDY = "apt-get install "


def program(name: str) -> str:
    """Path of a program; without it the test is skipped, in continuous integration it fails.

    Raises:
        KeyError: the lists in tools/ do not have it, so that nobody would install it.
    """
    names, package = _listed()[name]
    path = find(*names)
    return path if path is not None else absent(name, package)


def absent(name: str, package: str) -> str:
    """Skip the test that needs this, or fail it in continuous integration."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is missing: tools/packages.sh installs {package}")
    pytest.skip(f"{name} is missing: {REMEDY}{package}")


def find(*names: str) -> str | None:
    """Path of the first of these programs that is on the path or where Debian keeps it."""
    clusters = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, clusters)])
    return next((path for name in names if (path := shutil.which(name, path=places))), None)


def summary(reasons: Iterable[str]) -> str | None:
    """One line for all tests that were skipped for want of a program; None if none was.

    >>> summary(["needs a GPU", "curl is missing: apt-get install curl", "curl is missing: apt-get install curl"])
    '2 tests were skipped because programs are missing. For them, as root: apt-get install curl'
    """
    wanting = [reason.partition(REMEDY)[2] for reason in reasons if REMEDY in reason]
    if not wanting:
        return None
    packages = " ".join(sorted(set(wanting)))
    return f"{len(wanting)} tests were skipped because programs are missing. For them, as root: {REMEDY}{packages}"


@cache
def _listed() -> dict[str, tuple[list[str], str]]:
    text = "".join(path.read_text(encoding="utf-8") for path in PACKAGES)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    rows = [(names.split(), package.strip()) for names, package in (line.split(":") for line in lines)]
    return {names[0]: (names, package) for names, package in rows}
