"""A real server that follows an alias of a real registry under load: no request is lost, and no answer mixed."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from bertline.bundle import load
from bertline.bundle.verdict import SignedVerdict, Verdict
from bertline.errors import StoreError
from bertline.registry import resolve
from bertline.registry.add import add
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.fetch.pull import Watch
from bertline.registry.reference import Reference
from bertline.registry.resolve import Located
from bertline.registry.rollout import Rollout
from bertline.registry.settings import RegistrySettings
from bertline.registry.verdicts import Verdicts
from bertline.service import ServeSettings
from bertline.serving.follow import Stopping
from bertline.testing.tiny import write_tiny_bundle
from bertline.testing.words import WordCounter, serving_of
from tests.registered import digest_of, following, new_registry
from tests.service.spawn import Spawned, spawned

FLAGS = ("--follow-every-s", "0.1", "--drain-s", "0", "--lanes", "1")


class Registry:
    """A registry with two versions of ``films``, whose first is the champion."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings = RegistrySettings(url=new_registry(directory), store=str(directory / "store"))
        self.versions: dict[str, str] = {}  # of the bundles, by the name of the version
        for seed in (1, 2):
            write_tiny_bundle(directory / f"films-{seed}", engine=True, seed=seed)
            added = add(directory / f"films-{seed}", "films", self.settings, by="ana").version
            self.versions[str(added)] = load(directory / f"films-{seed}").version
        self.promote(1)

    def promote(self, version: int) -> None:
        with Database(self.settings.place) as database:
            Deployments(database, "ana").promote(Reference("films", version=version), reason="by hand")

    def rollback(self) -> None:
        with Database(self.settings.place) as database:
            Deployments(database, "ana").rollback("films")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def until_served(client: httpx.Client, version: str) -> list[str]:
    """Ask until an answer is of this version; the versions of all answers."""
    seen, deadline_s = [], time.monotonic() + 120
    while version not in seen:
        answer = client.post("/v1/predict", json={"text": "a film"})
        assert answer.status_code == 200, answer.text
        seen.append(answer.json()["model"]["version"])
        assert time.monotonic() < deadline_s
    return seen


def test_a_server_follows_a_promotion_and_a_rollback_without_losing_a_request(registry: Registry) -> None:
    first, second = registry.versions["films:1"], registry.versions["films:2"]
    with spawned("models:/films@champion", "--registry", registry.settings.place, *FLAGS) as server:
        assert server.line.startswith(f"films (version {first}, engine fp32) at ")
        with httpx.Client(base_url=server.url, timeout=60) as client:
            registry.promote(2)
            assert set(until_served(client, second)) <= {first, second}
            registry.rollback()
            assert set(until_served(client, first)) <= {first, second}
            metrics = client.get("/metrics").text
        server.stop()
        code, _, errors = server.ended()
    assert code == 0
    assert f"films:2 is served as films now: films@champion ({second}" in errors
    for what in ("alias", "rollout"):
        assert f'bertline_registry_followed_timestamp_seconds{{model="films",what="{what}"}}' in metrics
    assert f"films:1 is served as films now: films@champion ({first}" in errors


@pytest.mark.drill
def test_a_damaged_version_changes_nothing_and_the_log_says_so(registry: Registry, tmp_path: Path) -> None:
    first = registry.versions["films:1"]
    (folder,) = (tmp_path / "store").glob(f"{registry.versions['films:2']}*")
    (folder / "model.safetensors").write_bytes(b"damaged")
    with spawned("models:/films@champion", "--registry", registry.settings.place, *FLAGS) as server:
        registry.promote(2)
        _until_said(server, "films stays as it is, films@champion cannot be followed: Nothing was changed")
        assert httpx.post(f"{server.url}/v1/predict", json={"text": "a film"}).json()["model"]["version"] == first
        server.stop()
        assert server.ended()[0] == 0


@pytest.mark.drill
def test_a_version_by_its_number_is_served_for_ever(registry: Registry) -> None:
    with spawned("mine=models:/films/1", "--registry", registry.settings.place, *FLAGS) as server:
        assert server.line.startswith("mine (version ")
        registry.promote(2)
        time.sleep(1)
        (model,) = httpx.get(f"{server.url}/v1/models").json()["models"]
        assert model["version"] == registry.versions["films:1"]


def test_a_version_by_its_number_has_the_verdicts_of_the_registry(registry: Registry) -> None:
    digest = load(registry.directory / "films-1").manifest.checksum
    verdict = Verdict(challenger=digest, champion=None, decision="no", created="2026-11-30T08:00:00Z")
    with Database(registry.settings.place) as database:
        Verdicts(database).add(SignedVerdict(verdict=verdict))
    with spawned("mine=models:/films/1", "--registry", registry.settings.place, *FLAGS) as server:
        (shown,) = httpx.get(f"{server.url}/v1/models/mine/verdicts").json()["verdicts"]
    assert (shown["hash"], shown["decision"], shown["checks"]) == (verdict.hash, "no", [])


def test_the_fetch_of_a_challenger_ends_with_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locate(_version: object, _signed_by: object, watch: Watch) -> Located:
        watch(1, 2)
        raise StoreError("the store is away")

    monkeypatch.setattr(resolve, "locate", locate)
    serving = serving_of({"reviews": WordCounter()})
    conductor = following(new_registry(tmp_path)).conductor(serving.models, ServeSettings(), lambda *_: None)
    assert conductor is not None
    rollout = Rollout(1, "reviews", 1, digest_of("reviews", 1), 2, digest_of("reviews", 2), ("shadow",))
    with pytest.raises(StoreError, match="the store is away"):
        conductor._fetch(rollout, "challenger")
    conductor.stopping = True
    with pytest.raises(Stopping, match="the server stops"):
        conductor._fetch(rollout, "challenger")


def _until_said(server: Spawned, text: str) -> None:
    deadline_s = time.monotonic() + 120
    while text not in server.errors():
        assert time.monotonic() < deadline_s, server.errors()
        time.sleep(0.05)
