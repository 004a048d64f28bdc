"""The processes of a run on the machines of a Ray cluster. Paths have to be the same on all of them."""

from __future__ import annotations

import fcntl
import math
import os
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from bertline.errors import ClusterError
from bertline.machine.ray_cluster import Node, WorkerLost
from bertline.training.parallel.job import Died, Failed, Job, Outcome
from bertline.training.parallel.line import receive
from bertline.training.parallel.process import RankProcess
from bertline.training.parallel.report import GRACE_S, Report, outcome_of
from bertline.training.progress import Progress
from bertline.training.stop import StopRequest

HEAR_S = 0.5  # that a machine waits for messages of its process before it answers
START_PATIENCE_S = 300.0  # for a machine to import what it needs
_SIOCGIFADDR = 0x8915  # of Linux: the address of a network interface


@runtime_checkable
class Machines(Protocol):
    """As ``machine.ray_cluster.Cluster``."""

    @property
    def nodes(self) -> Sequence[Node]:
        """The machines that are alive."""

    def start(self, factory: Callable[..., object], *arguments: object, cores: float, gpus: float, node: str) -> Any:
        """A worker on one machine that holds what the factory makes."""

    def first(self, calls: Sequence[Any], timeout_s: float) -> list[Any]:
        """Calls that have ended."""


