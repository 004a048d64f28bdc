"""A back end whose batches are computed by the workers of a cluster: the same batches, so the same figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from bertline.data.batching import Batch
from bertline.distributed.run import ATTEMPTS
from bertline.distributed.workers_bundle import workers_bundle
from bertline.errors import ClusterError
from bertline.inference.load import load_predictor
from bertline.inference.predictor import TextClassifier
from bertline.machine.ray_cluster import WorkerLost

IN_FLIGHT = 2  # batches of a worker: it computes one while the next is on its way


class Starts(Protocol):
    """As ``machine.ray_cluster.Cluster``."""

    def start(self, factory: Callable[..., object], *arguments: object, cores: float) -> Any:
        """A worker that holds what the factory makes."""


class EngineHolder:
    """What a worker holds: one engine of a bundle.

    Args:
        bundle: its directory, which every machine has at this path, unless there is an address.
        address: from which a machine without the directory fetches the bundle into its own cache.
        engine: by name.
        checksum: of the bundle's manifest.
        lanes: batches computed at a time.

    Raises:
        BundleError, StoreError, DestinationError: as ``workers_bundle``, or the bundle is another.
    """

    def __init__(self, bundle: Path, address: str | None, engine: str, checksum: str, lanes: int) -> None:
        here = workers_bundle(bundle, address)
        self._backend = load_predictor(here, engine=engine, checksum=checksum, lanes=lanes).backend

    def compute(self, batch: Batch, output: str, alone: bool) -> Any:
        """As ``Backend.compute``."""
        return self._backend.compute(batch, output, alone=alone)


class RemoteBackend:
    """As ``Backend``; a worker that dies is replaced, and its batch computed again.

    Args:
        start: starts a worker.
        workers: how many there are.
        outputs: of the engine.
    """

    def __init__(self, start: Callable[[], Any], workers: int, outputs: frozenset[str]) -> None:
        self.lanes, self.outputs = workers * IN_FLIGHT, outputs
        self._start = start
        self._free: SimpleQueue[Any] = SimpleQueue()
        for worker in [start() for _ in range(workers)] * IN_FLIGHT:
            self._free.put(worker)

    def compute(self, batch: Batch, output: str = "logits", *, alone: bool = False) -> Any:
        """As ``Backend.compute``.

        Raises:
            ClusterError: the workers that got the batch died, several one after the other.
        """
        worker = self._free.get()
        try:
            for _ in range(ATTEMPTS):
                try:
                    return worker.call("compute", batch, output, alone).result()
                except WorkerLost as error:
                    lost, worker = error, self._start()
            raise ClusterError(f"{ATTEMPTS} workers died at the same batch ({lost}): they may need more memory")
        finally:
            self._free.put(worker)


def on_cluster(
    predictor: TextClassifier,
    bundle: Path,
    checksum: str,
    cluster: Starts,
    workers: int,
    worker_cores: int,
    address: str | None = None,
) -> TextClassifier:
    """Let the workers of a cluster compute a predictor's batches; texts are read here, as before.

    Args:
        predictor: whose back end is replaced.
        bundle: where it came from.
        checksum: of the bundle's manifest.
        cluster: has the machines.
        workers: to start.
        worker_cores: of each.
        address: from which machines without the bundle's directory fetch it.
    """

    def start() -> Any:
        return cluster.start(
            EngineHolder, bundle.resolve(), address, predictor.engine, checksum, worker_cores, cores=worker_cores
        )

    predictor.backend = RemoteBackend(start, workers, predictor.backend.outputs)
    return predictor
