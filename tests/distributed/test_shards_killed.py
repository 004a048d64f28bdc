"""Driver, worker and node killed with -9 at random, twenty times in all: every row once and in order."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.testing.tiny import write_tiny_bundle
from tests.distributed.cluster import Nodes, nodes
from tests.unit.distributed.conftest import rows_of, write_table

pytestmark = pytest.mark.drill

ROWS = 100_000
KILLS = 20
KINDS = ("driver", "worker", "node")


def start(
    bundle: Path, source: Path, target: Path, *flags: str, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bertline.cli.main", "predict", str(bundle), "--input", str(source)]
    with target.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--output", str(target), *flags], env=environment, stdout=log, stderr=log, start_new_session=True
        )


def workers_of(token: str) -> list[int]:
    """The processes of this test's cluster that hold a model; told from others' by the token in their environment."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            name, environment = (path / "comm").read_text(), (path / "environ").read_bytes()
        except (OSError, NotADirectoryError):
            continue
        if name.startswith("ray::_Held") and token.encode() in environment:
            found.append(int(path.name))
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("in") / "in.csv", rows_of(ROWS))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target)
    return target


@pytest.fixture(scope="module")
def plain(bundle: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What one process writes."""
    target = tmp_path_factory.mktemp("plain") / "plain.csv"
    assert start(bundle, source, target, environment=dict(os.environ)).wait(1800) == 0
    return target.read_bytes()


@pytest.fixture
def two_nodes(tmp_path: Path) -> Iterator[Nodes]:
    pytest.importorskip("ray")
    with nodes(tmp_path) as there:
        there.add("head", 1)
        there.add("second", 2)
        yield there


def test_killed_twenty_times_every_row_is_there_once(
    bundle: Path, source: Path, plain: bytes, two_nodes: Nodes, tmp_path: Path
) -> None:
    chance, killed, targets = random.Random(16), Counter[str](), [tmp_path / "out_1.csv"]
    token = two_nodes.environment["RAY_AUTH_TOKEN"]
    flags = ("--ray", two_nodes.address, "--shard-rows", "1", "--workers", "2")

    def started() -> subprocess.Popen[bytes]:
        return start(bundle, source, targets[-1], *flags, environment=two_nodes.environment)

    driver = started()
    while killed.total() < KILLS:
        time.sleep(chance.uniform(0.5, 4))
        kind = KINDS[killed.total() % len(KINDS)]
        if driver.poll() == 0:  # faster than the kills: once more, from the beginning
            targets.append(tmp_path / f"out_{len(targets) + 1}.csv")
            driver = started()
        assert driver.poll() is None, targets[-1].with_suffix(".log").read_text(encoding="utf-8")
        shards = Path(f"{targets[-1]}.shards")
        if not [*shards.glob("part-*")]:
            continue
        if kind == "driver":
            os.kill(driver.pid, signal.SIGKILL)
            driver.wait()
            driver = started()
        elif kind == "node":
            two_nodes.kill("second")
            two_nodes.add("second", 2)
        elif held := workers_of(token):
            os.kill(chance.choice(held), signal.SIGKILL)
        else:
            continue
        killed[kind] += 1
    assert driver.wait(1800) == 0, targets[-1].with_suffix(".log").read_text(encoding="utf-8")
    assert set(killed) == set(KINDS)
    for target in targets:
        with target.open(newline="", encoding="utf-8") as file:
            assert [int(row["id"]) for row in csv.DictReader(file)] == [*range(ROWS)]
        assert target.read_bytes() == plain


def test_a_run_without_ray_finishes_what_a_killed_one_began(
    bundle: Path, source: Path, plain: bytes, two_nodes: Nodes, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    driver = start(bundle, source, target, "--ray", two_nodes.address, environment=two_nodes.environment)
    while len([*target.glob("part-*")]) < 2:
        assert driver.poll() is None, target.with_suffix(".log").read_text()
        time.sleep(0.1)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert start(bundle, source, target, environment=dict(os.environ)).wait(1800) == 0
    shards = [path.read_bytes() for path in sorted(target.glob("part-*"))]
    header = shards[0][: shards[0].index(b"\n") + 1]
    assert header + b"".join(one.removeprefix(header) for one in shards) == plain
