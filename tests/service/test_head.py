"""R6: whatever answers GET answers HEAD alike, without a body (RFC 9110, section 9.3.2)."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.routing import Mount
from starlette.testclient import TestClient

from bertline.service.app import PAGE, create_app
from bertline.service.edge.proxies import EdgeSettings
from bertline.service.guard.client import Client, Scope
from bertline.service.limits.ledger import Ledgers
from bertline.service.limits.settings import LimitSettings
from bertline.service.perimeter import Perimeter, PerimeterSettings
from bertline.service.route_table import every, template_of
from bertline.testing.words import WordCounter, serving_of
from tests.programs import program
from tests.service.conftest import until_ready
from tests.service.fronted import fronted
from tests.service.live import live, warm
from tests.service.logged import Log, client_of
from tests.service.test_guard import KEY, Known

FLEETING = {"date", "x-request-id", "server-timing"}  # differ from answer to answer
ROUTES = create_app(serving_of({"reviews": WordCounter()})).routes
GETS = sorted({template_of(one) or "" for one in every(ROUTES) if "GET" in (getattr(one, "methods", None) or ())})
FILES = ["/page/page.js", "/page/icon.svg", "/page/swagger/swagger-ui-bundle.js"]
POSTS = ["/v1/predict", "/embed", "/v2/models/reviews/infer", "/invocations"]
PATHS = [*(path.replace("{name}", "reviews").replace("{version}", "1") for path in GETS), *FILES, "/nowhere", *POSTS]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live({"reviews": WordCounter()}) as one:
        yield warm(one)


def kept(answer: httpx.Response) -> dict[str, str]:
    """The headers that two answers to the same request share."""
    return {name: value for name, value in answer.headers.items() if name not in FLEETING}


def test_the_walk_has_every_route_that_takes_get() -> None:
    """R6: the pages, the metrics, the description and the routes of each dialect are among them."""
    assert len(GETS) > 25
    assert {"/", "/docs", "/openapi.json", "/metrics", "/livez", "/v1/models", "/v2/health/ready", "/ping"} <= set(GETS)
    assert {"/page", "/page/swagger"} == {one.path for one in every(ROUTES) if isinstance(one, Mount)}
    assert all((PAGE / Path(one).name).exists() for one in FILES[:2])


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_a_body(url: str, path: str) -> None:
    """R6: the same status and the same headers over a real socket; 404 and 405 among them."""
    got, asked = httpx.get(url + path), httpx.head(url + path)
    assert (asked.status_code, asked.content) == (got.status_code, b"")
    assert (asked.status_code == 405) == (path in POSTS)
    named, seen = kept(asked), kept(got)
    assert named.pop("content-length") == seen.pop("content-length") or path == "/metrics"  # which counts this very GET
    assert named == seen


def test_a_head_response_has_no_body_and_the_connection_is_reused(url: str) -> None:
    """R6: three requests over one connection; a body byte would be read as the beginning of the next answer."""
    where = urlsplit(url)
    head = b"HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=30) as connection:
        for path in (b"/", b"/page/swagger/swagger-ui-bundle.js", b"/readyz"):
            connection.sendall(head % path)
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                more = connection.recv(65536)
                assert more, answer
                answer += more
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("path", ["/readyz", "/livez", "/health", "/", "/v1/models", "/metrics"])
def test_wget_finds_it(url: str, path: str) -> None:
    """R6: what health checks of containers call."""
    command = [program("wget"), "--spider", "--quiet", "--no-proxy", "--tries=1", url + path]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD, POST"),
        ("/readyz", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
        ("/page/page.js", "GET, HEAD"),
        ("/page/predict", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/v1/models/reviews", "GET, HEAD"),
        ("/admin/models/reviews", "GET, HEAD, PUT"),
        ("/v1/predict", "POST"),
    ],
)
def test_a_405_lists_both_get_and_head(client: TestClient, path: str, allowed: str) -> None:
    """R6: RFC 9110, section 15.5.6."""
    answer = client.request("PATCH", path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_the_description_has_each_operation_once(client: TestClient) -> None:
    """R6: HEAD is no operation of its own there, so that no generated client has everything twice."""
    paths = client.get("/openapi.json").json()["paths"]
    assert {verb for verbs in paths.values() for verb in verbs} == {"delete", "get", "post", "put"}


def test_the_guard_treats_them_identically() -> None:
    """R6: no path can be looked at with HEAD that GET is refused, and the refusal has the same headers."""
    app = create_app(
        serving_of({"reviews": WordCounter()}),
        Perimeter(keys=Known(KEY, Client("a", frozenset({Scope.PREDICT}), "key"))),
    )
    with TestClient(app) as client:
        until_ready(client)
        statuses = set()
        for headers in ({}, {"X-API-Key": KEY}, {"X-API-Key": "bl_wrong"}):
            for path in PATHS:
                got, asked = client.get(path, headers=headers), client.head(path, headers=headers)
                assert (asked.status_code, asked.content) == (got.status_code, b"")
                assert asked.headers.get("www-authenticate") == got.headers.get("www-authenticate")
                statuses.add(asked.status_code)
        assert statuses >= {200, 401, 403, 404, 405}


def test_limits_count_neither() -> None:
    """R6: reading what is there is free, by HEAD too."""
    limits = Ledgers(LimitSettings(requests_per_minute=1))
    with TestClient(create_app(serving_of({"reviews": WordCounter()}), Perimeter(limits=limits))) as client:
        until_ready(client)
        assert [client.head("/v1/models").status_code for _ in range(5)] == [200] * 5


def test_metrics_and_the_log_have_the_method_and_the_route() -> None:
    """R6: what was asked is HEAD, and no byte of a body was sent."""
    out = Log()
    with client_of(WordCounter(), out) as client:
        until_ready(client)
        client.head("/v1/models/reviews")
        series = client.get("/metrics").text
    assert 'bertline_http_requests_total{method="HEAD",route="/v1/models/{name}",status="200"} 1.0' in series
    [line] = [one for one in out.lines() if one["http.request.method"] == "HEAD"]
    assert (line["url.path"], line["http.response.status_code"]) == ("/v1/models/{name}", 200)
    assert (line["http.response.body.bytes"], line["bertline.dialect"]) == (0, "openai")


def test_a_page_of_another_origin_may_ask_by_head() -> None:
    """R6: a preflight for a HEAD with a header of its own is answered as one for GET."""
    settings = PerimeterSettings(edge=EdgeSettings(cors_origins=("https://shop.example.com",)))
    headers = {"Origin": "https://shop.example.com", "Access-Control-Request-Method": "HEAD"}
    headers |= {"Access-Control-Request-Headers": "authorization"}
    with TestClient(create_app(serving_of({"reviews": WordCounter()}), Perimeter(settings))) as client:
        assert client.options("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize("pieces", [[b"whole"], [b"in ", b"two"], [b"", b"an end without content", b""]])
def test_an_answer_in_pieces_ends_with_one_empty_part(pieces: list[bytes]) -> None:
    """R6: a body that is streamed is dropped as it comes."""
    sent: list[Any] = []
    scope = {"type": "http", "method": "HEAD", "path": "/", "scheme": "http", "headers": []}

    async def app(inner: Any, receive: Any, send: Any) -> None:
        assert inner["method"] == "GET"
        inner["route"] = "the route"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for place, piece in enumerate(pieces):
            await send({"type": "http.response.body", "body": piece, "more_body": place + 1 < len(pieces)})

    async def receive() -> Any:
        raise AssertionError("it has nothing to read")

    async def send(message: Any) -> None:
        sent.append(message)

    running = fronted(app)(scope, receive, send)
    with pytest.raises(StopIteration):
        running.send(None)  # type: ignore[attr-defined]  # it waits for nothing, so no loop is needed
    assert sent[1:] == [{"type": "http.response.body", "body": b"", "more_body": False}]
    assert scope["method"] == "HEAD"
