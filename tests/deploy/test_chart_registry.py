"""The chart's values for a registry, as rendered, in a process: a real PostgreSQL, a real bucket, signed versions.

The process has the container's arguments and nothing but its variables. Only what belongs to the pod is replaced: its
directories by some of the test's, and its address by one of this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bertline.bundle import load
from bertline.testing.tiny import write_tiny_bundle
from tests.deploy.kubernetes import of_kind, rendered, write_chart
from tests.distributed.commands import bertline
from tests.service.postgres import new_database, postgres_url
from tests.stores.seaweedfs import OWNER, seaweedfs

pytestmark = pytest.mark.drill

__all__ = ["postgres_url"]
PATIENCE_S = 300.0
ROOT = Path(__file__).parents[2]


def container(directory: Path, port: int) -> dict[str, Any]:
    """The server's container of the chart with the values that it ships for a registry, and a store on this machine."""
    chart = write_chart(directory / "chart")
    values = (
        "--values", chart / "ci" / "registry-values.yaml",
        "--set", "model.source.credentialsSecret=reviews-keys",
        "--set", f"model.source.variables.AWS_ENDPOINT_URL=http://127.0.0.1:{port}",
    )  # fmt: skip
    [one] = of_kind(rendered(chart, *values), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert isinstance(one, dict)
    return one


@contextmanager
def run(one: dict[str, Any], secrets: dict[str, dict[str, str]], places: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Within: the container's command runs; yields where it answers, and the process."""

    def here(text: str) -> str:
        return re.sub("|".join(places), lambda match: places[match[0]], text)

    variables = {key: value for source in one["envFrom"] for key, value in secrets[source["secretRef"]["name"]].items()}
    for entry in one["env"]:
        key = entry.get("valueFrom", {}).get("secretKeyRef")
        variables[entry["name"]] = here(entry["value"]) if key is None else secrets[key["name"]][key["key"]]
    assert (variables["BERTLINE_SERVE_HOST"], variables["BERTLINE_SERVE_PORT"]) == ("0.0.0.0", "8000")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    variables |= {"BERTLINE_SERVE_HOST": "127.0.0.1", "BERTLINE_SERVE_PORT": port}
    python = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'src'}", "HOME": "/nonexistent"}
    command = [sys.executable, "-m", "bertline.cli.container", *one["args"]]
    log = Path(places["/models"]).parent / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command, env={**python, **variables}, cwd=here(one["workingDir"]), stdout=file, stderr=file
        )
    try:
        yield f"http://127.0.0.1:{port}", process
    except BaseException:
        print(log.read_text()[-4000:])
        raise
    finally:
        process.kill()
        process.wait()


def version_at(url: str) -> str:
    """The version that answers; every request must be answered."""
    answer = httpx.post(f"{url}/v1/predict", json={"text": "a warm film"}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.headers["X-Model-Version"]


def until_version(url: str, version: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while version_at(url) != version:
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def test_a_rendered_server_follows_the_champion_of_a_registry(tmp_path: Path, postgres_url: str) -> None:
    settings, models = tmp_path / "settings", tmp_path / "models"
    for directory in (settings, models):
        directory.mkdir()
    key = tmp_path / "release.key"
    bertline("models", "key", "new", key)
    shutil.copyfile(f"{key}.pub", settings / "release.pub")
    (settings / "bertline.toml").write_text("[serve]\nmax_batch_texts = 2\n", encoding="utf-8")
    (tmp_path / "weed").mkdir()
    with seaweedfs(tmp_path / "weed") as port:
        url = new_database(postgres_url)
        one = container(tmp_path, port)
        place = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        desk = {**os.environ, **OWNER, **place, "BERTLINE_REGISTRY": url, "BERTLINE_STORE": "s3://models/registry"}
        versions = []
        for number in (1, 2, 3):
            bundle = tmp_path / f"reviews-{number}"
            write_tiny_bundle(bundle, engine=True, seed=number, name="reviews")
            if number < 3:
                bertline("models", "sign", bundle, "--key", key)
            bertline("models", "add", bundle, "--name", "reviews", environment=desk)
            versions.append(load(bundle).version)
        bertline("models", "promote", "reviews:1", "--force", "the first", environment=desk)
        secrets = {"reviews-registry": {"url": url}, "reviews-keys": OWNER}
        places = {"/etc/bertline": str(settings), "/models": str(models)}
        with run(one, secrets, places) as (served, process):
            deadline_s = time.monotonic() + PATIENCE_S
            while not ready(served):
                assert process.poll() is None
                assert time.monotonic() < deadline_s
                time.sleep(0.2)
            assert version_at(served) == versions[0]
            assert refused_texts(served) == "too_many_texts"  # by the mounted file
            bertline("models", "promote", "reviews:2", "--force", "the second", environment=desk)
            until_version(served, versions[1])
            bertline("models", "promote", "reviews:3", "--force", "without a signature", environment=desk)
            time.sleep(10)  # several times as often as it looks
            assert version_at(served) == versions[1]
            bertline("models", "promote", "reviews:1", "--force", "back", environment=desk)
            until_version(served, versions[0])
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def refused_texts(url: str) -> str:
    code: str = httpx.post(f"{url}/v1/predict", json={"texts": ["a", "b", "c"]}, timeout=60).json()["error"]["code"]
    return code
