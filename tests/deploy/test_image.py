"""The image, built and run for real: hardened, the same bytes twice, stopped under load, and with an altered model."""

from __future__ import annotations

import json
import re
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.deploy.containers import BASE, HARDENED, ROOT, Container, Podman, bertline, inspected, trained
from tests.service.load import loaded
from tests.stores.registry import registry
from tools.stack import free_ports

pytestmark = pytest.mark.drill

TAG = "localhost/bertline-drill:1"
OPEN = ("--env=BERTLINE_SERVE_INSECURE=true",)
BODIES = [{"text": f"a {word} film"} for word in ("warm", "dull", "quiet", "loud")]
STARTS = 5
MOST_BYTES = 250_000_000  # over the base, without the model
# Of every process in the container: whether it has ended and nobody has asked for its exit code.
ZOMBIES = """
import pathlib
stats = [one.read_text().rpartition(")")[2].split()[0] for one in pathlib.Path("/proc").glob("[0-9]*/stat")]
print(stats.count("Z"))
"""
KILL_WORKER = """
import os, pathlib, signal
for one in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if b"-m\\0bertline.serving.worker" in one.read_bytes():
        os.kill(int(one.parent.name), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def podman() -> Podman:
    return Podman()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def image(podman: Podman, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image's id."""
    yield podman.build(bundle, tmp_path_factory.mktemp("image") / "image", TAG)
    podman("image", "rm", "--force", TAG)


def test_a_second_build_has_the_same_id(podman: Podman, image: str, bundle: Path, tmp_path: Path) -> None:
    assert podman.build(bundle, tmp_path / "image", "localhost/bertline-drill:again", "--no-cache") == image
    podman("image", "rm", "localhost/bertline-drill:again")


def test_it_is_small_and_names_its_model(podman: Podman, image: str, bundle: Path) -> None:
    found = inspected(podman, "image", image)
    manifest = json.loads((bundle / "bertline.json").read_bytes())
    config = found["Config"]
    assert isinstance(config, dict)
    assert config["User"] == "65532:65532"
    assert config["Labels"]["org.opencontainers.image.title"] == "films"
    assert config["Labels"]["bertline.model.sha256"] == manifest["checksum"]
    model = sum(one.stat().st_size for one in bundle.rglob("*") if one.is_file())
    assert podman.size(image) - podman.size(BASE) - model < MOST_BYTES


def test_hardened_it_answers_and_is_healthy(podman: Podman, image: str) -> None:
    with podman.running(*HARDENED, *OPEN, image) as server:
        server.until_ready()
        answer = httpx.post(f"{server.url}/v1/predict", json={"text": "a warm film"})
        assert answer.status_code == 200
        assert {one["label"] for one in answer.json()["predictions"][0]["probabilities"]} == {"good", "bad"}
        podman("exec", server.id, "python3", "-m", "bertline.deploy.health")
        assert server.python("import os; print(os.getuid(), os.access('/', os.W_OK))") == "65532 False"
        with pytest.raises(AssertionError, match="no such file"):
            podman("exec", server.id, "/bin/sh", "-c", "true")
        assert "bertline" in server.python("print(open('/app/sbom.cdx.json').read())")
        written = podman("diff", server.id).splitlines()
        assert not [line for line in written if "/app" in line or "/models" in line]


def test_a_worker_that_was_killed_is_replaced_and_leaves_no_zombie(podman: Podman, image: str) -> None:
    with podman.running(*HARDENED, *OPEN, image) as server:
        server.until_ready()
        server.python(KILL_WORKER)
        time.sleep(0.5)  # until readiness fails
        server.until_ready()
        assert httpx.post(f"{server.url}/v1/predict", json=BODIES[0]).status_code == 200
        assert server.python(ZOMBIES) == "0"


def test_stopped_under_load_it_loses_nothing(podman: Podman, image: str) -> None:
    with podman.running(*HARDENED, *OPEN, image) as server:
        server.until_ready()
        with loaded(server.url, BODIES, clients=12) as load:
            load.until(200)
            podman("stop", "--time=30", server.id)
        assert load.lost == []
        assert load.statuses == {200}
        assert server.wait() == 0


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0])
def test_stopped_while_it_starts_it_ends(podman: Podman, image: str, after_s: float) -> None:
    """As process 1, a signal without a handler would have no effect, and 137 says that the grace period passed."""
    with podman.running(*HARDENED, *OPEN, "--env=BERTLINE_SERVE_DRAIN_S=0", image) as server:
        time.sleep(after_s)
        podman("stop", "--time=30", server.id)
        assert server.wait() in (0, 143)


