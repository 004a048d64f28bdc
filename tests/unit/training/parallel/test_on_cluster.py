"""Real processes, held by a stand-in for a cluster's workers; tests/distributed has a real cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bertline.errors import ClusterError, DataError
from bertline.machine.ray_cluster import Node
from bertline.training.parallel.job import Died, Done, Failed, Job
from bertline.training.parallel.join import current
from bertline.training.parallel.on_cluster import Assignment, ClusterLauncher, RemoteRank
from bertline.training.progress import Progress, Silent
from tests.machines import HERE, ClusterHere

ROOT = Path(__file__).parents[4]


class Noted(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def cluster() -> Iterator[ClusterHere]:
    """Its processes end with the test."""
    made = ClusterHere()
    yield made
    for worker in made.workers:
        assert worker.stopped
        worker.held._process.close()


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    monkeypatch.chdir(tmp_path)


def meet(*, progress: Progress, resume: bool) -> list[tuple[Any, ...]]:
    ranks = current()
    progress.note(f"by rank {ranks.rank}")
    return ranks.gather((ranks.rank, ranks.world, os.environ["OMP_NUM_THREADS"], str(Path.cwd())))


def fail(*, progress: Progress, resume: bool) -> None:
    if current().leads:
        raise DataError("rows.csv has no rows: give some")
    current().any(False)


def wait_for_signal(*, progress: Progress, resume: bool) -> None:
    progress.note("waiting")
    signal.pause()


def test_processes_meet_and_the_leader_is_heard(cluster: ClusterHere, tmp_path: Path) -> None:
    progress = Noted()
    outcome = ClusterLauncher(cluster, 2, progress)(Job(meet, {}, False))
    folder = str(tmp_path)
    assert outcome == Done([(0, 2, "2", folder), (1, 2, "2", folder)])
    assert progress.notes == ["2 processes on 1 machine, 2 cores each", "by rank 0"]


@pytest.mark.drill
def test_a_users_mistake_comes_back_as_its_error(cluster: ClusterHere) -> None:
    outcome = ClusterLauncher(cluster, 2, Silent())(Job(fail, {}, False))
    assert isinstance(outcome, Failed)
    assert str(outcome.error) == "rows.csv has no rows: give some"


@pytest.mark.drill
def test_a_lost_worker_is_a_death_after_which_all_start_again(cluster: ClusterHere) -> None:

    class Losing(Noted):
        def note(self, text: str) -> None:
            super().note(text)
            if text == "waiting":
                cluster.workers[0].lost = True

    outcome = ClusterLauncher(cluster, 1, Losing())(Job(wait_for_signal, {}, False))
    assert isinstance(outcome, Died)
    assert outcome.what.startswith("process 0 was lost with its worker")


def test_a_machine_without_the_directory_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rank = RemoteRank(tmp_path / "nowhere", "127.0.0.1")
    with pytest.raises(ClusterError, match=r"has no directory .*nowhere: run the command in a directory that all"):
        rank.begin(Job(meet, {}, False), {})


@pytest.mark.parametrize(
    ("cores", "processes", "expected"),
    [
        ((4, 4), 2, (4, ["a", "b"])),
        ((4, 4), 3, (2, ["a", "a", "b"])),
        ((1, 1), 2, (1, ["a", "b"])),
        ((8,), 1, (8, ["a"])),
    ],
)
def test_each_process_gets_as_many_cores_as_fit(
    cores: tuple[int, ...], processes: int, expected: tuple[int, list[str]]
) -> None:
    nodes = [
        Node(name, f"10.0.0.{i}", float(own), 0.0) for i, (name, own) in enumerate(zip("abc", cores, strict=False))
    ]
    found = Assignment.of(nodes, processes)
    assert (found.cores, [node.name for node in found.nodes], found.gpus) == (*expected, 0)


def test_gpus_go_one_to_each() -> None:
    nodes = [Node("a", "10.0.0.1", 16.0, 1.0), Node("b", "10.0.0.2", 16.0, 3.0)]
    found = Assignment.of(nodes, 4)
    assert (found.gpus, [node.name for node in found.nodes]) == (1, ["a", "b", "b", "b"])
    assert Assignment.of(nodes, 5).gpus == 0


def test_too_few_cores() -> None:
    with pytest.raises(ClusterError, match=r"has 4 cores, and 5 processes need one each: ask for fewer --processes"):
        Assignment.of([HERE], 5)
