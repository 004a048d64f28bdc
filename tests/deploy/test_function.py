"""The image as a function of AWS Lambda, under Amazon's own emulator of the runtime."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bertline.inference.load import load_predictor
from tests.deploy.containers import ROOT, Container, Podman, trained

pytestmark = pytest.mark.drill

TAG = "localhost/bertline-drill:function"
INVOKE = "/2015-03-31/functions/function/invocations"
TEXTS = ["a warm film", "a dull film"]
COLD_STARTS, CALLS = 5, 200


@pytest.fixture(scope="module")
def emulator() -> Path:
    environ = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}  # the test run's own
    done = subprocess.run(
        ["tools/lambda_emulator.sh"], cwd=ROOT, env=environ, check=True, capture_output=True, text=True
    )
    return Path(done.stdout.split()[-1])


@pytest.fixture(scope="module")
def podman() -> Podman:
    return Podman()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def image(podman: Podman, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield podman.build(bundle, tmp_path_factory.mktemp("image") / "image", TAG)
    podman("image", "rm", "--force", TAG)


def options(emulator: Path) -> tuple[str, ...]:
    """As Lambda runs a container: a read-only root but for /tmp; the emulator is mounted."""
    return (
        *("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=1g", "--no-healthcheck"),
        *(f"--volume={emulator}:/rie:ro", "--entrypoint=/rie", "--publish=127.0.0.1::8080"),
    )


def command(model: str = "/models/films") -> tuple[str, ...]:
    return ("python3", "-m", "bertline.deploy.function", model)


def invoke(server: Container, event: object) -> httpx.Response:
    """The first one starts the function."""
    url = f"http://{server.podman('port', server.id, '8080')}{INVOKE}"
    end_s = time.monotonic() + 30
    while True:
        try:
            return httpx.post(url, json=event, timeout=60)
        except httpx.ConnectError:  # the emulator does not listen yet
            assert time.monotonic() < end_s
            time.sleep(0.01)


def test_it_answers_events_and_http_events(podman: Podman, image: str, bundle: Path, emulator: Path) -> None:
    predictor = load_predictor(bundle)
    with podman.running(*options(emulator), image, *command()) as server:
        answer = invoke(server, {"texts": TEXTS}).json()
        assert answer["model"] == {"name": "films", "version": predictor.version}
        assert [one["label"] for one in answer["predictions"]] == [one.label for one in predictor.predict(TEXTS)]
        http = invoke(server, {"requestContext": {}, "body": json.dumps({"texts": TEXTS})}).json()
        assert json.loads(http["body"]) == answer
        assert invoke(server, {"text": ""}).json()["errorType"] == "BadRequest"


def test_the_figures_of_the_guide(podman: Podman, image: str, bundle: Path, emulator: Path) -> None:
    """Printed with ``-s``; docs/deploying.md has them."""
    cold_s = []
    for _ in range(COLD_STARTS):
        with podman.running(*options(emulator), image, *command()) as server:
            time.sleep(1.0)  # the emulator listens; it starts the function at the first event
            begin_s = time.perf_counter()
            assert "predictions" in invoke(server, {"text": TEXTS[0]}).json()
            cold_s.append(time.perf_counter() - begin_s)
    with podman.running(*options(emulator), image, *command()) as server:
        url = f"http://{podman('port', server.id, '8080')}{INVOKE}"
        invoke(server, {"text": TEXTS[0]})
        with httpx.Client() as client:
            warm_ms = sorted(_timed_ms(lambda: client.post(url, json={"text": TEXTS[0]})) for _ in range(CALLS))
    predictor = load_predictor(bundle, lanes=1)
    engine_ms = sorted(_timed_ms(lambda: predictor.predict(TEXTS[:1])) for _ in range(CALLS))
    figures = {
        "cold_start_s": sorted(cold_s),
        "call_ms": statistics.median(warm_ms),
        "engine_ms": statistics.median(engine_ms),
    }
    print(json.dumps(figures, indent=1))
    assert all(one > 0 for one in cold_s)


def _timed_ms(call: object) -> float:
    begin_s = time.perf_counter()
    assert callable(call)
    call()
    return (time.perf_counter() - begin_s) * 1e3
