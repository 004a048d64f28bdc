"""Over HTTP: who asks too much is told so and when to come again, and nobody else notices."""

from __future__ import annotations

import logging
import threading
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from bertline.service import run
from bertline.service.limits.buckets import Charge, Refund
from bertline.service.limits.door import LARGEST_UNREAD
from bertline.service.limits.ledger import Ledgers
from bertline.service.limits.settings import LimitSettings
from bertline.service.limits.store import Outage, Outcome
from bertline.testing.clock import Clock
from bertline.testing.words import Gated, WordCounter
from tests.service.limited import app_of, limited_client, limits_of
from tests.service.live import live, warm

PREDICT, TEXT = "/v1/predict", {"text": "good"}
MIDNIGHT_S = 86_400 * 20_000


def ask(client: TestClient, name: str = "ann", path: str = PREDICT, body: Any = None) -> httpx.Response:
    return client.post(path, json=body or TEXT, headers={"X-Client": name} if name else {})


def limit_fields(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if "ratelimit" in name or name == "retry-after"}


@pytest.fixture
def clock() -> Clock:
    return Clock(MIDNIGHT_S - 3600)


def test_every_response_has_the_clients_rate_limit_headers(clock: Clock) -> None:
    with limited_client(limits_of(clock, requests_per_minute=2, requests_per_day=100)) as client:
        assert limit_fields(ask(client)) == {
            "ratelimit-policy": '"requests-per-minute";q=2;w=60, "requests-per-day";q=100;w=86400',
            "ratelimit": '"requests-per-minute";r=1;t=30, "requests-per-day";r=99;t=3600',
            "x-ratelimit-limit": "2",
            "x-ratelimit-remaining": "1",
            "x-ratelimit-reset": str(MIDNIGHT_S - 3600 + 30),
        }
        assert ask(client).status_code == 200
        refused = ask(client)
        assert limit_fields(refused) == {
            "retry-after": "30",
            "ratelimit-policy": '"requests-per-minute";q=2;w=60, "requests-per-day";q=100;w=86400',
            "ratelimit": '"requests-per-minute";r=0;t=30, "requests-per-day";r=98;t=3600',
            "x-ratelimit-limit": "2",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": str(MIDNIGHT_S - 3600 + 60),
        }
        assert refused.status_code == 429
        assert refused.json() == {
            "error": {
                "code": "rate_limited",
                "message": "The limit of 2 requests a minute leaves no room for 1 more: try again in 30 s.",
                "field": None,
            }
        }


def test_retry_after_is_the_first_second_with_room(clock: Clock) -> None:
    with limited_client(limits_of(clock, requests_per_minute=7)) as client:
        assert [ask(client).status_code for _ in range(8)] == [200] * 7 + [429]
        wait_s = int(ask(client).headers["Retry-After"])
        clock.now_s += wait_s - 1
        assert ask(client).status_code == 429
        clock.now_s += 1
        assert ask(client).status_code == 200


def test_a_quota_is_used_up_until_midnight_utc(clock: Clock) -> None:
    with limited_client(limits_of(clock, requests_per_day=2)) as client:
        assert [ask(client).status_code for _ in range(2)] == [200, 200]
        refused = ask(client)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")
        assert refused.json()["error"]["code"] == "quota_exceeded"
        assert refused.json()["error"]["message"].endswith("try again in 3,600 s, at midnight UTC.")
        clock.now_s = MIDNIGHT_S - 1
        assert ask(client).status_code == 429
        clock.now_s = MIDNIGHT_S
        assert ask(client).status_code == 200


def test_a_rejected_request_is_not_charged(clock: Clock) -> None:
    with limited_client(limits_of(clock, requests_per_minute=2, requests_per_day=100)) as client:
        answers = [ask(client) for _ in range(10)]
    assert [one.status_code for one in answers] == [200] * 2 + [429] * 8
    assert '"requests-per-day";r=98' in answers[-1].headers["RateLimit"]


