"""Engines measured on a machine of a Ray cluster, of the kind that will serve; the bundle is at the same path there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from bertline.errors import BundleError
from bertline.machine.ray_cluster import connect
from bertline.optimization.outcome import Optimized
from bertline.optimization.run import Notify, optimize
from bertline.optimization.settings import OptimizeSettings

HEAR_S = 1.0  # that the machine waits for a note before it answers
START_PATIENCE_S = 300.0  # for a machine with all of its cores free


class RemoteBench:
    """What the machine holds: one run of ``optimize``, begun at once.

    Args:
        directory: of the bundle.
        settings: of the run.

    Raises:
        BundleError: the machine has no such directory.
    """

    def __init__(self, directory: Path, settings: OptimizeSettings) -> None:
        if not directory.is_dir():
            raise BundleError(
                f"the machine of the cluster has no directory {directory}: put the bundle where all machines find it"
            )
        self._notes: SimpleQueue[str] = SimpleQueue()
        self._outcome: Optimized | BaseException | None = None
        self._thread = Thread(target=self._run, args=(directory, settings), daemon=True)
        self._thread.start()

    def hear(self) -> tuple[list[str], Optimized | None]:
        """What there is to say since the last call, and the outcome once there is one; waits for a moment.

        Raises:
            BertlineError: as ``optimize``.
        """
        self._thread.join(HEAR_S)
        ended, notes = not self._thread.is_alive(), []
        while True:
            try:
                notes.append(self._notes.get_nowait())
            except Empty:
                break
        if not ended or self._outcome is None:
            return notes, None
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return notes, self._outcome

    def _run(self, directory: Path, settings: OptimizeSettings) -> None:
        try:
            done = optimize(directory, settings, self._notes.put)
            # Back ends stay on their machine.
            candidates = {name: replace(one, backend=Gone()) for name, one in done.candidates.items()}
            self._outcome = replace(done, candidates=candidates)
        except BaseException as error:
            self._outcome = error


class Gone:
    """A back end that is on another machine."""

    lanes = 0
    outputs: frozenset[str] = frozenset()

    def compute(self, *_: Any, **__: Any) -> Any:
        """It cannot.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("this engine is on another machine: load it from the bundle")


def optimize_on_cluster(
    address: str, directory: Path, settings: OptimizeSettings, notify: Notify, joined: Callable[[str], Any] = connect
) -> Optimized:
    """``optimize`` on the cluster's machine with the most cores, all of them reserved, so that nothing disturbs it.

    Args:
        address: of the cluster: ``local``, ``auto`` or ``HOST:PORT``.
        directory: of the bundle.
        settings: of the run.
        notify: called with each progress message.
        joined: connects to the cluster.

    Raises:
        ClusterError: the cluster cannot be used, or the machine was lost; the bundle is as it was.
        BertlineError: as ``optimize``.
    """
    with joined(address) as cluster:
        node = max(cluster.nodes, key=lambda one: (one.cores, one.address))
        worker = cluster.start(RemoteBench, directory.resolve(), settings, cores=node.cores, node=node.name)
        try:
            patience_s: float | None = START_PATIENCE_S
            while True:
                notes, outcome = worker.call("hear").result(patience_s)
                if patience_s is not None:
                    notify(f"On {node.address}, with all of its {node.cores:g} cores")
                    patience_s = None
                for note in notes:
                    notify(note)
                if outcome is not None:
                    done: Optimized = outcome
                    return done
        finally:
            worker.stop()
