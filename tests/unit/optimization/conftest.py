from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.optimization import estimate, run
from bertline.optimization.cold_start import ColdStart
from bertline.testing.tiny import write_tiny_bundle

ROWS = 40


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle as training leaves it, with reference rows; tests copy it or only read it."""
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True, rows=ROWS)
    return target


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another network for the same labels and tokens."""
    target = tmp_path_factory.mktemp("bundles") / "student"
    write_tiny_bundle(target, engine=True, seed=1, temperature=0.75)
    return target


@pytest.fixture(scope="module")
def no_cold_starts() -> Iterator[None]:
    """Fresh processes take a second each: ``test_cold`` starts them, the others take figures that are given."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (run, estimate):
            patch.setattr(module, "measure_cold_start", lambda *_, **__: ColdStart(seconds=0.25, memory_mb=42.0))
        yield