def test_a_client_has_its_own_limits_and_account(clock: Clock) -> None:
    limits = limits_of(clock, requests_per_minute=1, requests_per_day=9, clients={"eve": {"requests_per_minute": 3}})
    with limited_client(limits) as client:
        asked = {name: [ask(client, name).status_code for _ in range(4)] for name in ("ann", "bob", "eve")}
        assert asked == {"ann": [200, 429, 429, 429], "bob": [200, 429, 429, 429], "eve": [200, 200, 200, 429]}
        assert '"requests-per-day";q=9' in ask(client, "eve").headers["RateLimit-Policy"]


def test_a_client_without_limits_gets_no_headers(clock: Clock) -> None:
    with limited_client(limits_of(clock, clients={"eve": {"requests_per_minute": 1}})) as client:
        answers = [ask(client, "ann") for _ in range(3)]
        assert [limit_fields(one) for one in answers] == [{}] * 3
        assert [ask(client, "eve").status_code for _ in range(2)] == [200, 429]


def test_an_anonymous_client_is_counted_by_address(clock: Clock) -> None:
    limits = limits_of(clock, requests_per_minute=1)
    with limited_client(limits) as client:
        assert [ask(client, "").status_code for _ in range(2)] == [200, 429]
        assert ask(client, "192.0.2.1").status_code == 200, "a name is not an address"
        other = TestClient(client.app, client=("192.0.2.2", 50_000))
        assert ask(other, "").status_code == 200
        network = [TestClient(client.app, client=(f"2001:db8::{host}", 50_000)) for host in (1, 2)]
        assert [ask(one, "").status_code for one in network] == [200, 429]


def test_routes_without_a_model_are_never_limited(clock: Clock) -> None:
    with limited_client(limits_of(clock, requests_per_minute=1)) as client:
        assert ask(client).status_code == 200
        assert ask(client).status_code == 429
        headers = {"X-Client": "ann"}
        for path in ("/health/ready", "/v1/models", "/metrics", "/", "/docs"):
            answer = client.get(path, headers=headers)
            assert (answer.status_code, limit_fields(answer)) == (200, {})
        assert client.post("/admin/models/reviews/rollback", headers=headers).status_code != 429


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/v1/embeddings", {"input": "good"}, ["error", "message"]),
        ("/embed", {"inputs": "good"}, ["error"]),
        ("/v1/models/reviews:predict", {"instances": ["good"]}, ["error"]),
        ("/v2/models/reviews/infer", {"inputs": []}, ["error"]),
    ],
)
def test_a_refusal_has_the_shape_of_the_dialect(clock: Clock, path: str, body: Any, place: list[str]) -> None:
    with limited_client(limits_of(clock, requests_per_minute=1)) as client:
        ask(client)
        refused = ask(client, path=path, body=body)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    found = refused.json()
    for key in place:
        found = found[key]
    assert found == "The limit of 1 requests a minute leaves no room for 1 more: try again in 60 s."


def test_refusals_are_counted(clock: Clock) -> None:
    with limited_client(limits_of(clock, requests_per_minute=1)) as client:
        ask(client)
        ask(client)
        assert 'bertline_problems_total{code="rate_limited"} 1.0' in client.get("/metrics").text


class Away:
    """A store that does not answer."""

    async def charge(self, charge: Charge) -> Outcome:
        raise Outage("ConnectionRefusedError")

    async def refund(self, refund: Refund) -> None:
        raise Outage("ConnectionRefusedError")

    async def close(self) -> None: ...


@pytest.mark.parametrize(("on_outage", "status"), [("refuse", 503), ("allow", 200)])
def test_without_its_store_the_server_follows_its_policy(on_outage: Any, status: int) -> None:
    limits = Ledgers(LimitSettings(requests_per_minute=1, on_outage=on_outage), Away())
    with limited_client(limits) as client:
        answers = [ask(client) for _ in range(3)]
    assert [one.status_code for one in answers] == [status] * 3
    if status == 503:
        assert answers[0].headers["Retry-After"] == "1"
        assert answers[0].json()["error"]["code"] == "not_ready"
    assert not limits.in_progress


