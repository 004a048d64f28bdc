from __future__ import annotations

from pathlib import Path

import pytest

from bertline.testing.tiny import write_tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that tests only read."""
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target)
    return target
