"""What the packages promise by name exists, and the version is one fact."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from pathlib import Path

import pytest

import bertline

SOURCE = Path(__file__).parents[2] / "src"
PACKAGES = sorted(
    ".".join(path.parent.relative_to(SOURCE).parts) for path in (SOURCE / "bertline").rglob("__init__.py")
)


def test_the_packages_are_found() -> None:
    assert {"bertline", "bertline.text", "bertline.data", "bertline.bundle", "bertline.cli"} <= set(PACKAGES)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_has_a_docstring_and_every_name_it_promises(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__doc__
    promised = getattr(package, "__all__", [])
    assert not [one for one in promised if not hasattr(package, one)]


def test_the_version_is_the_one_of_the_installed_package() -> None:
    assert bertline.__version__ == version("bertline")
