"""A crew whose workers die, hang and come late computes every shard; ``tests/distributed`` has a real cluster."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bertline.distributed import run
from bertline.distributed.job import Opened
from bertline.distributed.labeller import Labeller, unwatched
from bertline.distributed.run import Crew, run_here
from bertline.errors import ClusterError, DataError
from bertline.machine.ray_cluster import WorkerLost
from tests.unit.distributed.conftest import job, rows_of, write_table


class Cluster:
    """Workers in this process, under a clock of their own; ``fate`` says what becomes of each call.

    A fate is "answer", "die", "hang", or an exception that the method raises.
    """

    def __init__(self, fate: Callable[[str, tuple[Any, ...]], Any]) -> None:
        self.fate, self.now, self.started, self.stopped = fate, 0.0, 0, 0

    def start(self, factory: Callable[..., object], *arguments: object, cores: float) -> Any:
        self.started += 1
        return _Worker(self, factory, arguments)

    def first(self, calls: Sequence[Any], timeout_s: float) -> list[Any]:
        self.now += timeout_s
        return [call for call in calls if call.fate != "hang"][:1]


class _Worker:
    def __init__(self, cluster: Cluster, factory: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self.cluster, self._factory, self._arguments = cluster, factory, arguments
        self._made: Any = None

    def call(self, method: str, *arguments: Any) -> Any:
        return _Call(self, method, arguments, self.cluster.fate(method, arguments))

    def stop(self) -> None:
        self.cluster.stopped += 1

    def answer(self, method: str, arguments: tuple[Any, ...]) -> Any:
        self._made = self._made or self._factory(*self._arguments)
        return getattr(self._made, method)(*arguments)


class _Call:
    def __init__(self, worker: _Worker, method: str, arguments: tuple[Any, ...], fate: Any) -> None:
        self.worker, self._method, self._arguments, self.fate = worker, method, arguments, fate

    def result(self) -> Any:
        if self.fate == "die":
            raise WorkerLost("a worker of the cluster was lost (killed): see the logs of its machine")
        if isinstance(self.fate, Exception):
            raise self.fate
        return self.worker.answer(self._method, self._arguments)


@pytest.fixture
def opened(bundle: Path, tmp_path: Path) -> Opened:
    return job(bundle, write_table(tmp_path / "in.csv", rows_of(900)), tmp_path / "out")


def crew(cluster: Cluster, opened: Opened, watch: Callable[[int], None] = unwatched) -> Crew:
    return Crew(cluster, opened, 1, watch, now=lambda: cluster.now)


def test_every_shard_is_computed_once_and_all_rows_are_told(opened: Opened) -> None:
    rows: list[int] = []
    cluster = Cluster(lambda method, arguments: "answer")
    tally = crew(cluster, opened, rows.append).run(opened.missing, 3)
    assert opened.missing == []
    assert sum(rows) == tally.texts == 900
    assert cluster.started == cluster.stopped == 3


def test_workers_that_die_at_random_lose_nothing(opened: Opened, bundle: Path, tmp_path: Path) -> None:
    source = random.Random(3)
    cluster = Cluster(lambda method, arguments: "die" if source.random() < 0.3 else "answer")
    team = crew(cluster, opened)
    assert team.run(opened.missing, 2).texts == 900
    assert team.lost > 0
    alone = job(bundle, tmp_path / "in.csv", tmp_path / "alone")
    run_here(alone, alone.missing, unwatched)
    for name in alone.plan.names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_a_shard_that_hangs_is_begun_again_by_an_idle_worker(opened: Opened) -> None:
    hung: list[int] = []

    def fate(method: str, arguments: tuple[Any, ...]) -> str:
        if method == "shard" and arguments[0] == 2 and not hung:
            hung.append(2)
            return "hang"
        return "answer"

    cluster = Cluster(fate)
    assert crew(cluster, opened).run(opened.missing, 2).texts == 900
    assert hung == [2]
    assert cluster.stopped == 2


def test_a_worker_without_a_place_holds_no_shard_up(opened: Opened) -> None:
    ready: list[str] = []

    def fate(method: str, arguments: tuple[Any, ...]) -> str:
        if method == "ready":
            ready.append(method)
            return "hang" if len(ready) > 1 else "answer"
        return "answer"

    assert crew(Cluster(fate), opened).run(opened.missing, 3).texts == 900


def test_a_shard_that_kills_its_workers_ends_the_work(opened: Opened) -> None:
    cluster = Cluster(lambda method, arguments: "die" if arguments[:1] == (2,) else "answer")
    with pytest.raises(ClusterError, match=r"the worker of shard part-00002-of-0000\d\.csv died 4 times"):
        crew(cluster, opened).run(opened.missing, 2)
    assert cluster.stopped >= 1


def test_workers_that_all_die_at_their_start_end_the_work(opened: Opened) -> None:
    with pytest.raises(ClusterError, match="a worker that starts died"):
        crew(Cluster(lambda method, arguments: "die"), opened).run(opened.missing, 2)


def test_a_cluster_without_room_is_said(opened: Opened) -> None:
    with pytest.raises(ClusterError, match="no worker with 1 cores was ready after 300 s: check that the cluster has"):
        crew(Cluster(lambda method, arguments: "hang"), opened).run(opened.missing, 2)


def test_an_error_of_a_worker_ends_the_work_as_it_is(opened: Opened) -> None:
    error = DataError("in.csv has changed: put it back")
    cluster = Cluster(lambda method, arguments: error if method == "shard" else "answer")
    with pytest.raises(DataError, match="put it back"):
        crew(cluster, opened).run(opened.missing, 2)


def test_shards_that_another_process_finished_are_left(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = opened.missing
    run_here(opened, numbers[:2], unwatched)
    computed: list[int] = []
    real = Labeller.shard

    def shard(self: Labeller, number: int, watch: Any = unwatched) -> Any:
        computed.append(number)
        return real(self, number, watch)

    monkeypatch.setattr(run.Labeller, "shard", shard)
    rows: list[int] = []
    run_here(opened, numbers, rows.append)
    assert computed == numbers[2:]
    assert sum(rows) == 900
