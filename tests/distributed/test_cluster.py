"""Workers on a real cluster of two nodes: answers, errors, and processes and nodes that die."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.distributed.cluster import nodes

pytestmark = pytest.mark.drill

DRIVER = """
import os, sys
from bertline.errors import BertlineError
from bertline.machine.ray_cluster import WorkerLost, connect
from tests.distributed.thing import Thing

with connect(sys.argv[1]) as cluster:
    print(len(cluster.nodes), cluster.cores)
    workers = [cluster.start(Thing, number) for number in range(2)]
    print(*[worker.call("number").result() for worker in workers])
    print(len({worker.call("node").result() for worker in workers}))
    for sort in ("plain", "table"):
        try:
            workers[0].call("fail", sort).result()
        except BertlineError as error:
            print(type(error).__name__, error)
    slow, quick = workers[0].call("sleep", 600), workers[1].call("number")
    print([call is quick for call in cluster.first([slow, quick], 60)])
    os.kill(cluster.start(Thing, 7).call("process").result(), 9)
    worker = cluster.start(Thing, 8)
    process = worker.call("process").result()
    under_way = worker.call("sleep", 600)
    os.kill(process, 9)
    try:
        cluster.first([under_way], 60)[0].result()
    except WorkerLost as error:
        print(type(error).__name__, str(error).partition(" (")[0])
"""


def drive(address: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, address],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_workers_of_two_nodes(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with nodes(tmp_path) as there:
        there.add("head", 2)
        there.add("second", 2)
        ran = drive(there.address, there.environment)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.splitlines() == [
            "2 4",
            "0 1",
            "2",
            "DataError a plain fault: mend it",
            "DataError new.csv is empty: it needs rows",
            "[True]",
            "WorkerLost a worker of the cluster was lost",
        ]
        denied = drive(there.address, {**there.environment, "RAY_AUTH_TOKEN": "b" * 64})
        assert denied.returncode == 1
        assert "does not let this process in: put its token" in denied.stderr
