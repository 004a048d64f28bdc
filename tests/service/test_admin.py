"""Models are changed while the server runs, by whoever sits at its machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest
from starlette.testclient import TestClient

from bertline.service.app import create_app
from bertline.service.exchange import log_context
from bertline.serving.worker import Started
from bertline.testing.words import ThreadWorker, WordCounter, serving_of
from tests.service.conftest import until_ready

Asking = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture
def new() -> WordCounter:
    return WordCounter(("no", "yes"))


@pytest.fixture
def asking(model: WordCounter, new: WordCounter) -> Asking:
    """A client at some address, that calls the server by some name."""

    @contextmanager
    def one(peer: str = "127.0.0.1", host: str = "127.0.0.1:8000") -> Iterator[TestClient]:
        app = create_app(serving_of({"reviews": model}, later=[new]))
        with TestClient(app, base_url=f"http://{host}", client=(peer, 50_000)) as client:
            yield until_ready(client)

    return one


@pytest.fixture
def local(asking: Asking) -> Iterator[TestClient]:
    with asking() as client:
        yield client


def test_a_bundle_takes_the_place_of_another_and_gives_it_back(
    local: TestClient, model: WordCounter, new: WordCounter
) -> None:
    state = local.get("/admin/models/reviews").json()
    assert (state["current"]["version"], state["previous"]) == (model.version, None)
    loaded = local.put("/admin/models/reviews", json={"bundle": str(new.bundle)})
    assert loaded.status_code == 200
    state = loaded.json()
    assert (state["current"]["version"], state["previous"]["version"]) == (new.version, model.version)
    assert state["current"]["labels"] == ["no", "yes"]
    assert local.get("/admin/models/reviews").json() == state
    assert local.post("/v1/predict", json={"text": "good"}).json()["predictions"][0]["label"] == "yes"

    back = local.post("/admin/models/reviews/rollback")
    assert (back.status_code, back.json()["current"]["version"]) == (200, model.version)
    answer = local.post("/v1/predict", json={"text": "good"})
    assert answer.json()["predictions"][0]["label"] == "positive"
    assert answer.headers["X-Model-Version"] == model.version


def test_the_worker_of_a_loaded_model_is_no_part_of_the_request_that_loaded_it(
    model: WordCounter, new: WordCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tasks and callbacks outlive the request, so their log lines and spans must not have its ids."""
    contexts: list[Mapping[str, str]] = []
    start = ThreadWorker.start

    async def recorded(worker: ThreadWorker) -> Started:
        contexts.append(log_context())
        return await start(worker)

    monkeypatch.setattr(ThreadWorker, "start", recorded)
    with TestClient(create_app(serving_of({"reviews": model}, later=[new])), client=("127.0.0.1", 50_000)) as client:
        until_ready(client)
        headers = {"Host": "127.0.0.1", "X-Request-Id": "load-1"}
        loaded = client.put("/admin/models/reviews", json={"bundle": str(new.bundle)}, headers=headers)
    assert (loaded.status_code, loaded.headers["X-Request-Id"]) == (200, "load-1")
    assert contexts == [{}, {}]


def test_another_name_is_another_model(local: TestClient, new: WordCounter) -> None:
    assert local.put("/admin/models/mails", json={"bundle": str(new.bundle)}).json()["previous"] is None
    assert [one["name"] for one in local.get("/v1/models").json()["models"]] == ["reviews", "mails"]


@pytest.mark.parametrize("bundle", ["nowhere", "/dev/null", "a\x00b", "x" * 5000])
def test_a_bundle_that_cannot_be_used_changes_nothing(local: TestClient, model: WordCounter, bundle: str) -> None:
    refused = local.put("/admin/models/reviews", json={"bundle": bundle})
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert (error["code"], error["field"]) == ("cannot_load", "bundle")
    assert error["message"].startswith("Nothing was changed: ")
    assert local.get("/admin/models/reviews").json()["current"]["version"] == model.version


def test_there_is_nothing_to_go_back_to_before_a_version_was_loaded(local: TestClient) -> None:
    refused = local.post("/admin/models/reviews/rollback")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "cannot_load")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/admin/models/nobody"), ("POST", "/admin/models/nobody/rollback")],
)
def test_a_model_that_is_not_served(local: TestClient, method: str, path: str) -> None:
    refused = local.request(method, path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_model")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "bundle"),
        ({"bundle": ""}, "out_of_range", "bundle"),
        ({"bundle": 3}, "wrong_type", "bundle"),
        ({"bundle": "a", "force": True}, "unknown_field", "force"),
    ],
)
def test_requested_values_are_checked(local: TestClient, body: object, code: str, field: str) -> None:
    refused = local.put("/admin/models/reviews", json=body)
    assert refused.status_code == 422
    error = refused.json()["error"]
    assert (error["code"], error["field"]) == (code, field)


def test_only_json_is_taken(local: TestClient, new: WordCounter) -> None:
    body = f'{{"bundle": "{new.bundle}"}}'
    refused = local.put("/admin/models/reviews", content=body, headers={"Content-Type": "text/plain"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (415, "not_json")


ROUTES = [("GET", ""), ("PUT", ""), ("POST", "/rollback")]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("192.0.2.7", "127.0.0.1:8000"),
        ("192.0.2.7", "192.0.2.1"),
        ("::ffff:192.0.2.7", "localhost"),
        ("127.0.0.1", "attacker.example"),  # a page of theirs, whose name they let point here
        ("127.0.0.1", "127.0.0.1.attacker.example"),
        ("127.0.0.1", "localhost.attacker.example:8000"),
        ("127.0.0.1", "192.0.2.1:8000"),
        ("testclient", "localhost"),
    ],
)
def test_only_this_machine_changes_models(
    asking: Asking, new: WordCounter, method: str, path: str, peer: str, host: str
) -> None:
    with asking(peer, host) as client:
        body = {"bundle": str(new.bundle)} if method == "PUT" else None
        refused = client.request(method, f"/admin/models/reviews{path}", json=body)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "not_local"
    assert new.workers == []


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via", "x-forwarded-for"])
def test_a_client_behind_a_proxy_is_not_local(local: TestClient, header: str) -> None:
    assert local.get("/admin/models/reviews", headers={header: "for=192.0.2.7"}).status_code == 403


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("127.0.0.1", "localhost"),
        ("127.8.0.1", "127.0.0.1"),
        ("::1", "[::1]:8000"),
        ("127.0.0.1", "LOCALHOST:8000"),
        ("::ffff:127.0.0.1", "models.localhost"),  # of a socket for both versions of IP
    ],
)
def test_names_and_addresses_of_this_machine(asking: Asking, peer: str, host: str) -> None:
    with asking(peer, host) as client:
        assert client.get("/admin/models/reviews").status_code == 200


@pytest.mark.parametrize("origin", ["https://attacker.example", "null", "http://127.0.0.1:3000"])
def test_a_page_of_another_origin_cannot_change_models_through_a_browser_here(
    local: TestClient, new: WordCounter, origin: str
) -> None:
    local.put("/admin/models/reviews", json={"bundle": str(new.bundle)})
    refused = local.post("/admin/models/reviews/rollback", headers={"Origin": origin})
    assert refused.status_code == 403
    assert local.get("/admin/models/reviews").json()["current"]["version"] == new.version


def test_the_servers_own_page_is_allowed(local: TestClient, new: WordCounter) -> None:
    local.put("/admin/models/reviews", json={"bundle": str(new.bundle)})
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert local.post("/admin/models/reviews/rollback", headers=own).status_code == 200
