"""Carry out a recipe in this process, or in several that start again where one of them dies: here, or on a cluster."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bertline.errors import SettingsError
from bertline.machine.cores import usable_cores
from bertline.machine.ray_cluster import connect
from bertline.training.parallel.job import Died, Failed, Job, Outcome, persist
from bertline.training.parallel.join import RENDEZVOUS, is_rank, joined
from bertline.training.parallel.line import receive
from bertline.training.parallel.on_cluster import ClusterLauncher
from bertline.training.parallel.process import RankProcess
from bertline.training.parallel.report import GRACE_S, Report, outcome_of
from bertline.training.progress import Progress
from bertline.training.settings import LoopSettings
from bertline.training.stop import StopRequest

LOOK_S = 0.2  # between two looks at signals


def carry_out(
    recipe: Callable[..., Any],
    settings: LoopSettings,
    progress: Progress,
    *,
    resume: bool,
    **arguments: Any,
) -> Any:
    """The result of ``recipe``; None in a process that is a rank of a run and not its leader.

    A run that is to be resumed and was finished before gives its ``Finished``.

    Args:
        recipe: ``train``, ``distill`` or ``pretrain``.
        settings: with the number of processes and restarts.
        progress: listens to the run.
        resume: continue from a checkpoint, if there is one.
        arguments: of the recipe, by name.

    Raises:
        SettingsError: the process is itself one of several, or the data is standard input, which one process can read.
        BertlineError: the error of the recipe.
        ClusterError: the cluster cannot be used, or has too few cores.
        TrainingError: a process died more often than there are restarts.
    """
    job = Job(recipe, {**arguments, "settings": settings}, resume)
    if settings.processes == 1 and settings.ray is None:
        result = None  # of a follower that is dismissed
        with joined() as ranks:
            done = job(progress)
            result = done if ranks.leads else None
        return result
    if is_rank():
        flag = "--processes" if settings.ray is None else "--ray"
        raise SettingsError(
            f"{flag} starts processes, but this one is already one of {os.environ['WORLD_SIZE']} (WORLD_SIZE): "
            "leave it out, because the launcher that set it says how many there are"
        )
    if "-" in (one for one in arguments.values() if isinstance(one, str)):
        raise SettingsError(
            "standard input can be read by one process only: give a file, or leave --processes and --ray out"
        )
    if settings.ray is not None:
        with connect(settings.ray) as cluster:
            on_cluster = ClusterLauncher(cluster, settings.processes, progress)
            return persist(on_cluster, job, settings.restarts, progress)
    return persist(Launcher(settings.processes, progress), job, settings.restarts, progress)


@dataclass
class Launcher:
    """Starts the processes of one attempt on this machine and watches them.

    Attributes:
        processes: how many.
        progress: of the leader goes there.
    """

    processes: int
    progress: Progress

    def __call__(self, job: Job) -> Outcome:
        """Start all, watch them until none runs, and say what became of them."""
        with tempfile.TemporaryDirectory(prefix="bertline-") as folder, StopRequest() as stop:
            started: dict[Connection, tuple[RankProcess, Report]] = {}
            try:
                for number in range(self.processes):
                    process = RankProcess(job, self._environ(number, Path(folder) / "rendezvous"))
                    started[process.line] = process, Report(number)
                return self._watch(started, stop)
            finally:
                for process, _ in started.values():
                    process.close()

    def _environ(self, number: int, rendezvous: Path) -> dict[str, str]:
        return {
            "OMP_NUM_THREADS": str(max(1, usable_cores() // self.processes)),
            "GLOO_SOCKET_IFNAME": "lo",
            **os.environ,
            "RANK": str(number),
            "LOCAL_RANK": str(number),
            "WORLD_SIZE": str(self.processes),
            RENDEZVOUS: str(rendezvous),
        }

    def _watch(self, started: Mapping[Connection, tuple[RankProcess, Report]], stop: StopRequest) -> Outcome:
        open_, told, deadline_s = dict(started), False, math.inf
        reports = [report for _, report in started.values()]
        while open_ and time.monotonic() < deadline_s:
            for line in wait([*open_], LOOK_S):
                process, report = open_[line]  # type: ignore[index]
                try:
                    report.take(receive(process.line), self.progress)
                except (EOFError, OSError):
                    report.ended(process.code())
                    del open_[process.line]
            if stop.requested and not told:
                told = True
                for process, _ in open_.values():
                    process.ask_to_stop()
            if deadline_s == math.inf and any(report.bad for report in reports):
                deadline_s = time.monotonic() + GRACE_S
        outcome = outcome_of(reports)
        return Failed(KeyboardInterrupt()) if told and isinstance(outcome, Died) else outcome
