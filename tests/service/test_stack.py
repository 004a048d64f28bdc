"""A stack of real parts: nginx, PostgreSQL, Redis, Prometheus, and two servers that are killed, restarted, swapped.

``benchmarks/stack.py`` measures the same events with a real model.
"""

from __future__ import annotations

import signal
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from bertline.testing.tiny import write_tiny_bundle
from tools.stack import LocalStack, running
from tools.stack_clients import Clients, clients

pytestmark = pytest.mark.drill
TEXTS = ["a film", "it is", "one of the best of them", "so it is on an off"]
IN_FLIGHT = 12


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bertline-stack-") as one:
        Path(one).chmod(0o755)
        write_tiny_bundle(Path(one) / "a" / "model", engine=True)
        write_tiny_bundle(Path(one) / "b" / "model", engine=True, seed=1)
        yield Path(one)


@pytest.fixture(scope="module")
def stack(place: Path) -> Iterator[LocalStack]:
    with running(place / "stack", place / "a" / "model") as one:
        yield one


def under_load(stack: LocalStack) -> AbstractContextManager[Clients]:
    return clients(stack.url, stack.authority, stack.keys["predict"], TEXTS, IN_FLIGHT)


def until(load: Clients, more: int) -> None:
    load.until(len(load.answers) + more)


def test_nobody_predicts_without_a_key_and_nobody_deploys_or_reads_metrics_here(stack: LocalStack) -> None:
    trusted = ssl.create_default_context(cafile=stack.authority)
    with httpx.Client(base_url=stack.url, verify=trusted, trust_env=False) as client:
        assert client.post("/v1/predict", json={"text": "a film"}).status_code == 401
        admin = {"Authorization": f"Bearer {stack.keys['admin']}"}
        assert client.put("/admin/models/model", json={"bundle": "x"}, headers=admin).status_code == 403
        assert client.get("/metrics", headers={"Authorization": f"Bearer {stack.keys['metrics']}"}).status_code == 403
        assert client.get("/readyz").status_code == 200


def test_both_replicas_answer(stack: LocalStack) -> None:
    with under_load(stack) as load:
        until(load, 600)
    assert load.lost == 0
    counted = 'sum by (instance) (bertline_http_requests_total{status="200", route="/v1/predict"})'
    stack.prometheus.until(f"count({counted} > 100) == 2")


def test_a_replica_that_is_killed_loses_no_request(stack: LocalStack) -> None:
    with under_load(stack) as load:
        until(load, 300)
        stack.replicas[0].stop(signal.SIGKILL)
        until(load, 300)
        stack.replicas[0].start()
        until(load, 300)
    assert load.lost == 0, (load.errors, load.refusals())
    assert load.mixed() == 0


def test_a_rolling_upgrade_and_a_rolling_swap_lose_and_mix_nothing(stack: LocalStack, place: Path) -> None:
    with under_load(stack) as load:
        until(load, 300)
        stack.roll(place / "b" / "model")
        until(load, 300)
        stack.swap(place / "a" / "model")
        upgraded = len(load.answers)
        until(load, 300)
    assert load.lost == 0, (load.errors, load.refusals())
    assert load.mixed() == 0
    versions = {one.version for one in load.answers}
    assert len(versions) == 2
    last = {one.version for one in load.answers[upgraded + IN_FLIGHT :]}
    assert len(last) == 1, "after the swap only the new version answers"