class RemoteRank:
    """What a machine of the cluster holds: one process of the run, which dies with it.

    Args:
        folder: to run in.
        address: of the machine, for the other processes.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self._folder, self._address = folder, address
        self._process: RankProcess | None = None

    def free_port(self) -> int:
        """A port at which rank 0 can be met."""
        with socket.socket() as listener:
            listener.bind((self._address, 0))
            return int(listener.getsockname()[1])

    def begin(self, job: Job, environ: Mapping[str, str]) -> None:
        """Start the process."""
        if not self._folder.is_dir():
            raise ClusterError(
                f"{socket.gethostname()} of the cluster has no directory {self._folder}: run the command in a "
                "directory that all machines share"
            )
        interface = interface_of(self._address)
        meeting = {} if interface is None else {"GLOO_SOCKET_IFNAME": interface}
        self._process = RankProcess(job, {**meeting, **os.environ, **environ}, self._folder)

    def hear(self) -> tuple[list[Any], int | None]:
        """Messages since the last call, and the exit code once the process has ended; waits for a moment."""
        process, messages = self._process, list[Any]()
        assert process is not None, "it has begun"
        try:
            while wait([process.line], 0 if messages else HEAR_S):
                messages.append(receive(process.line))
        except (EOFError, OSError):
            return messages, process.code()
        return messages, None

    def ask_to_stop(self) -> None:
        """At the next step, with a checkpoint."""
        if self._process is not None:
            self._process.ask_to_stop()


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where the processes run.

    Attributes:
        nodes: the machine of each rank.
        cores: of a process.
        gpus: of a process.
    """

    nodes: tuple[Node, ...]
    cores: int
    gpus: int

    @classmethod
    def of(cls, nodes: Sequence[Node], processes: int) -> Assignment:
        """A GPU for each process if there are enough; else as many cores for each as fit.

        Raises:
            ClusterError: there are fewer cores than processes.

        >>> found = Assignment.of([Node("a", "10.0.0.1", 4.0, 0.0), Node("b", "10.0.0.2", 2.0, 0.0)], 3)
        >>> ([one.name for one in found.nodes], found.cores)
        (['a', 'a', 'b'], 2)
        """
        gpus = int(sum(int(node.gpus) for node in nodes) >= processes)
        most = max((int(node.cores) for node in nodes), default=0)
        for cores in range(most, 0, -1):
            room = [min(int(node.cores) // cores, int(node.gpus) if gpus else processes) for node in nodes]
            if sum(room) >= processes:
                ranks = [node for node, number in zip(nodes, room, strict=True) for _ in range(number)]
                return cls(tuple(ranks[:processes]), cores, gpus)
        total = sum(int(node.cores) for node in nodes)
        raise ClusterError(
            f"the cluster has {total} cores, and {processes} processes need one each: ask for fewer --processes"
        )

    def __str__(self) -> str:
        machines = len({node.name for node in self.nodes})
        each = f"{self.cores} core{'s' if self.cores > 1 else ''}{' and a GPU' if self.gpus else ''}"
        return f"{len(self.nodes)} processes on {machines} machine{'s' if machines > 1 else ''}, {each} each"


@dataclass
class ClusterLauncher:
    """Starts the processes of one attempt on a cluster and watches them.

    Attributes:
        cluster: has the machines. Those that are left are used when one was lost.
        processes: how many.
        progress: of the leader goes there.
    """

    cluster: Machines
    processes: int
    progress: Progress

    def __call__(self, job: Job) -> Outcome:
        """Start all, watch them until none runs, and say what became of them.

        Raises:
            ClusterError: the cluster has too few cores.
        """
        assignment = Assignment.of(self.cluster.nodes, self.processes)
        self.progress.note(str(assignment))
        folder = Path.cwd()
        workers = [
            self.cluster.start(
                RemoteRank, folder, node.address, cores=assignment.cores, gpus=assignment.gpus, node=node.name
            )
            for node in assignment.nodes
        ]
        try:
            with StopRequest() as stop:
                self._begin(job, workers, assignment)
                return self._watch(workers, stop)
        except WorkerLost as error:
            return Died(str(error))
        finally:
            for worker in workers:
                worker.stop()

    def _begin(self, job: Job, workers: Sequence[Any], assignment: Assignment) -> None:
        port = workers[0].call("free_port").result(START_PATIENCE_S)
        meeting = {"MASTER_ADDR": assignment.nodes[0].address, "MASTER_PORT": str(port)}
        begun = []
        for rank, worker in enumerate(workers):
            environ = {
                **meeting,
                "OMP_NUM_THREADS": str(assignment.cores),
                "RANK": str(rank),
                "LOCAL_RANK": "0",  # of the GPUs, Ray shows it its own alone
                "WORLD_SIZE": str(len(workers)),
            }
            begun.append(worker.call("begin", job, environ))
        for call in begun:
            call.result(START_PATIENCE_S)

    def _watch(self, workers: Sequence[Any], stop: StopRequest) -> Outcome:
        reports = [Report(rank) for rank in range(len(workers))]
        calls = {worker.call("hear"): (worker, report) for worker, report in zip(workers, reports, strict=True)}
        told, deadline_s = False, math.inf
        while calls and time.monotonic() < deadline_s:
            for call in self.cluster.first([*calls], HEAR_S):
                worker, report = calls.pop(call)
                if self._heard(call, report):
                    calls[worker.call("hear")] = worker, report
            if stop.requested and not told:
                told = True
                for worker, _ in calls.values():
                    worker.call("ask_to_stop")
            if deadline_s == math.inf and any(report.bad for report in reports):
                deadline_s = time.monotonic() + GRACE_S
        outcome = outcome_of(reports)
        return Failed(KeyboardInterrupt()) if told and isinstance(outcome, Died) else outcome

    def _heard(self, call: Any, report: Report) -> bool:
        """Take what a process said; whether it runs on."""
        try:
            messages, code = call.result()
        except WorkerLost as error:
            report.outcome = report.outcome or Died(f"process {report.rank} was lost with its worker ({error})")
            return False
        for message in messages:
            report.take(message, self.progress)
        if code is not None:
            report.ended(code)
        return code is None


def interface_of(address: str) -> str | None:
    """The network interface with an IPv4 address, for gloo; None if it cannot be found.

    >>> interface_of("127.0.0.1")
    'lo'
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                found = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()))[20:24]
            except OSError:  # it has no address
                continue
            if socket.inet_ntoa(found) == address:
                return name
    return None
