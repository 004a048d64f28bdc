"""The chart's pods with the real image, run by podman kube play: there is no cluster, but the same containers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bertline.bundle import load
from bertline.deploy.chart import files, image_of
from bertline.destination import write_files
from tests.deploy.containers import Container, Podman, inspected, trained
from tests.deploy.kubernetes import of_kind, rendered
from tests.unit.deploy.charts import MEASURED

pytestmark = pytest.mark.drill

TAG = "localhost/bertline-played:1"
SERVER, TEST = "reviews-pod-0-server", "reviews-prediction-prediction"  # podman's names of containers
LOCAL = (
    "--set", "image.allowTag=true", "--set", "image.pullPolicy=Never", "--set", "fullnameOverride=reviews",
    "--set", "replicas=1", "--set", "settingsSecret=reviews-settings",
)  # fmt: skip
# In place of the Secret: podman 4.3 mounts the values of Secrets encoded.
SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "reviews-settings"},
    "data": {"bertline.toml": "[serve]\nmax_batch_texts = 2\n"},
}


@pytest.fixture(scope="module")
def podman() -> Podman:
    return Podman()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def objects(podman: Podman, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """What the chart of the bundle renders, for the image of the bundle."""
    directory = tmp_path_factory.mktemp("image")
    podman.build(bundle, directory / "image", TAG)
    write_files(files(load(bundle), MEASURED, image_of(TAG)), directory / "chart", "the chart")
    yield rendered(directory / "chart", *LOCAL)
    podman("image", "rm", "--force", TAG)


@contextmanager
def played(podman: Podman, objects: list[dict[str, Any]], directory: Path) -> Iterator[None]:
    """Pods of these objects; removed at the end."""
    path = directory / "pods.yaml"
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    try:
        podman("kube", "play", str(path))
        yield
    finally:
        podman("kube", "play", "--down", str(path), check=False)


def address(podman: Podman, container: str) -> str:
    """The address of a container's pod in podman's network."""
    pod = podman("container", "inspect", "--format", "{{.Pod}}", container)
    infra: Any = inspected(podman, "container", podman("pod", "inspect", "--format", "{{.InfraContainerID}}", pod))
    return str(next(iter(infra["NetworkSettings"]["Networks"].values()))["IPAddress"])


def test_the_pods_answer_hardened_and_drain(
    podman: Podman, objects: list[dict[str, Any]], bundle: Path, tmp_path: Path
) -> None:
    deployment, test = of_kind(objects, "Deployment"), of_kind(objects, "Pod")
    pod = deployment["spec"]["template"]["spec"]
    settings = next(one for one in pod["volumes"] if one["name"] == "settings")
    settings["configMap"] = {"name": settings.pop("secret")["secretName"], "optional": False}
    port = pod["containers"][0]["ports"][0]
    port |= {"hostIP": "127.0.0.1", "hostPort": 18097}  # where the Service would be
    version = load(bundle).version
    with played(podman, [SETTINGS, deployment], tmp_path):
        server = Container(podman, SERVER)
        server.until_ready(f"{server.url}/readyz")
        answer = httpx.post(f"{server.url}/v1/predict", json={"text": "a warm film"}, timeout=60)
        assert (answer.status_code, answer.headers["X-Model-Version"]) == (200, version)
        many = httpx.post(f"{server.url}/v1/predict", json={"texts": ["a", "b", "c"]}, timeout=60)
        assert many.json()["error"]["code"] == "too_many_texts"  # by the mounted file
        state: Any = inspected(podman, "container", SERVER)
        assert state["HostConfig"]["ReadonlyRootfs"] is True
        assert (state["Config"]["User"], state["EffectiveCaps"] or []) == ("65532:65532", [])
        assert "no-new-privileges" in state["HostConfig"]["SecurityOpt"]
        assert state["HostConfig"]["Memory"] == 704 * 2**20

        variables = {one["name"]: one for one in test["spec"]["containers"][0]["env"]}
        variables["URL"]["value"] = f"http://{address(podman, SERVER)}:8000/v1/predict"
        for expected, code in ((version, 0), ("0" * 12, 1)):
            variables["VERSION"]["value"] = expected
            (tmp_path / expected).mkdir()
            with played(podman, [test], tmp_path / expected):
                prediction = Container(podman, TEST)
                assert prediction.wait() == code, prediction.logs()
                said = prediction.logs()
            assert (
                f"answered by {version}" in said
                if code == 0
                else f"no request was answered by version {expected}" in said
            )

        podman("stop", "--time=60", SERVER)
        assert json.loads(podman("inspect", SERVER))[0]["State"]["ExitCode"] == 0
