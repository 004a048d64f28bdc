"""Rollouts of a real registry on real servers under load: nothing is lost or mixed, and the log has each step."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
import torch

from bertline.testing.tiny import TEXTS as PROBED
from bertline.testing.tiny import VOCABULARY, tiny_classifier, write_tiny_bundle
from tests.registered import new_registry
from tests.service.postgres import new_database, postgres_url
from tests.service.rolling import BAD, GOOD, TEXTS, Registry, Traffic
from tests.service.spawn import Spawned, spawned

__all__ = ["postgres_url"]
FLAGS = ("--follow-every-s", "0.2", "--drain-s", "0", "--lanes", "1")


def serve(stack: ExitStack, registry: Registry, *flags: str) -> Spawned:
    place = registry.settings.place
    return stack.enter_context(spawned("models:/films@champion", "--registry", place, *FLAGS, *flags))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path, new_registry(tmp_path))


@pytest.fixture
def shared(tmp_path: Path, postgres_url: str) -> Registry:
    from bertline.registry.database import Database
    from bertline.registry.mlflow_store import Mlflow

    url = new_database(postgres_url)
    with Database(url) as database:
        Mlflow(database, str(tmp_path))
    return Registry(tmp_path, url)


@pytest.mark.drill
def test_a_good_version_is_promoted_step_by_step_and_clients_change_once(registry: Registry) -> None:
    with ExitStack() as stack:
        server = serve(stack, registry)
        with Traffic(registry, [server.url]) as traffic:
            registry.begin(GOOD, "shadow", "20", "60", "100")
            ended = registry.until("promoted")
        shown = httpx.get(f"{server.url}/v1/models/films/rollout").json()
    assert (traffic.lost, traffic.mixed) == ([], [])
    assert registry.champion() == GOOD
    new = registry.versions[GOOD]
    assert traffic.answered[new] > 100
    assert all(seen in ([registry.versions[1], new], [new]) for seen in traffic.sticky.values())
    assert ended.reason.startswith("errors 0\u202f% (0 of ")
    assert (shown["decided_by"], shown["status"], shown["reason"]) == ("registry", "promoted", ended.reason)
    assert registry.log()[1:] == [
        ("ana", "shadow", 2), ("rollout", "shadow", None), ("rollout", "canary", 2), ("rollout", "canary", 2),
        ("rollout", "canary", None), ("rollout", "champion", 2), ("rollout", "champion", 2),
    ]  # fmt: skip


@pytest.mark.drill
@pytest.mark.parametrize("steps", [("shadow", "50", "100"), ("50", "100")])
def test_a_version_that_answers_otherwise_is_rolled_back(registry: Registry, steps: tuple[str, ...]) -> None:
    with ExitStack() as stack:
        server = serve(stack, registry)
        with Traffic(registry, [server.url]) as traffic:
            registry.begin(BAD, *steps, least_agreement=0.9)
            ended = registry.until("rolled_back")
            time.sleep(1)
    assert (traffic.lost, traffic.mixed) == ([], [])
    assert registry.champion() == 1
    assert "other answers" in ended.reason
    assert (registry.versions[BAD] in traffic.answered) == (steps[0] != "shadow")


@pytest.mark.drill
def test_a_challenger_whose_process_keeps_dying_is_rolled_back_and_no_request_is_lost(registry: Registry) -> None:
    with ExitStack() as stack:
        server = serve(stack, registry)
        champion = set(server.workers)
        with Traffic(registry, [server.url]) as traffic:
            registry.begin(GOOD, "50", "100", min_step_s=600.0)
            registry.until("running")
            deadline_s = time.monotonic() + 120
            while registry.last().status != "rolled_back":
                for pid in set(server.workers) - champion:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.2)
                assert time.monotonic() < deadline_s, registry.last()
            time.sleep(1)
    assert (traffic.lost, traffic.mixed) == ([], [])
    assert registry.champion() == 1


@pytest.mark.drill
def test_a_version_that_fails_on_some_texts_is_rolled_back_and_its_requests_are_answered(registry: Registry) -> None:
    """The weights of one word are damaged: what has it makes numbers that are not finite."""
    network = tiny_classifier(family="bert", labels=3, pooling="cls", seed=1)
    probed = " ".join(PROBED).split()  # the damage is not seen when the version is loaded
    word = next(one for one in " ".join(TEXTS).split() if not any(text.startswith(one) for text in probed))
    with torch.no_grad():
        network.encoder.embeddings.token.weight[VOCABULARY.index(word)] = math.nan
    write_tiny_bundle(registry.directory / "films-4", engine=True, network=network, name="films-4")
    failing = registry.add(registry.directory / "films-4", [one for one in TEXTS if word not in one.split()])
    with ExitStack() as stack:
        server = serve(stack, registry)
        with Traffic(registry, [server.url]) as traffic:
            registry.begin(failing, "50", "100", min_step_s=600.0, compare=0.0)
            ended = registry.until("rolled_back")
            time.sleep(1)
    print(ended.reason, dict(traffic.answered))
    assert (traffic.lost, traffic.mixed) == ([], [])
    assert ended.reason.startswith("errors ")
    assert traffic.answered[registry.versions[failing]] > 0
    assert registry.champion() == 1


@pytest.mark.drill
def test_a_version_that_is_slower_is_rolled_back(registry: Registry) -> None:
    sizes = {"hidden": 512, "layers": 16, "feed_forward": 2048, "init_std": 0.02}
    network = tiny_classifier(family="bert", labels=3, pooling="cls", **sizes)
    write_tiny_bundle(registry.directory / "films-4", engine=True, network=network, name="films-4")
    slow = registry.add(registry.directory / "films-4")
    with ExitStack() as stack:
        server = serve(stack, registry)
        with Traffic(registry, [server.url]) as traffic:
            plan = {"min_step_s": 600.0, "more_slow": 0.02, "least_agreement": 0.0, "compare": 0.0}
            registry.begin(slow, "20", "100", **plan)
            ended = registry.until("rolled_back")
            time.sleep(1)
    print(ended.reason, dict(traffic.answered))
    assert (traffic.lost, traffic.mixed) == ([], [])
    assert ended.reason.startswith("slow requests ")
    assert registry.champion() == 1


@pytest.mark.drill
def test_a_version_that_is_wrong_by_feedback_is_rolled_back(registry: Registry, tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = serve(stack, registry, "--predictions-url", f"sqlite:///{tmp_path / 'predictions.db'}")
        with Traffic(registry, [server.url]) as traffic:
            judging = threading.Thread(target=traffic.judge, args=(server.url,))
            judging.start()
            registry.begin(BAD, "50", "100", min_step_s=600.0, least_agreement=0.0, compare=0.0)
            ended = registry.until("rolled_back")
            time.sleep(1)
        judging.join()
    print(ended.reason, dict(traffic.answered))
    assert (traffic.lost, traffic.mixed) == ([], [])
    assert ended.reason.startswith("wrong answers ")
    assert registry.champion() == 1


@pytest.mark.drill
def test_a_bad_version_promoted_by_hand_is_rolled_back_by_two_servers(shared: Registry) -> None:
    with ExitStack() as stack:
        servers = [serve(stack, shared) for _ in range(2)]
        with Traffic(shared, [one.url for one in servers]) as traffic:
            time.sleep(3)
            began_s = time.monotonic()
            shared.promote(BAD)
            ended = shared.until("rolled_back", 60)
            took_s = time.monotonic() - began_s
            time.sleep(2)
            last = traffic.answered.copy()
            time.sleep(1)
            after = traffic.answered - last
    print(f"rolled back {took_s:.1f} s after the promotion: {ended.reason}; {dict(traffic.answered)}")
    assert (traffic.lost, traffic.mixed) == ([], [])
    assert took_s < 30
    assert set(after) == {shared.versions[1]}
    assert shared.champion() == 1
    assert shared.log()[-2:] == [("ana", "champion", BAD), ("rollout", "champion", 1)]


@pytest.mark.drill
def test_servers_killed_in_each_step_leave_a_whole_state(shared: Registry) -> None:
    with ExitStack() as stack:
        servers = [serve(stack, shared) for _ in range(2)]
        urls = [one.url for one in servers]
        with Traffic(shared, urls, tolerant=True) as traffic:
            shared.begin(GOOD, "shadow", "50", "100", min_step_s=45.0, watch_s=60.0)
            for place, status in enumerate(("running", "running", "watching")):
                shared.until(status, 240, place)
                servers[place % 2].stop(signal.SIGKILL)
                servers[place % 2].ended()
                servers[place % 2] = serve(stack, shared)
                urls[place % 2] = servers[place % 2].url
            shared.until("promoted", 300)
    assert (traffic.lost, traffic.mixed) == ([], [])
    assert shared.champion() == GOOD
    aliases = [(alias, to) for _, alias, to in shared.log()[1:]]
    assert aliases == [
        ("shadow", 2), ("shadow", None), ("canary", 2), ("canary", None), ("champion", 2), ("champion", 2),
    ]  # fmt: skip


@pytest.mark.drill
def test_a_server_that_is_restarted_in_the_watch_still_goes_back_at_once(registry: Registry) -> None:
    with ExitStack() as stack:
        first = serve(stack, registry)
        registry.promote(GOOD)
        registry.until("watching")
        first.stop()
        assert first.ended()[0] == 0
        second = serve(stack, registry)
        old, new = registry.versions[1], registry.versions[GOOD]
        deadline_s = time.monotonic() + 120
        while (shown := httpx.get(f"{second.url}/admin/models/films").json())["previous"] is None:
            assert time.monotonic() < deadline_s, second.errors()
            time.sleep(0.1)
        assert (shown["current"]["version"], shown["previous"]["version"]) == (new, old)
        workers = set(second.workers)
        with Traffic(registry, [second.url]) as traffic:
            httpx.delete(f"{second.url}/v1/models/films/rollout").raise_for_status()
            while traffic.answered[old] == 0:
                assert time.monotonic() < deadline_s, second.errors()
                time.sleep(0.1)
        assert set(second.workers) == workers  # no process was started to go back
    assert (traffic.lost, traffic.mixed) == ([], [])
    assert registry.champion() == 1
