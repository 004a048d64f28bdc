"""Every kind of RayJob that is written: against the schemas, and its entrypoint run on a cluster of two nodes.

The nodes and the command have the variables of the pods, with those of the Secret, and the command passes through two
shells as KubeRay and Ray send it. A job with GPUs is only checked.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bertline.deploy.ray_job import RayJob
from bertline.testing.tiny import write_tiny_bundle
from tests.deploy.kuberay import faults_of_rayjob, pods_of
from tests.deploy.kubernetes import faults_of_kubernetes
from tests.deploy.test_ray_job import job
from tests.distributed.cluster import Nodes, nodes
from tests.distributed.commands import bertline, path_with_bertline
from tests.distributed.trainings import prepare, weights
from tests.stores.seaweedfs import OWNER, seaweedfs
from tests.unit.distributed.conftest import rows_of, write_table

pytestmark = pytest.mark.drill

FLAGS = ("--epochs", "2", "--max-tokens", "32", "--precision", "fp32", "--seed", "3")
TRAIN = ("train", "rows.csv", "--out", "trained", "--model", "model", *FLAGS)
BUCKET = ("predict", "s3://models/reviews", "--input", "s3://models/data/new", "--output", "s3://models/data/scored")
ROWS = 600
KINDS: dict[str, dict[str, Any]] = {
    "predict on a volume": {},
    "predict in a bucket": {"command": BUCKET, "claim": "", "secret": "keys", "variables": {"AWS_REGION": "us-east-1"}},
    "predict by a workload identity": {"command": BUCKET, "claim": "", "account": "reader"},
    "evaluate": {"command": ("evaluate", "tiny", "labelled.csv", "--json")},
    "optimize": {"command": ("optimize", "tiny")},
    "train": {"command": TRAIN},
    "train on GPUs": {"command": TRAIN, "gpus": 2, "memory": "16Gi"},
    "distill": {"command": ("distill", "tiny", "rows.csv", "--out", "small")},
    "pretrain on GPUs": {"command": ("pretrain", "texts.txt", "--out", "encoder"), "gpus": 1, "limit_s": 86_400},
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_fits_the_schemas(kind: str, tmp_path: Path) -> None:
    made, policy = job(**KINDS[kind]).objects()
    assert faults_of_rayjob(made) == []
    pods = [
        {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "pod"}, "template": one}
        for one in pods_of(made).values()
    ]
    assert faults_of_kubernetes([policy, *pods], tmp_path) == []
    worker = pods_of(made)["ray-worker"]["spec"]["containers"][0]["resources"]["limits"]
    assert worker.get("nvidia.com/gpu") == (str(KINDS[kind]["gpus"]) if "gpus" in KINDS[kind] else None)


@dataclass
class Volume:
    """The directory that all pods share, and the cluster of the pods."""

    root: Path
    nodes: Nodes
    variables: dict[str, str]

    def run(self, made: RayJob) -> subprocess.CompletedProcess[str]:
        """The job's command, as the head runs it."""
        first = ["bash", "-c", f"printf '%s\\0' {made.objects()[0]['spec']['entrypoint']}"]
        words = subprocess.run(first, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
        return subprocess.run(
            ["bash", "-c", subprocess.list2cmdline(words)],  # as `ray job submit` puts them together
            cwd=self.root, capture_output=True, text=True, timeout=1_200, check=False,
            env={**self.nodes.environment, **self.variables, "RAY_ADDRESS": self.nodes.address},
        )  # fmt: skip


def variables_of(made: RayJob, secrets: dict[str, dict[str, str]], home: Path) -> dict[str, str]:
    """Those of the pods, which are the same in all of them; what is in /tmp of a pod is in ``home``."""
    seen = []
    for pod in pods_of(made.objects()[0]).values():
        [one] = pod["spec"]["containers"]
        given = {entry["name"]: entry["value"].replace("/tmp", str(home)) for entry in one["env"]}
        for entry in one.get("envFrom", ()):
            given |= secrets[entry["secretRef"]["name"]]
        seen.append(given)
    assert seen[0] == seen[1] == seen[2]
    return seen[0]


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Volume]:
    pytest.importorskip("ray")
    home, root = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("data")
    write_tiny_bundle(root / "tiny")
    write_table(root / "in.csv", rows_of(ROWS))
    prepare(root, "rows.csv", rows=300)
    with seaweedfs(tmp_path_factory.mktemp("weed")) as port:
        store = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        given = {**KINDS["predict in a bucket"], "variables": store}
        variables = {**variables_of(job(**given), {"keys": OWNER}, home), "OMP_NUM_THREADS": "1"}
        with nodes(home, own=variables) as there:
            there.add("head", 0)
            there.add("first", 1)
            there.add("second", 1)
            yield Volume(root, there, {**variables, "PATH": path_with_bertline(home)})


def test_predict_answers_a_file_and_a_bucket_as_one_process(volume: Volume) -> None:
    root = volume.root
    bertline("predict", root / "tiny", "--input", root / "in.csv", "--output", root / "plain.csv")
    ran = volume.run(job())
    assert ran.returncode == 0, ran.stderr
    assert (root / "out put.csv").read_bytes() == (root / "plain.csv").read_bytes()

    desk = {**os.environ, **volume.variables}
    bertline("models", "push", root / "tiny", "s3://models/reviews", environment=desk)
    put = "from bertline.distributed.places import find_place as f; import pathlib, sys; "
    put += "f('s3://models/data/new').put('in.csv', pathlib.Path(sys.argv[1]).read_bytes())"
    subprocess.run([sys.executable, "-c", put, str(root / "in.csv")], env=desk, check=True)
    ran = volume.run(job(**KINDS["predict in a bucket"]))
    assert ran.returncode == 0, ran.stderr
    bertline("join", "s3://models/data/scored", "--output", root / "joined.csv", environment=desk)
    assert (root / "joined.csv").read_bytes() == (root / "plain.csv").read_bytes()


def test_train_learns_what_two_processes_learn(volume: Volume) -> None:
    root = volume.root
    ran = volume.run(job(**KINDS["train"]))
    assert ran.returncode == 0, ran.stderr
    assert "2 processes on 2 machines" in ran.stderr
    here = ("train", root / "rows.csv", "--out", root / "here", "--model", root / "model", *FLAGS)
    bertline(*here, "--processes", "2", environment={**os.environ, "OMP_NUM_THREADS": "1"})
    assert weights(root / "trained") == weights(root / "here")
