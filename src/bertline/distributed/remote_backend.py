"""A back end whose batches are computed by the workers of a cluster: the same batches, so the same figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from bertline.data.batching import Batch
from bertline.distributed.run import ATTEMPTS
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
        bundle: its directory, which every machine has at this path.
        engine: by name.
        checksum: of the bundle's manifest.
        lanes: batches computed at a time.
    """

    def __init__(self, bundle: Path, engine: str, checksum: str, lanes: int) -> None:
        self._backend = load_predictor(bundle, engine=engine, checksum=checksum, lanes=lanes).backend

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
    predictor: TextClassifier, bundle: Path, checksum: str, cluster: Starts, workers: int, worker_cores: int
) -> TextClassifier:
    """Let the workers of a cluster compute a predictor's batches; texts are read here, as before.

    Args:
        predictor: whose back end is replaced.
        bundle: where it came from.
        checksum: of the bundle's manifest.
        cluster: has the machines.
        workers: to start.
        worker_cores: of each.
    """

    def start() -> Any:
        return cluster.start(
            EngineHolder, bundle.resolve(), predictor.engine, checksum, worker_cores, cores=worker_cores
        )

    predictor.backend = RemoteBackend(start, workers, predictor.backend.outputs)
    return predictor
