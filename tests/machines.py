"""A stand-in for a cluster whose workers are objects of this process; what calls return is pickled, as it would be."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bertline.machine.ray_cluster import Node, WorkerLost

HERE = Node("here", "127.0.0.1", 4.0, 0.0)


@dataclass(eq=False)
class CallHere:
    worker: WorkerHere
    method: str
    arguments: tuple[object, ...]

    def result(self, timeout_s: float | None = None) -> Any:
        if self.worker.lost:
            raise WorkerLost("a worker of the cluster was lost (its machine is gone)")
        return pickle.loads(pickle.dumps(getattr(self.worker.held, self.method)(*self.arguments)))


class WorkerHere:
    def __init__(self, held: object) -> None:
        self.held: Any = held
        self.lost = self.stopped = False

    def call(self, method: str, *arguments: object) -> CallHere:
        return CallHere(self, method, arguments)

    def stop(self) -> None:
        self.stopped = True


class ClusterHere:
    """Its machines are named by ``nodes``."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes, self.workers = nodes or (HERE,), list[WorkerHere]()

    def start(self, factory: Callable[..., object], *arguments: object, **resources: object) -> WorkerHere:
        self.workers.append(WorkerHere(factory(*arguments)))
        return self.workers[-1]

    def first(self, calls: Sequence[Any], timeout_s: float) -> list[Any]:
        return list(calls)

    @contextmanager
    def joined(self, address: str) -> Iterator[ClusterHere]:
        yield self
