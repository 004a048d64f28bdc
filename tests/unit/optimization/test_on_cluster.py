"""A real run in a stand-in for a worker; tests/distributed has a real cluster."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.errors import BundleError
from bertline.export.exporter import FP32
from bertline.machine.ray_cluster import Node, WorkerLost
from bertline.optimization.on_cluster import optimize_on_cluster
from bertline.optimization.settings import OptimizeSettings
from tests.machines import ClusterHere, WorkerHere

pytestmark = pytest.mark.usefixtures("no_cold_starts")

QUICK = OptimizeSettings(repetitions=1, speed_rows=16, max_accuracy_drop=100)


def test_the_figures_come_back_and_the_bundle_has_the_engines(original: Path, tmp_path: Path) -> None:
    bundle, told = tmp_path / "bundle", list[str]()
    shutil.copytree(original, bundle)
    cluster = ClusterHere(Node("small", "10.0.0.1", 2.0, 0.0), Node("large", "10.0.0.2", 8.0, 0.0))
    found = optimize_on_cluster("head:6379", bundle, QUICK, told.append, cluster.joined)
    assert told[0] == "On 10.0.0.2, with all of its 8 cores"
    assert any(note.startswith("Measuring") for note in told)
    engines = [one.name for one in load(bundle).manifest.engines]
    assert engines[0] == found.picked
    assert {"fp32", "int8"} <= found.measured.keys()
    with pytest.raises(RuntimeError, match="this engine is on another machine: load it from the bundle"):
        found.candidates["int8"].backend.compute(None)  # type: ignore[arg-type]
    assert [one.stopped for one in cluster.workers] == [True]


def test_errors_of_the_run_come_back(original: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(original, bundle)
    (bundle / str(FP32.file)).unlink()
    with pytest.raises(BundleError):
        optimize_on_cluster("local", bundle, QUICK, lambda _: None, ClusterHere().joined)


def test_a_machine_without_the_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has no directory .*nowhere: put the bundle where all machines find it"):
        optimize_on_cluster("local", tmp_path / "nowhere", QUICK, lambda _: None, ClusterHere().joined)


class Losing(ClusterHere):
    def start(self, factory: Callable[..., object], *arguments: object, **resources: object) -> WorkerHere:
        self.workers.append(WorkerHere(None))
        self.workers[-1].lost = True
        return self.workers[-1]


def test_a_lost_machine_is_said(original: Path) -> None:
    cluster = Losing()
    with pytest.raises(WorkerLost):
        optimize_on_cluster("local", original, QUICK, lambda _: None, cluster.joined)
    assert [one.stopped for one in cluster.workers] == [True]