def test_the_log_says_once_that_the_store_is_away_and_not_where(caplog: pytest.LogCaptureFixture) -> None:
    limits = limits_of(requests_per_minute=9, store_url="redis://ann:geheim@127.0.0.1:1/0")
    with caplog.at_level(logging.ERROR), limited_client(limits) as client:
        assert [ask(client).status_code for _ in range(3)] == [503] * 3
    told = [record.message for record in caplog.records if "store of the limits" in record.message]
    assert len(told) == 1
    assert "geheim" not in caplog.text
    assert "geheim" not in repr(limits_of(store_url="redis://ann:geheim@127.0.0.1:1/0").__dict__)


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> list[Ledgers]:
    """Put limits before the app of ``live``: the one that the test puts into the list."""
    made: list[Ledgers] = []
    monkeypatch.setattr(run, "create_app", lambda serving, _: app_of(serving, made[0]))
    return made


def test_of_two_clients_of_a_real_server_one_is_limited(behind: list[Ledgers]) -> None:
    behind.append(Ledgers(LimitSettings(clients={"ann": {"requests_per_day": 5}})))
    with live({"reviews": WordCounter()}) as url:
        warm(url)

        def many(name: str, found: list[int]) -> None:
            with httpx.Client(base_url=url, headers={"X-Client": name}) as client:
                found += [client.post(PREDICT, json=TEXT).status_code for _ in range(20)]

        ann: list[int] = []
        bob: list[int] = []
        threads = [threading.Thread(target=many, args=one) for one in (("ann", ann), ("ann", ann), ("bob", bob))]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert (ann.count(200), ann.count(429)) == (5, 35)
    assert bob == [200] * 20


def test_requests_at_a_time_are_counted_until_they_are_answered(behind: list[Ledgers]) -> None:
    behind.append(Ledgers(LimitSettings(concurrent_requests=1, requests_per_day=3)))
    model = Gated()
    model.gate.set()  # for the warm-up
    with live({"reviews": model}) as url, httpx.Client(base_url=warm(url), headers={"X-Client": "ann"}) as client:
        model.gate.clear()
        model.entered.clear()
        first: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: first.append(client.post(PREDICT, json=TEXT)))
        asking.start()
        assert model.entered.wait(timeout=30)
        refused = client.post(PREDICT, json=TEXT)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert refused.json()["error"]["code"] == "rate_limited"
        assert '"concurrent-requests";r=0' in refused.headers["RateLimit"]
        model.gate.set()
        asking.join()
        assert first[0].status_code == 200
        assert '"concurrent-requests";r=1' in first[0].headers["RateLimit"]
        again = client.post(PREDICT, json=TEXT)
        assert (again.status_code, again.headers["RateLimit"].split(";")[1]) == (200, "r=1"), "two of three are charged"
    assert not behind[0].in_progress


def test_a_disconnected_client_frees_its_place(behind: list[Ledgers]) -> None:
    behind.append(Ledgers(LimitSettings(concurrent_requests=1)))
    model = Gated()
    model.gate.set()
    with live({"reviews": model}) as url, httpx.Client(base_url=warm(url), headers={"X-Client": "ann"}) as client:
        model.gate.clear()
        with pytest.raises(httpx.ReadTimeout):
            client.post(PREDICT, json=TEXT, timeout=0.3)
        model.gate.set()
        answers = (client.post(PREDICT, json=TEXT).status_code for _ in range(1000))
        assert any(status == 200 for status in answers), "the place was never free again"


@pytest.mark.parametrize(("size", "kept"), [(10, True), (LARGEST_UNREAD + 1, False)])
def test_a_refused_connection_is_used_again_unless_much_is_left_to_read(
    behind: list[Ledgers], size: int, kept: bool
) -> None:
    behind.append(limits_of(requests_per_minute=1))
    with live({"reviews": WordCounter()}) as url, httpx.Client(base_url=warm(url)) as client:
        assert client.post(PREDICT, json=TEXT).status_code == 200
        answers = [client.post(PREDICT, content=b"x" * size) for _ in range(3)]
    assert [one.status_code for one in answers] == [429] * 3
    assert len({id(one.extensions["network_stream"]) for one in answers}) == (1 if kept else 3)
