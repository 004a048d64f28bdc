"""The figures of a cluster's workers are those of one process, whatever dies; ``tests/distributed`` has a real one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertline.bundle import load
from bertline.distributed.remote_backend import on_cluster
from bertline.distributed.run import ATTEMPTS
from bertline.errors import BundleError, ClusterError
from bertline.inference import load_predictor
from bertline.machine.ray_cluster import WorkerLost
from bertline.registry.fetch import parse_address, push
from tests.unit.distributed.conftest import rows_of


class Cluster:
    """Workers in this process; ``dies`` says whether one dies at its next call."""

    def __init__(self, dies: Callable[[], bool]) -> None:
        self.dies, self.started = dies, 0

    def start(self, factory: Callable[..., object], *arguments: object, cores: float) -> Any:
        self.started += 1
        return _Worker(self, factory(*arguments))


class _Worker:
    def __init__(self, cluster: Cluster, held: Any) -> None:
        self._cluster, self._held = cluster, held

    def call(self, method: str, *arguments: Any) -> Any:
        self._answer = (method, arguments)
        return _Call(self._cluster, self._held, method, arguments)


class _Call:
    def __init__(self, cluster: Cluster, held: Any, method: str, arguments: tuple[Any, ...]) -> None:
        self._cluster, self._held, self._method, self._arguments = cluster, held, method, arguments

    def result(self) -> Any:
        if self._cluster.dies():
            raise WorkerLost("a worker of the cluster was lost (killed): see the logs of its machine")
        return getattr(self._held, self._method)(*self._arguments)


@pytest.mark.parametrize("deaths", [(), (3, 20, 21)], ids=["alive", "dying"])
def test_answers_are_the_same_to_the_last_bit(bundle: Path, deaths: tuple[int, ...]) -> None:
    """Calls by number end in death: fewer than the attempts at a batch, because one thread may get them all."""
    assert len(deaths) < ATTEMPTS
    texts, calls = [row["text"] for row in rows_of(300)], itertools.count()
    alone = load_predictor(bundle, lanes=1, batch_tokens=64)
    cluster = Cluster(lambda: next(calls) in deaths)
    many = load_predictor(bundle, lanes=1, batch_tokens=64)
    on_cluster(many, bundle, load(bundle).manifest.checksum, cluster, 2, 1)
    assert many.backend.lanes == 4
    assert many.score(texts).logits.tolist() == alone.score(texts).logits.tolist()
    assert cluster.started == 2 + len(deaths)


def test_workers_without_the_directory_fetch_the_bundle_from_its_address(bundle: Path, tmp_path: Path) -> None:
    address = push(bundle, parse_address(f"file:{tmp_path}/store"))
    checksum, cluster = load(bundle).manifest.checksum, Cluster(lambda: False)
    gone = tmp_path / "cache of the driver"
    predictor = on_cluster(load_predictor(bundle), gone, checksum, cluster, 1, 1, str(address))
    assert predictor.predict(["a film"]) == load_predictor(bundle).predict(["a film"])
    with pytest.raises(BundleError, match=f"has no directory {gone}: put the bundle at this path on all machines"):
        on_cluster(load_predictor(bundle), gone, checksum, cluster, 1, 1)


def test_a_batch_that_kills_every_worker_ends_the_work(bundle: Path) -> None:
    predictor = on_cluster(load_predictor(bundle), bundle, load(bundle).manifest.checksum, Cluster(lambda: True), 1, 1)
    with pytest.raises(ClusterError, match="4 workers died at the same batch"):
        predictor.predict(["a film"])
