"""The chart on a real cluster: that of BERTLINE_TEST_KUBECONFIG, for example one of kind.

An API server is enough for the first tests. Those that need running pods also want BERTLINE_TEST_IMAGE, a reference
that the cluster's nodes can run, and BERTLINE_TEST_BUNDLE, the directory of the bundle in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bertline.bundle import load
from bertline.deploy.chart import files, image_of
from bertline.deploy.measuring import example_of
from bertline.destination import write_files
from tests.deploy.cluster import Cluster, cluster_of
from tests.deploy.kubernetes import of_kind, write_chart
from tests.unit.deploy.charts import DIGEST, MEASURED, written

pytestmark = pytest.mark.cluster

CASES = sorted(path[3:-12] for path in written() if path.startswith("ci/"))
PINNED = ("--set", f"image.digest={DIGEST}")
SMALL = (
    "--set", "resources.requests.cpu=250m", "--set", "resources.limits.cpu=1", "--set", "startup.seconds=300",
)  # fmt: skip


def given(name: str) -> str:
    """A variable of the environment, without which the test is skipped."""
    value = os.environ.get(name)
    return value or pytest.skip(f"{name} is not set: it names what the tests of a real cluster use")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with cluster_of(Path(given("BERTLINE_TEST_KUBECONFIG"))) as one:
        yield one


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    return write_chart(tmp_path / "reviews")


class Release:
    """The chart of the bundle that is in the image, and what its pods are asked."""

    def __init__(self, directory: Path) -> None:
        bundle = load(Path(given("BERTLINE_TEST_BUNDLE")))
        self.image = given("BERTLINE_TEST_IMAGE")
        write_files(files(bundle, MEASURED, image_of(self.image)), directory, "the chart")
        self.chart, self.body = directory, example_of(bundle)
        self.values = ("--set", "image.allowTag=true", "--set", "fullnameOverride=reviews", *SMALL)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    given("BERTLINE_TEST_KUBECONFIG")
    return Release(tmp_path / "release")


def replicas(cluster: Cluster) -> int:
    """The number of replicas that the Deployment asks for."""
    return int(cluster.get("deployment", "reviews")["spec"]["replicas"])


@pytest.mark.parametrize("name", CASES)
def test_the_api_server_accepts_every_case(cluster: Cluster, chart: Path, name: str) -> None:
    values = chart / "ci" / f"{name}-values.yaml"
    text = cluster.done(cluster.helm("template", "reviews", chart, "--values", values))
    objects = [one for one in yaml.safe_load_all(text) if one]
    served = [one for one in objects if cluster.serves(one["apiVersion"])]
    assert len(served) >= 5
    done = cluster.apply(served, "--dry-run=server")
    assert done.returncode == 0, done.stderr
    assert "would violate PodSecurity" not in done.stderr


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        ("PodDisruptionBudget", {"minAvailable": 1, "maxUnavailable": 1}, "mutually exclusive"),
        ("HorizontalPodAutoscaler", {"minReplicas": 9, "maxReplicas": 3}, "minReplicas"),
    ],
)
def test_the_api_server_refuses_what_the_schema_refuses(
    cluster: Cluster, chart: Path, kind: str, change: dict[str, Any], sentence: str
) -> None:
    values = chart / "ci" / "hpa-values.yaml"
    text = cluster.done(cluster.helm("template", "reviews", chart, "--values", values))
    one = of_kind([one for one in yaml.safe_load_all(text) if one], kind)
    one["spec"].update(change)
    done = cluster.apply([one], "--dry-run=server")
    assert done.returncode != 0
    assert sentence in done.stderr


def test_an_upgrade_leaves_the_autoscalers_number_alone(cluster: Cluster, chart: Path) -> None:
    hpa = ("--set", "autoscaling.hpa.enabled=true", "--set", "autoscaling.minReplicas=1")
    cluster.done(cluster.helm("install", "reviews", chart, *PINNED, *hpa))
    cluster.done(cluster.kubectl("scale", "deployment/reviews", "--replicas=5"))  # as the autoscaler does it
    done = cluster.helm("upgrade", "reviews", chart, *PINNED, *hpa, "--set", "podAnnotations.turn=second")
    assert "conflict" not in cluster.done(done) + done.stderr
    assert replicas(cluster) == 5
    cluster.done(cluster.helm("rollback", "reviews", "1"))
    assert replicas(cluster) == 5


def test_replicas_that_were_handed_over_survive_turning_an_autoscaler_on(cluster: Cluster, chart: Path) -> None:
    cluster.done(cluster.helm("install", "reviews", chart, *PINNED, "--set", "replicas=3"))
    handed = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "reviews"}, "spec": {"replicas": 3},
    }  # fmt: skip
    cluster.done(cluster.apply([handed], "--field-manager=autoscaler"))
    hpa = ("--set", "autoscaling.hpa.enabled=true", "--set", "autoscaling.minReplicas=3")
    cluster.done(cluster.helm("upgrade", "reviews", chart, *PINNED, *hpa))
    assert replicas(cluster) == 3
    back = ("--set", "replicas=2", "--force-conflicts")
    cluster.done(cluster.helm("upgrade", "reviews", chart, *PINNED, *back))
    assert replicas(cluster) == 2


def test_an_upgrade_and_a_rollback_under_load_lose_nothing(cluster: Cluster, release: Release) -> None:
    wait = ("--wait", "--timeout", "5m")
    cluster.done(cluster.helm("install", "reviews", release.chart, *release.values, *wait))
    assert "answered by" in cluster.done(cluster.helm("test", "reviews", "--logs"))
    cluster.load(release.image, "http://reviews/v1/predict", release.body, seconds=150)
    changed = ("--set", "podAnnotations.turn=second")
    cluster.done(cluster.helm("upgrade", "reviews", release.chart, *release.values, *changed, *wait))
    cluster.done(cluster.helm("rollback", "reviews", "1", *wait))
    result = cluster.loaded(patience_s=300)
    assert result["lost"] == []
    assert result["answered"] > 100
    assert "answered by" in cluster.done(cluster.helm("test", "reviews", "--logs"))


def test_a_bad_upgrade_never_takes_a_request(cluster: Cluster, release: Release) -> None:
    cluster.done(cluster.helm("install", "reviews", release.chart, *release.values, "--wait", "--timeout", "5m"))
    cluster.load(release.image, "http://reviews/v1/predict", release.body, seconds=90)
    wrong = ("--set", "model.source.path=/models/none", "--set", "startup.seconds=20")
    done = cluster.helm(
        "upgrade", "reviews", release.chart, *release.values, *wrong, "--rollback-on-failure", "--timeout", "60s"
    )
    assert done.returncode != 0
    result = cluster.loaded(patience_s=240)
    assert result["lost"] == []
    assert "answered by" in cluster.done(cluster.helm("test", "reviews", "--logs"))


def test_a_canary_answers_beside_the_stable_release(cluster: Cluster, release: Release) -> None:
    wait = ("--wait", "--timeout", "5m")
    cluster.done(cluster.helm("install", "reviews", release.chart, *release.values, *wait))
    canary = ("--set", "fullnameOverride=next", "--set", "canary.of=reviews", "--set", "replicas=1")
    cluster.done(cluster.helm("install", "next", release.chart, *release.values, *canary, *wait))
    slices = "endpointslices", "--selector", "kubernetes.io/service-name=reviews", "--output", "json"
    found = yaml.safe_load(cluster.done(cluster.kubectl("get", *slices)))["items"]
    assert sum(len(one["endpoints"]) for one in found) == 3
    assert "answered by" in cluster.done(cluster.helm("test", "next", "--logs"))
    cluster.load(release.image, "http://reviews/v1/predict", release.body, seconds=60)
    cluster.done(cluster.helm("uninstall", "next", "--wait"))
    assert cluster.loaded(patience_s=200)["lost"] == []


def test_hpa_adds_replicas_under_load_and_removes_them_after_it(cluster: Cluster, release: Release) -> None:
    if cluster.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes").returncode != 0:
        pytest.skip("this cluster has no metrics-server, which HPA reads")
    hpa = (
        "--set", "autoscaling.hpa.enabled=true", "--set", "autoscaling.minReplicas=1",
        "--set", "autoscaling.maxReplicas=3", "--set", "autoscaling.scaleDownAfterSeconds=15",
    )  # fmt: skip
    wait = ("--wait", "--timeout", "5m")
    cluster.done(cluster.helm("install", "reviews", release.chart, *release.values, *hpa, *wait))
    cluster.load(release.image, "http://reviews/v1/predict", release.body, seconds=240)
    cluster.until("HPA adds replicas", lambda: replicas(cluster) > 1)
    result = cluster.loaded(patience_s=400)
    cluster.until("HPA removes replicas", lambda: replicas(cluster) == 1, patience_s=600)
    assert result["lost"] == []
