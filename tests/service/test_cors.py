"""Pages of other origins: what a browser is told, whether or not the page shows a credential."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from pydantic import ValidationError
from starlette.middleware.cors import CORSMiddleware
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from bertline.service.app import create_app
from bertline.service.edge.cors import options
from bertline.service.edge.proxies import EdgeSettings
from bertline.service.guard.client import Client
from bertline.service.guard.door import Guard
from bertline.serving.problems import Code, Problem
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.fronted import admitting

SHOP = "https://shop.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-stainless-os"}
Asking = Callable[..., TestClient]


class Nobody:
    async def client(self, credential: str) -> Client:
        raise Problem(Code.INVALID_CREDENTIALS, "no", headers={"WWW-Authenticate": "Bearer"})


@pytest.fixture(scope="module")
def guarded() -> Iterator[ASGIApp]:
    """The real app behind a guard that knows nobody."""
    app = create_app(serving_of({"reviews": WordCounter()}))
    with TestClient(app) as client:
        until_ready(client)
        yield admitting(app, guard=Guard(tokens=Nobody()))


def asking(guarded: ASGIApp, origins: tuple[str, ...] = (SHOP,), *, credentials: bool = False) -> TestClient:
    settings = EdgeSettings(cors_origins=origins, cors_credentials=credentials)
    return TestClient(CORSMiddleware(guarded, **options(settings.cors_origins, credentials=settings.cors_credentials)))


def allowed(answer: httpx.Response) -> str | None:
    return answer.headers.get("Access-Control-Allow-Origin")


def test_no_origin_is_allowed_unless_listed(guarded: Guard) -> None:
    assert EdgeSettings().cors_origins == ()
    answer = TestClient(guarded).options("/v1/predict", headers={"Origin": SHOP, **PREFLIGHT})
    assert allowed(answer) is None
    assert answer.status_code == 401


def test_a_preflight_needs_no_credential(guarded: Guard) -> None:
    answer = asking(guarded).options("/v1/predict", headers={"Origin": SHOP, **PREFLIGHT})
    assert (answer.status_code, allowed(answer)) == (200, SHOP)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization,x-stainless-os"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://attacker.example",
        "https://shop.example.com.attacker.example",
        "https://attacker-shop.example.com",
        "http://shop.example.com",
        "https://shop.example.com:8443",
        "null",
    ],
)
def test_another_origin_is_not_allowed(guarded: Guard, origin: str) -> None:
    client = asking(guarded)
    preflight = client.options("/v1/predict", headers={"Origin": origin, **PREFLIGHT})
    assert (preflight.status_code, allowed(preflight)) == (400, None)
    simple = client.get("/livez", headers={"Origin": origin})
    assert (simple.status_code, allowed(simple)) == (200, None)
    assert simple.headers["Vary"] == "Origin"


def test_a_page_cannot_change_models(guarded: Guard) -> None:
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "PUT"}
    assert asking(guarded).options("/admin/models/reviews", headers=asked).status_code == 400


def test_a_page_can_read_why_it_was_refused(guarded: Guard) -> None:
    answer = asking(guarded).post("/v1/predict", json={"text": "good"}, headers={"Origin": SHOP})
    assert (answer.status_code, allowed(answer)) == (401, SHOP)
    assert "WWW-Authenticate" in answer.headers["Access-Control-Expose-Headers"]
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


def test_every_origin_is_allowed_by_the_star(guarded: Guard) -> None:
    answer = asking(guarded, ("*",)).get("/livez", headers={"Origin": "https://anybody.example"})
    assert allowed(answer) == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_credentials_are_for_listed_origins(guarded: Guard) -> None:
    client = asking(guarded, credentials=True)
    mine = client.get("/livez", headers={"Origin": SHOP})
    assert (allowed(mine), mine.headers["Access-Control-Allow-Credentials"]) == (SHOP, "true")
    assert allowed(client.get("/livez", headers={"Origin": "https://attacker.example"})) is None


@pytest.mark.parametrize(
    "origin", ["https://a.example", "http://localhost:3000", "https://[::1]:8443", "http://127.0.0.1:8000", "*"]
)
def test_origins_in_browsers_spelling(origin: str) -> None:
    assert EdgeSettings(cors_origins=(origin,)).cors_origins == (origin,)


@pytest.mark.parametrize(
    "origins",
    [
        ("https://a.example/",),
        ("a.example",),
        ("https://A.example",),
        ("https://a.example:443",),
        ("http://a.example:80",),
        ("https://*.a.example",),
        ("ftp://a.example",),
        ("null",),
        ("*", "https://a.example"),
    ],
)
def test_an_origin_that_would_never_match_is_refused(origins: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match=r"is no origin as browsers write it|is every origin"):
        EdgeSettings(cors_origins=origins)


def test_the_star_with_credentials_is_refused() -> None:
    with pytest.raises(ValidationError, match="gives every page its visitor's rights"):
        EdgeSettings(cors_origins=("*",), cors_credentials=True)
