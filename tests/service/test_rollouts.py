"""Rollouts that an administrator begins on one server, over HTTP: promoted by themselves, or rolled back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from bertline.bundle import Manifest
from bertline.bundle.verify import read_manifest
from bertline.errors import RegistryError
from bertline.lifecycle.rollout.decision import Judged
from bertline.lifecycle.rollout.state import InMemory
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.rollout import Rollout
from bertline.registry.rollouts import Rollouts
from bertline.service import registry_rollouts, rollouts, shared_reads
from bertline.service.app import create_app
from bertline.service.settings import ServeSettings
from bertline.serving.serving import Serving
from bertline.statistics.anytime import Rate
from bertline.testing.words import WordCounter, serving_of
from tests.registered import begun, following, new_registry
from tests.service.conftest import until_ready
from tests.service.logged import until

FAST = {"min_requests": 20, "min_step_s": 0, "watch_s": 0, "more_errors": 0.2, "more_slow": 0.9}
HOST = {"base_url": "http://127.0.0.1:8000", "client": ("127.0.0.1", 50_000)}


@pytest.fixture
def new() -> WordCounter:
    return WordCounter(max_tokens=17)


@pytest.fixture
def serving(model: WordCounter, new: WordCounter) -> Serving:
    return serving_of({"reviews": model}, ServeSettings(follow_every_s=0.01), later=[new])


@pytest.fixture
def local(serving: Serving) -> Iterator[TestClient]:
    with TestClient(create_app(serving), **HOST) as client:  # type: ignore[arg-type]
        yield until_ready(client)


def follow(client: TestClient, registry: str) -> None:
    followed = following(registry)
    client.app.state.rollouts.leave(followed.models, followed.shown())  # type: ignore[attr-defined]


def begin(client: TestClient, new: WordCounter, kind: str = "canary", **more: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/models/reviews/{kind}", json={"bundle": str(new.bundle), **more})
    assert answer.status_code == 200, answer.text
    state: dict[str, Any] = answer.json()
    return state


def version_for(client: TestClient, user: int) -> str:
    answer = client.post("/v1/predict", json={"text": "good"}, headers={"X-Rollout-Key": f"user-{user}"})
    assert answer.status_code == 200, answer.text
    version: str = answer.headers["X-Model-Version"]
    assert answer.json()["model"]["version"] == version
    return version


def until_ended(client: TestClient, limit_s: float = 60) -> tuple[dict[str, Any], set[str]]:
    """Ask, as many clients, until the rollout has ended; how it ended, and the versions that answered."""
    versions, deadline_s, asked = set(), time.monotonic() + limit_s, 0
    while True:
        versions |= {version_for(client, user) for user in range(asked, asked + 20)}
        asked += 20
        state = client.get("/v1/models/reviews/rollout").json()
        if state["status"] not in ("running", "watching"):
            return state, versions
        assert time.monotonic() < deadline_s, state


def test_a_good_challenger_is_promoted_step_by_step(local: TestClient, model: WordCounter, new: WordCounter) -> None:
    state = begin(local, new, steps="shadow,20,60", plan=FAST)
    assert (state["status"], state["step"], state["steps"]) == ("running", "shadow", ["shadow", "20", "60", "100"])
    ended, versions = until_ended(local)
    assert (ended["status"], versions) == ("promoted", {model.version, new.version})
    shown = local.get("/admin/models/reviews").json()
    assert (shown["current"]["version"], shown["previous"]["version"]) == (new.version, model.version)
    metrics = local.get("/metrics").text
    assert 'bertline_rollouts_ended_total{model="reviews",outcome="promoted"} 1.0' in metrics
    assert 'bertline_rollout_share{model="reviews",role="none"} 0.0' in metrics


def test_a_failing_challenger_is_rolled_back_and_no_client_sees_it(
    local: TestClient, model: WordCounter, new: WordCounter, serving: Serving
) -> None:
    begin(local, new, steps="50", plan=FAST)
    new.check = lambda batch: (_ for _ in ()).throw(ZeroDivisionError())  # type: ignore[method-assign]
    ended, versions = until_ended(local)
    assert (ended["status"], versions) == ("rolled_back", {model.version})
    assert ended["reason"].startswith("errors 100\u202f% (")
    assert not serving.models.trials
    assert 'outcome="rolled_back"} 1.0' in local.get("/metrics").text


def test_a_challenger_that_answers_otherwise_is_rolled_back_from_the_shadow(
    local: TestClient, model: WordCounter, new: WordCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = WordCounter.compute
    monkeypatch.setattr(new, "compute", lambda output, batch: -compute(new, output, batch))
    begin(local, new, "shadow", plan=FAST)
    ended, versions = until_ended(local)
    assert (ended["status"], versions) == ("rolled_back", {model.version})
    assert ended["reason"].startswith("other answers 100\u202f% (")


def test_a_shadow_that_agrees_passes_and_changes_nothing(
    local: TestClient, model: WordCounter, new: WordCounter
) -> None:
    begin(local, new, "shadow", plan=FAST)
    ended, versions = until_ended(local)
    assert (ended["status"], versions) == ("passed", {model.version})


def test_feedback_rolls_back_and_a_store_that_is_away_stops_nothing(
    serving: Serving, model: WordCounter, new: WordCounter, caplog: pytest.LogCaptureFixture
) -> None:
    back = threading.Event()

    def judge(name: str, rollout: Rollout) -> Judged:
        if not back.is_set():
            raise RegistryError("the store of predictions is away")
        return Judged(Rate(300, 3), Rate(300, 150))

    app = create_app(serving)
    app.state.rollouts._conductor._judge = judge
    with TestClient(app, **HOST) as client:  # type: ignore[arg-type]
        begin(until_ready(client), new, steps="50", plan=FAST | {"min_step_s": 3600})
        assert {version_for(client, user) for user in range(40)} == {model.version, new.version}
        until(lambda: "the store of predictions is away" in caplog.text)
        back.set()
        ended, _ = until_ended(client)
    assert ended["status"] == "rolled_back"
    assert "wrong answers 50\u202f% (150 of 300) against 1\u202f% (3 of 300)" in ended["reason"]
    assert "the rollout of reviews by its feedback is not followed: the store of predictions is away" in caplog.text


def test_an_administrator_ends_a_rollout(local: TestClient, model: WordCounter, new: WordCounter) -> None:
    begin(local, new, steps="99", plan=FAST | {"min_step_s": 3600})
    metrics = local.get("/metrics").text
    assert 'bertline_rollout_share{model="reviews",role="canary"} 0.99' in metrics
    going = local.post("/v1/models/reviews/canary", json={"bundle": str(new.bundle)})
    assert (going.status_code, going.json()["error"]["code"]) == (409, "cannot_load")
    assert "goes on (99\u202f%): end it with DELETE first." in going.json()["error"]["message"]
    ended = local.delete("/v1/models/reviews/rollout").json()
    assert (ended["status"], ended["reason"]) == ("rolled_back", "aborted by an administrator")
    assert local.post("/v1/predict", json={"text": "good"}).headers["X-Model-Version"] == model.version
    assert local.delete("/v1/models/reviews/rollout").status_code == 409


def test_of_two_rollouts_at_once_one_begins(
    local: TestClient, new: WordCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=30)

    def together(bundle: Path) -> Manifest:
        both.wait()
        return read_manifest(bundle)

    monkeypatch.setattr(rollouts, "read_manifest", together)
    body = {"bundle": str(new.bundle), "steps": "50", "plan": FAST | {"min_step_s": 3600}}
    with ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(local.post, "/v1/models/reviews/canary", json=body) for _ in range(2)]
        statuses = sorted(one.result().status_code for one in answers)
    assert statuses == [200, 409]
    assert local.get("/v1/models/reviews/rollout").json()["step"] == "50\u202f%"


def test_an_administrator_ends_a_rollout_that_moves_on_at_that_moment(
    local: TestClient, new: WordCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(local, new, steps="50,60", plan=FAST | {"min_step_s": 3600})
    move, late = InMemory.move, iter([True])

    def moved_before(state: InMemory, rollout: Rollout, *to: Any) -> bool:
        if next(late, False):
            assert move(state, rollout, "running", 1, "the next step")
        return move(state, rollout, *to)

    monkeypatch.setattr(InMemory, "move", moved_before)
    ended = local.delete("/v1/models/reviews/rollout").json()
    assert (ended["status"], ended["place"]) == ("rolled_back", 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "nobody/canary", {"bundle": "x"}, 404, "unknown_model"),
        ("POST", "reviews/canary", {"bundle": "nowhere"}, 409, "cannot_load"),
        ("POST", "reviews/canary", {"bundle": "x", "steps": "9,1"}, 422, "out_of_range"),
        ("POST", "reviews/canary", {"bundle": "x", "steps": "100"}, 422, "out_of_range"),
        ("POST", "reviews/shadow", {"bundle": "x", "plan": {"watch": 1}}, 422, "unknown_field"),
        ("POST", "reviews/shadow", {}, 422, "missing_field"),
        ("GET", "nobody/rollout", None, 404, "unknown_model"),
        ("DELETE", "nobody/rollout", None, 404, "unknown_model"),
    ],
)
def test_what_cannot_be_begun_changes_nothing(
    local: TestClient, method: str, path: str, body: Any, status: int, code: str
) -> None:
    refused = local.request(method, f"/v1/models/{path}", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code), refused.text
    assert local.get("/v1/models/reviews/rollout").json() is None


def test_a_model_of_the_registry_is_not_rolled_out_here(local: TestClient, new: WordCounter) -> None:
    local.app.state.rollouts._followed = frozenset({"reviews"})  # type: ignore[attr-defined]
    refused = local.post("/v1/models/reviews/canary", json={"bundle": str(new.bundle)})
    assert refused.status_code == 409
    assert "reviews follows the registry: use bertline models promote --canary" in refused.json()["error"]["message"]


def test_a_rollout_of_the_registry_is_shown_with_the_counts_of_all_servers_and_ended(
    local: TestClient, tmp_path: Path
) -> None:
    registry = new_registry(tmp_path)
    follow(local, registry)
    assert local.get("/v1/models/reviews/rollout").json() is None
    assert local.delete("/v1/models/reviews/rollout").status_code == 409
    begun(registry, "5", "50", "100")
    shown = local.get("/v1/models/reviews/rollout").json()
    expected = {
        "decided_by": "registry", "challenger": "reviews:2", "status": "running", "step": "5\u202f%", "place": 0,
        "share": 0.05, "by": "ana",
    }  # fmt: skip
    assert {name: shown[name] for name in expected} == expected
    assert shown["outlook"].startswith("hold: ")
    counts = shown["counts"]
    assert (counts["champion_requests"], counts["challenger_requests"], counts["challenger_errors"]) == (135, 15, 1)
    ended = local.delete("/v1/models/reviews/rollout").json()
    assert (ended["status"], ended["outlook"], ended["share"]) == ("aborted", None, 0)
    with Database(registry) as database:
        entries = Deployments(database, "x").entries()
    assert (entries[-1].by, entries[-1].reason) == ("administrator", "aborted by hand")
    again = local.delete("/v1/models/reviews/rollout")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "cannot_load")
    assert "reviews has no rollout that goes on" in again.json()["error"]["message"]


def test_many_pages_share_one_look_at_the_registry_on_a_thread_of_its_own(
    local: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, opened, now_s = new_registry(tmp_path), list[str](), 1000.0
    begun(registry, "5", "50", "100")

    class Counted(Database):
        def __init__(self, url: str) -> None:
            opened.append(threading.current_thread().name)
            super().__init__(url)

    monkeypatch.setattr(registry_rollouts, "Database", Counted)
    monkeypatch.setattr(shared_reads, "monotonic", lambda: now_s)
    follow(local, registry)

    def shown(_: object = None) -> str:
        status: str = local.get("/v1/models/reviews/rollout").json()["status"]
        return status

    with ThreadPoolExecutor(4) as pages:
        assert {*pages.map(shown, range(12))} == {"running"}
    assert len(opened) == 1
    with Database(registry) as database:
        Rollouts(database, "ana").abort("reviews")  # by another server
    now_s += 1.9
    assert (shown(), len(opened)) == ("running", 1)
    now_s += 0.2
    assert (shown(), len(opened)) == ("aborted", 2)
    assert local.delete("/v1/models/reviews/rollout").status_code == 409
    assert {one.rpartition("_")[0] for one in opened} == {"rollouts of registry"}


def test_a_failed_look_at_the_registry_is_shared_no_longer_than_another(
    local: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr(shared_reads, "monotonic", lambda: now_s)
    registry = new_registry(tmp_path)
    path = Path(registry.removeprefix("sqlite:///"))
    follow(local, registry)
    path.rename(tmp_path / "away.db")
    assert [local.get("/v1/models/reviews/rollout").status_code for _ in range(2)] == [503, 503]
    (tmp_path / "away.db").rename(path)
    now_s += 2.1
    assert local.get("/v1/models/reviews/rollout").status_code == 200


def test_a_registry_that_cannot_be_read_is_said(local: TestClient, tmp_path: Path) -> None:
    registry = new_registry(tmp_path)
    follow(local, registry)
    Path(registry.removeprefix("sqlite:///")).unlink()
    refused = local.get("/v1/models/reviews/rollout")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_ready")


def test_only_this_machine_begins_rollouts(serving: Serving, new: WordCounter) -> None:
    with TestClient(create_app(serving), base_url="http://127.0.0.1:8000", client=("10.0.0.1", 50_000)) as client:
        refused = client.post("/v1/models/reviews/canary", json={"bundle": str(new.bundle)})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_local")
