"""A RayJob against the schemas of its parts, and its pods run by podman as KubeRay would run them."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from bertline.deploy.chart import Image
from bertline.deploy.ray_job import RayJob
from bertline.testing.tiny import write_tiny_bundle
from tests.deploy.containers import BUILDER, Container, Podman
from tests.deploy.kuberay import faults_of_rayjob, pods_of
from tests.deploy.kubernetes import faults_of_kubernetes, run, tool
from tests.unit.deploy.charts import DIGEST
from tests.unit.distributed.conftest import rows_of, write_table

pytestmark = pytest.mark.drill

TAG = "localhost/bertline-batch-ray-drill:1"
COMMAND = ("predict", "tiny", "--input", "in.csv", "--output", "out put.csv", "--shard-rows", "300")
PATIENCE_S = 600.0
STARTED = "Ray runtime started"
# Checks of checkov that a pod of a job fails, and why.
REASONED = {("CKV_K8S_8", "submitter"), ("CKV_K8S_9", "submitter")}  # it ends by itself and serves nothing


def job(**changes: Any) -> RayJob:
    given: dict[str, Any] = {
        "name": "nightly", "image": Image("registry.example.com/bertline-batch", "", DIGEST), "command": COMMAND,
        "workers": 2, "cores": 1, "memory": "2Gi", "claim": "shared", **changes,
    }  # fmt: skip
    return RayJob(**given)


def test_its_parts_fit_the_schemas(tmp_path: Path) -> None:
    for made, policy in (job().objects(), job(gpus=1, secret="keys", account="reader").objects()):
        assert faults_of_rayjob(made) == []
        metadata = {"name": "pod"}
        pods = [
            {"apiVersion": "v1", "kind": "PodTemplate", "metadata": metadata, "template": one}
            for one in pods_of(made).values()
        ]
        assert faults_of_kubernetes([policy, *pods], tmp_path) == []


def test_checkov_objects_to_nothing_without_a_reason(tmp_path: Path) -> None:
    made, policy = job().objects()
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **one["metadata"],
                "name": one["metadata"]["labels"]["app.kubernetes.io/component"],
                "namespace": "a",
            },
            "spec": one["spec"],
        }
        for one in pods_of(made).values()
    ]
    policy["metadata"]["namespace"] = "a"
    (tmp_path / "job.yaml").write_text(yaml.safe_dump_all(json.loads(json.dumps([policy, *pods]))), encoding="utf-8")
    done = run(
        [tool("venv/bin/checkov"), "--framework", "kubernetes", "--skip-download", "-d", tmp_path, "-o", "json"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    result = json.loads(done.stdout)["results"]
    failed = {(one["check_id"], one["resource"].split(".")[-1]) for one in result["failed_checks"]}
    assert failed == REASONED
    assert len(result["passed_checks"]) > 150


@pytest.fixture(scope="module")
def podman() -> Podman:
    return Podman()


@pytest.fixture(scope="module")
def image(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with Ray, on a base with bash."""
    place = tmp_path_factory.mktemp("batch") / "image"
    podman.build(None, place, TAG, "--build-arg=EXTRA=ray", target="batch", base=BUILDER)
    print(f"{podman.size(TAG) / 1e6:.0f} MB with its base")
    yield TAG
    podman("image", "rm", "--force", TAG)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The volume of all pods."""
    work = tmp_path / "work"
    work.mkdir()
    write_tiny_bundle(work / "tiny")
    write_table(work / "in.csv", rows_of(2_000))
    return work


def flags_of(template: dict[str, Any], network: str, work: Path, token: str) -> list[str]:
    """What podman has to be told so that a container is as its pod says."""
    [one] = template["spec"]["containers"]
    user = template["spec"]["securityContext"]["runAsUser"]
    subprocess.run(["chown", "-R", f"{user}:{user}", str(work)], check=True)
    variables = {entry["name"]: entry["value"] for entry in one["env"]}
    variables |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}  # by authOptions
    assert one["securityContext"]["readOnlyRootFilesystem"] is True
    assert [mount["mountPath"] for mount in one["volumeMounts"]] == ["/tmp", "/data"]
    return [
        *(f"--network={network}", f"--user={user}:{user}", f"--workdir={one['workingDir']}"),
        *("--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
        *("--tmpfs=/tmp:rw,mode=1777", f"--volume={work}:/data", "--shm-size=512m", "--pids-limit=2048"),
        *("--no-healthcheck", f"--memory={one['resources']['limits']['memory'].removesuffix('i').lower()}"),
        *(f"--env={name}={value}" for name, value in variables.items()),
    ]


@contextmanager
def node(podman: Podman, name: str, flags: list[str], start: str, params: dict[str, str]) -> Iterator[None]:
    """A pod of a group: KubeRay's command in place of the image's. One that fails is started again, as kubelets do."""
    words = " ".join(f"--{key}={value}" for key, value in params.items())
    command = f"ulimit -n 65536; ray start {start} {words} --metrics-export-port=8080 --block"
    one = Container(
        podman, podman("run", "--detach", f"--name={name}", *flags, "--entrypoint=/bin/bash", TAG, "-c", command)
    )
    try:
        end_s = time.monotonic() + PATIENCE_S
        while STARTED not in one.logs():
            assert time.monotonic() < end_s, one.logs()[-3000:]
            if podman("inspect", "--format={{.State.Running}}", one.id) != "true":
                podman("start", one.id)
            time.sleep(1)
        yield
    finally:
        podman("rm", "--force", "--time=0", one.id)


def test_its_pods_answer_every_row_as_one_process_does(podman: Podman, image: str, work: Path) -> None:
    made = job(image=Image("localhost/bertline-batch-ray-drill", "1", DIGEST), workers=1, memory="1Gi").objects()[0]
    spec, pods = made["spec"], pods_of(made)
    cluster, network = spec["rayClusterSpec"], f"ray-{secrets.token_hex(3)}"
    token = secrets.token_hex(32)
    flags = {name: flags_of(pod, network, work, token) for name, pod in pods.items()}
    head, [group] = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    url = f"http://{network}-head:8265"
    submit = (  # as KubeRay's controllers/ray/common/job.go does it: the entrypoint goes through bash as it is
        f"ray job submit --address {url} --submission-id one --no-wait -- {spec['entrypoint']} ; "
        f"ray job logs --address {url} --follow one ; ray job status --address {url} one"
    )
    podman("network", "create", "--internal", network)
    try:
        with ExitStack() as stack:
            own = {"dashboard-host": head["rayStartParams"]["dashboard-host"]}
            assert head["rayStartParams"].items() >= own.items()
            stack.enter_context(node(podman, f"{network}-head", flags["ray-head"], "--head", head["rayStartParams"]))
            address = {"address": f"{network}-head:6379", "num-cpus": "1", **group["rayStartParams"]}
            for number in range(group["replicas"]):
                stack.enter_context(node(podman, f"{network}-{number}", flags["ray-worker"], "", address))
            print(podman("stats", "--no-stream", "--format={{.Name}} {{.MemUsage}}"))
            said = podman(
                "run", "--rm", *flags["ray-job-submitter"], "--entrypoint=/bin/bash", TAG, "-c", submit
            )  # fmt: skip
            print(podman("stats", "--no-stream", "--format={{.Name}} {{.MemUsage}}"))
    finally:
        podman("network", "rm", "--force", network)
    assert "succeeded" in said, said
    assert "2,000 rows: out put.csv" in said.replace("/data/", ""), said
    plain = work.parent / "plain.csv"
    command = [sys.executable, "-m", "bertline.cli.main", "predict", str(work / "tiny")]
    subprocess.run([*command, "--input", str(work / "in.csv"), "--output", str(plain)], check=True, capture_output=True)
    assert (work / "out put.csv").read_bytes() == plain.read_bytes()
