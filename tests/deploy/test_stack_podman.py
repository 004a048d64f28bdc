"""A stack of containers under load: one is killed, and all are upgraded to another image, and no request is lost."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bertline.testing.tiny import write_tiny_bundle
from tests.deploy.containers import Podman, inspected
from tools.stack_clients import Clients, clients, percentile_ms
from tools.stack_podman import PodmanStack, running

pytestmark = pytest.mark.drill

IMAGES = ("localhost/bertline-stack-drill:a", "localhost/bertline-stack-drill:b")
TEXTS = ["a film", "it is", "one of the best of them", "so it is on an off"]
IN_FLIGHT = 12


@pytest.fixture(scope="module")
def podman() -> Podman:
    return Podman()


@pytest.fixture(scope="module")
def images(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Of two models with the same name."""
    place = tmp_path_factory.mktemp("images")
    for seed, tag in enumerate(IMAGES):
        write_tiny_bundle(place / str(seed) / "model", engine=True, seed=seed)
        podman.build(place / str(seed) / "model", place / str(seed) / "image", tag)
    yield IMAGES
    for tag in IMAGES:
        podman("image", "rm", "--force", tag)


@pytest.fixture(scope="module")
def stack(podman: Podman, images: tuple[str, str]) -> Iterator[PodmanStack]:
    with tempfile.TemporaryDirectory(prefix="bertline-stack-") as place, pytest.MonkeyPatch.context() as patch:
        for name, value in podman.environ.items():
            patch.setenv(name, value)
        Path(place).chmod(0o755)
        with running(Path(place) / "stack", images[0], "stack-drill") as one:
            yield one


def under_load(stack: PodmanStack) -> AbstractContextManager[Clients]:
    return clients(stack.url, stack.authority, stack.keys["predict"], TEXTS, IN_FLIGHT)


def until(load: Clients, more: int) -> None:
    load.until(len(load.answers) + more)


def test_both_containers_answer_and_are_hardened(podman: Podman, stack: PodmanStack) -> None:
    with under_load(stack) as load:
        until(load, 600)
    assert load.lost == 0, (load.errors, load.refusals())
    counted = 'sum by (instance) (bertline_http_requests_total{status="200", route="/v1/predict"})'
    stack.prometheus.until(f"count({counted} > 100) == 2")
    for name in stack.replicas.names:
        found = inspected(podman, "container", f"stack-drill-{name}")
        host = json.loads(json.dumps(found["HostConfig"]))
        assert (host["ReadonlyRootfs"], host["Memory"]) == (True, 2**30)
        assert found["EffectiveCaps"] in ([], None)


def test_a_container_that_is_killed_loses_no_request_and_starts_again(stack: PodmanStack) -> None:
    first = stack.replicas.names[0]
    with under_load(stack) as load:
        until(load, 300)
        began_s = time.monotonic()
        stack.replicas.kill(first)
        until(load, 600)
        stack.replicas.until_ready(first)
        ended_s = time.monotonic()
        until(load, 300)
    assert load.lost == 0, (load.errors, load.refusals())
    assert load.mixed() == 0
    assert stack.replicas.inspected(first, "{{.RestartCount}}") == "1"
    print(f"killed: {len(load.answers)} answers, p99 {percentile_ms(load.answers, 99):.0f} ms, ", end="")
    print(f"ready again after {ended_s - began_s:.1f} s")


def test_an_upgrade_to_another_image_loses_and_mixes_nothing(stack: PodmanStack, images: tuple[str, str]) -> None:
    with under_load(stack) as load:
        until(load, 300)
        before = {one.version for one in load.answers}
        began_s = time.monotonic()
        stack.replicas.upgrade(images[1])
        seconds = time.monotonic() - began_s
        upgraded = len(load.answers)
        until(load, 300)
    assert load.lost == 0, (load.errors, load.refusals())
    assert load.mixed() == 0
    after = {one.version for one in load.answers[upgraded + IN_FLIGHT :]}
    assert len(before) == len(after) == 1
    assert before != after
    print(f"upgrade: {len(load.answers)} answers, p99 {percentile_ms(load.answers, 99):.0f} ms, {seconds:.1f} s")
