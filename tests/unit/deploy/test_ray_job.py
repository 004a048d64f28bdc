"""The RayJob of a command; tests/deploy/test_ray_job.py validates it and runs its pods."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bertline.deploy.chart import Image
from bertline.deploy.ray_job import RAY, RayJob, manifest, memory_of
from bertline.errors import UsageError
from tests.deploy.kuberay import faults_of_rayjob
from tests.unit.deploy.charts import DIGEST, MEASURED

ROOT = Path(__file__).parents[3]
IMAGE = Image("registry.example.com/bertline-batch", "", DIGEST)
PREDICT = ("predict", "s3://models/reviews", "--input", "s3://data/new", "--output=s3://data/scored")
TRAIN = ("train", "rows.csv", "--out", "reviews")


def job(**changes: Any) -> RayJob:
    given: dict[str, Any] = {
        "name": "nightly",
        "image": IMAGE,
        "command": PREDICT,
        "workers": 3,
        "cores": 4,
        "memory": "6Gi",
        **changes,
    }
    return RayJob(**given)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"command": TRAIN, "claim": "shared", "gpus": 2, "limit_s": 3600},
        {"secret": "keys", "account": "reader", "variables": {"AWS_REGION": "eu-central-1"}},
    ],
    ids=["predict", "train", "keys"],
)
def test_the_api_of_kuberay_takes_the_job(changes: dict[str, Any]) -> None:
    made, policy = job(**changes).objects()
    assert faults_of_rayjob(made) == []
    assert (made["kind"], policy["kind"]) == ("RayJob", "NetworkPolicy")
    spec = made["spec"]
    assert (spec["shutdownAfterJobFinishes"], spec["ttlSecondsAfterFinished"], spec["backoffLimit"]) == (True, 600, 3)
    [group] = spec["rayClusterSpec"]["workerGroupSpecs"]
    assert group["replicas"] == group["minReplicas"] == group["maxReplicas"] == 3
    assert spec["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_the_validator_sees_faults() -> None:
    made = job().objects()[0]
    made["spec"]["shutdownAfterJobFinished"] = True
    made["spec"]["rayClusterSpec"] |= {"rayVersion": "2.51.1"}
    made["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["replicas"] = "3"
    faults = " ".join(faults_of_rayjob(made))
    for part in ("'shutdownAfterJobFinished' was unexpected", '"3" is not of type "integer"', "needs Ray 2.52.0"):
        assert part in faults


def test_the_version_of_ray_is_that_of_the_image() -> None:
    lock = (ROOT / "requirements" / "batch-ray.txt").read_text(encoding="utf-8")
    assert re.search(r"^ray==(\S+)", lock, re.MULTILINE)[1] == RAY  # type: ignore[index]
    assert re.search(r"^opencensus==", lock, re.MULTILINE)  # of its dashboard, which takes the jobs


def test_a_training_gets_a_process_for_each_worker_and_resumes() -> None:
    trained = job(command=TRAIN, claim="shared", gpus=2)
    assert trained.entrypoint == "bertline train rows.csv --out reviews --ray auto --processes 6 --resume"
    own = job(command=(*TRAIN, "--processes", "2"), claim="shared")
    assert own.entrypoint == "bertline train rows.csv --out reviews --processes 2 --ray auto --resume"
    assert job().entrypoint == f"bertline {' '.join(PREDICT)} --ray auto"


def test_a_word_with_spaces_stays_one_word() -> None:
    assert '--text-column "full text" --ray' in job(command=(*PREDICT, "--text-column", "full text")).entrypoint


def test_the_store_is_reached_by_its_port() -> None:
    def ports(**variables: str) -> list[Any]:
        return [
            port["port"]
            for one in job(variables=variables).objects()[1]["spec"]["egress"]
            for port in one.get("ports", ())
        ]

    assert ports() == [53, 53, 443]
    assert ports(AWS_ENDPOINT_URL="http://store:8333/x") == [53, 53, 8333]
    assert ports(AWS_ENDPOINT_URL="http://store") == [53, 53, 80]
    closed = job(command=TRAIN, claim="shared").objects()[1]["spec"]["egress"]
    assert [port["port"] for one in closed for port in one.get("ports", ())] == [53, 53]


def test_the_file_explains_itself_and_repeats_nothing_by_reference() -> None:
    text = manifest(job())
    assert text.startswith("# bertline predict s3://models/reviews")
    assert "kubectl logs -f -l job-name=nightly -c ray-job-submitter" in text
    assert [*yaml.safe_load_all(text)] == job().objects()
    assert "&id" not in text


def test_memory_is_measured_and_grows_with_the_cores() -> None:
    # 363 MB are 346.2 MiB; 768 + 4 × 1.25 × 346.2 = 2,499, rounded up to 64
    assert memory_of(MEASURED, 4) == "2560Mi"
    assert memory_of(MEASURED, 1) == "1216Mi"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"name": "Nightly"},
            "'Nightly' cannot name a RayJob: give at most 47 lower-case letters, digits and hyphens, beginning with a "
            "letter",
        ),
        (
            {"image": Image("hub/batch", "1")},
            "hub/batch could be replaced by other content between two pods: give the image with its digest, @sha256:…, "
            "as the registry shows it after the push",
        ),
        ({"memory": "6G"}, "6G is not an amount of memory: give it as 512Mi or 6Gi"),
        (
            {"command": ("serve", "x")},
            "serve is not a command that runs on Ray: give one of predict, evaluate, optimize, train, distill, "
            "pretrain after --",
        ),
        (
            {"command": (*PREDICT, "--ray", "auto")},
            "--ray is set by the job, whose cluster has no address before it runs: leave it out",
        ),
        (
            {"command": (*PREDICT, "--label-column", "a$b")},
            "'a$b' has a character that a shell would interpret, and KubeRay passes commands through two of them: "
            "rename it, or set it in bertline.toml",
        ),
        (
            {"command": ("train", "/srv/rows.csv"), "claim": "shared"},
            "/srv/rows.csv is not on the volume of all pods, which is mounted at /data: name a path below it",
        ),
        (
            {"command": TRAIN},
            "train needs files that all pods share: name a ReadWriteMany claim with --claim",
        ),
        (
            {"command": ("predict", "s3://models/reviews", "--input", "s3://data/new", "--output", "scored")},
            "--output is scored, and the pods share no files: give an s3:// address, or a ReadWriteMany claim "
            "with --claim",
        ),
        (
            {"command": ("predict", "s3://models/reviews", "--output", "s3://data/scored", "--input")},
            "--input is missing, and the pods share no files: give an s3:// address, or a ReadWriteMany claim with "
            "--claim",
        ),
    ],
    ids=lambda one: "" if isinstance(one, str) else "-".join(one),
)
def test_what_would_not_run(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        job(**changes)
    assert str(raised.value) == message
