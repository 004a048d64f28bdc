"""Engines measured by a real local cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.testing.tiny import write_tiny_bundle

pytestmark = pytest.mark.drill


def test_a_local_cluster_optimizes_a_bundle(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    bundle = tmp_path / "tiny"
    write_tiny_bundle(bundle, engine=True, rows=120)
    ran = subprocess.run(
        [sys.executable, "-m", "bertline.cli.main", "optimize", str(bundle), "--ray", "local", "--repetitions", "1"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "with all of its" in ran.stderr
    assert "Picked" in ran.stderr
    assert load(bundle).manifest.engines[0].measured
