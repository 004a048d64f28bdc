from __future__ import annotations

from pathlib import Path

import pytest

from bertline.testing.tiny import write_tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle named "tiny"; read only."""
    target = tmp_path_factory.mktemp("deploy") / "tiny"
    write_tiny_bundle(target)
    return target