def test_without_a_model_inside_it_fetches_one_by_its_hash(podman: Podman, bundle: Path, tmp_path: Path) -> None:
    """From a real registry; the image names the address, or the environment does."""
    tag = "localhost/bertline-drill:fetched"
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as host:
        pushed = bertline("models", "push", str(bundle), f"oci://{host}/models/films")
        [pin] = set(re.findall(r"@sha256:[0-9a-f]{64}", pushed))
        address = f"oci://{host}/models/films{pin}"
        podman.build(address, tmp_path / "image", tag)
        writable = ("--network=host", "--tmpfs=/tmp", "--env=BERTLINE_SERVE_HOST=127.0.0.1")
        [port] = free_ports(1)
        for named in (address, f"oci://{host}/models/films@sha256:{'0' * 64}"):
            given = (*HARDENED, *OPEN, *writable, f"--env=BERTLINE_SERVE_PORT={port}", f"--env=BERTLINE_MODEL={named}")
            one = Container(podman, podman("run", "--detach", *given, tag))
            try:
                if named == address:
                    one.until_ready(f"http://127.0.0.1:{port}/health/ready")
                    answer = httpx.post(f"http://127.0.0.1:{port}/v1/predict", json=BODIES[0])
                    assert answer.status_code == 200
                else:
                    assert one.wait() == 1
                    assert "Traceback" not in one.logs()
            finally:
                podman("rm", "--force", "--time=0", one.id)
    podman("image", "rm", tag)


def test_an_altered_model_is_refused_in_one_sentence(podman: Podman, image: str, bundle: Path, tmp_path: Path) -> None:
    altered = tmp_path / "films"
    shutil.copytree(bundle, altered)
    (altered / "model.safetensors").chmod(0o644)
    with (altered / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, 2)
        last = weights.read(1)
        weights.seek(-1, 2)
        weights.write(bytes([last[0] ^ 1]))
    with podman.running(*HARDENED, *OPEN, f"--volume={altered}:/models/films:ro", image) as server:
        assert server.wait() == 1
        sentence = "model.safetensors in /models/films was altered after the bundle was written"
        assert f"error: {sentence}: copy or download the bundle again" in server.logs()
        assert "Traceback" not in server.logs()


def test_it_serves_as_sagemaker_and_knative_start_it(podman: Podman, image: str) -> None:
    """The port from the environment, no argument but serve, and no time to drain (examples/knative.yaml)."""
    service = yaml.safe_load((ROOT / "examples" / "knative.yaml").read_text(encoding="utf-8"))
    [container] = service["spec"]["template"]["spec"]["containers"]
    environ = [f"--env={one['name']}={one['value']}" for one in container["env"]]
    port = container["ports"][0]["containerPort"]
    with podman.running(*HARDENED, *environ, f"--publish=127.0.0.1::{port}", image, "serve") as server:
        url = f"http://{podman('port', server.id, str(port))}"
        server.until_ready(url + container["startupProbe"]["httpGet"]["path"])
        assert httpx.get(f"{url}/ping").status_code == 200
        answer = httpx.post(f"{url}/invocations", json={"inputs": "a warm film"})
        assert answer.json()[0]["label"] in {"good", "bad"}


def test_without_authentication_it_does_not_start(podman: Podman, image: str) -> None:
    with podman.running(*HARDENED, image) as server:
        assert server.wait() == 2
        assert "error: other machines can reach 0.0.0.0:8000 without authentication" in server.logs()


def test_the_figures_of_the_guide(podman: Podman, image: str, bundle: Path) -> None:
    """Printed with ``-s``; docs/deploying.md has them."""
    starts_s = []
    for _ in range(STARTS):
        begin_s = time.monotonic()
        with podman.running(*HARDENED, *OPEN, image) as server:
            server.until_ready()
            assert httpx.post(f"{server.url}/v1/predict", json=BODIES[0]).status_code == 200
            starts_s.append(time.monotonic() - begin_s)
    model = sum(one.stat().st_size for one in bundle.rglob("*") if one.is_file())
    figures = {
        "image_mb": podman.size(image) / 1e6,
        "over_base_mb": (podman.size(image) - podman.size(BASE)) / 1e6,
        "model_mb": model / 1e6,
        "start_to_first_answer_s": statistics.median(starts_s),
        "longest_s": max(starts_s),
    }
    print(json.dumps(figures, indent=1))
    assert figures["over_base_mb"] - figures["model_mb"] < MOST_BYTES / 1e6
