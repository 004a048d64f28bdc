"""A cluster that shares nothing with the driver but a real object store: the bundle, the input and the output.

The nodes see the driver's directory empty, as another machine would, and have keys of their own: of the bucket's owner
in ``~/.aws/credentials``, where the driver has variables.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.testing.tiny import write_tiny_bundle
from tests.distributed.cluster import Nodes, nodes
from tests.distributed.commands import bertline
from tests.stores.seaweedfs import OWNER, seaweedfs
from tests.unit.distributed.conftest import rows_of, write_table

pytestmark = pytest.mark.drill

BUNDLE = "s3://models/reviews"
ROWS = {"first.csv": 400, "second.csv": 700}
CREDENTIALS = "[default]\naws_access_key_id = {AWS_ACCESS_KEY_ID}\naws_secret_access_key = {AWS_SECRET_ACCESS_KEY}\n"


@dataclass
class Apart:
    """A driver and a cluster that share nothing.

    Attributes:
        nodes: the cluster.
        home: of the nodes, with their credentials.
        private: the driver's directory.
        environment: of the driver, with the owner's keys.
    """

    nodes: Nodes
    home: Path
    private: Path
    environment: dict[str, str]


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    pytest.importorskip("ray")
    if os.geteuid() != 0:
        pytest.skip("hiding a directory from the nodes takes root's rights")
    home, private = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("driver")
    write_tiny_bundle(private / "reviews")
    (private / "new").mkdir()
    for seed, (name, rows) in enumerate(ROWS.items()):
        write_table(private / "new" / name, rows_of(rows, seed))
    with seaweedfs(tmp_path_factory.mktemp("weed")) as port:
        place = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "OMP_NUM_THREADS": "1"}
        with nodes(home, own=place, hidden=private) as there:
            there.add("head", 0)
            there.add("first", 1)
            there.add("second", 1)
            cache = {"XDG_CACHE_HOME": str(private / "cache")}
            made = Apart(there, home, private, {**there.environment, **place, **OWNER, **cache})
            bertline("models", "push", private / "reviews", BUNDLE, environment=made.environment)
            upload(made)
            yield made


def upload(apart: Apart) -> None:
    """Put the tables into the bucket."""
    script = """
import sys
from pathlib import Path
from bertline.distributed.places import find_place

place = find_place("s3://models/data/new")
for path in Path(sys.argv[1]).iterdir():
    place.put(path.name, path.read_bytes())
"""
    command = [sys.executable, "-c", script, str(apart.private / "new")]
    subprocess.run(command, env=apart.environment, check=True, timeout=300)


def refused(apart: Apart, *arguments: object) -> str:
    """What a command that must fail says."""
    command = [sys.executable, "-m", "bertline.cli.main", *map(str, arguments), "--ray", apart.nodes.address]
    done = subprocess.run(
        command, env=apart.environment, capture_output=True, text=True, timeout=600, check=False, cwd=apart.private
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def test_workers_without_what_they_need_say_so_in_a_sentence(apart: Apart) -> None:
    rows = ("--input", "s3://models/data/new", "--output", "s3://models/data/refused")
    assert f"has no directory {apart.private}/reviews: put the bundle at this path on all" in refused(
        apart, "predict", apart.private / "reviews", *rows
    )
    assert "AWS_ACCESS_KEY_ID" in refused(apart, "predict", BUNDLE, *rows)


def test_they_answer_as_one_process(apart: Apart) -> None:
    (apart.home / ".aws").mkdir(exist_ok=True)
    (apart.home / ".aws" / "credentials").write_text(CREDENTIALS.format(**OWNER), encoding="utf-8")
    own, private = apart.environment, apart.private
    ray = ("--ray", apart.nodes.address)
    said = bertline(
        "predict", BUNDLE, "--input", "s3://models/data/new", "--output", "s3://models/data/scored",
        "--shard-rows", "100", *ray,
        environment=own,
    )  # fmt: skip
    assert "1,100 rows" in said
    assert not [*(private / "cache").rglob("part-*")]
    fetched = list((apart.home / ".cache" / "bertline").rglob("bertline.json"))
    assert len(fetched) == 1, "the workers have one copy of the bundle, in their own cache"
    bertline("join", "s3://models/data/scored", "--output", private / "joined.csv", environment=own)
    lines: list[bytes] = []
    for name in ROWS:
        bertline("predict", private / "reviews", "--input", private / "new" / name, "--output", private / name)
        header, _, rest = (private / name).read_bytes().partition(b"\n")
        lines += [rest] if lines else [header + b"\n", rest]
    assert (private / "joined.csv").read_bytes() == b"".join(lines)


def test_they_measure_as_one_process(apart: Apart) -> None:
    labels = load(apart.private / "reviews").manifest.task.labels
    rows = [{"text": row["text"], "label": labels[row["id"] % len(labels)]} for row in rows_of(300)]
    table = write_table(apart.private / "labelled.csv", rows)
    figures = []
    for more in ((), ("--ray", apart.nodes.address)):
        command = [sys.executable, "-m", "bertline.cli.main", "evaluate", BUNDLE, str(table), "--json", *more]
        done = subprocess.run(command, env=apart.environment, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        figures.append(json.loads(done.stdout))
    assert figures[0] == figures[1]
    sentence = f"has no directory {apart.private}/reviews: put the bundle at this path on all machines"
    assert sentence in refused(apart, "evaluate", apart.private / "reviews", table)
