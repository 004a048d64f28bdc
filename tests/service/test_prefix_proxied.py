"""R8: below a prefix of a real nginx: the page predicts, the reference asks, tokens are given."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from bertline.service.edge.proxies import EdgeSettings
from bertline.service.guard.client import Scope
from bertline.service.guard.clients import new_client
from bertline.service.guard.discovery import Discovery
from bertline.service.guard.settings import AuthSettings
from bertline.service.guard.store import CredentialStore
from bertline.service.perimeter import Perimeter, PerimeterSettings, build
from bertline.service.run import listen
from bertline.testing.words import WordCounter
from tests.service.browsing import Visit, state
from tests.service.live import live, warm
from tests.service.proxying import nginx

FORWARDED = """
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
"""
TOLD = f"{FORWARDED} proxy_set_header X-Forwarded-Prefix /bert;"
ROOT = "location / { return 418; }"  # whatever leaves the prefix
STRIPPED = "location /bert/ { proxy_pass http://models/; %s }" + ROOT
# As Kubernetes' ingress writes it: /bert is / for the service, without a redirect to /bert/.
REWRITTEN = "location /bert { rewrite ^/bert(?:/|$)(.*)$ /$1 break; proxy_pass http://models; %s }" + ROOT
KEPT = "location /bert { proxy_pass http://models; %s }" + ROOT

TRUSTING = EdgeSettings(trusted_proxies=("127.0.0.1",))
SET = EdgeSettings(root_path="/bert", allowed_hosts=("127.0.0.1", "models"))  # nginx's own name for it, unless told
# By name: what the proxy does, what the service is told, and the page's address.
WAYS = {
    "stripped, said in the header": (STRIPPED % TOLD, TRUSTING, "/bert/"),
    "stripped, said in the setting": (STRIPPED % "", SET, "/bert/"),
    "rewritten, said in the header": (REWRITTEN % TOLD, TRUSTING, "/bert"),
    "kept": (KEPT % FORWARDED, EdgeSettings(root_path="/bert", strip_root_path=True), "/bert"),
}


# The suite has one way that strips the prefix and one that keeps it; `make drill` has the others too.
EVERY_TIME = ("stripped, said in the header", "kept")


@pytest.fixture(
    scope="module",
    params=[one if one in EVERY_TIME else pytest.param(one, marks=pytest.mark.drill) for one in WAYS],
)
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a browser finds the page."""
    locations, edge, path = WAYS[request.param]
    with live({"reviews": WordCounter()}, perimeter=Perimeter(PerimeterSettings(edge=edge))) as url:
        behind = int(warm(url).rpartition(":")[2])
        with nginx(tmp_path_factory.mktemp("nginx"), behind, locations=locations) as port:
            yield f"http://127.0.0.1:{port}{path}"


@pytest.mark.browser
def test_the_page_predicts(visit: Visit, address: str) -> None:
    """R8: page, scripts, styles and requests are all below the prefix, and so is the request that it shows."""
    origin, _, path = address.rpartition("/bert")
    base = f"{origin}/bert"
    page, watch = visit(origin, f"/bert{path}")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    expect(page).to_have_title("reviews · bertline")
    page.get_by_label("Text", exact=True).fill("a good film")
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")
    expect(page.locator("#answer .verdict")).to_have_text("positive 90.0\u202f%")
    expect(page.locator("#code")).to_contain_text(f"{base}/v1/predict")
    assert f"{base}/v1/predict" in asked
    assert page.evaluate("getComputedStyle(document.querySelector('main')).display") != "inline"
    page.get_by_role("link", name="API reference").click()
    page.wait_for_url(f"{base}/docs")
    page.get_by_role("link", name="Back to the page").click()
    page.wait_for_url(f"{base}/")
    assert all(one.startswith(f"{base}/") for one in asked)
    assert watch.complaints == []  # of files that are missing, say


@pytest.mark.browser
def test_the_reference_asks_below_the_prefix(visit: Visit, address: str) -> None:
    """R8: Swagger UI takes the address from ``servers``."""
    base = address.removesuffix("/")
    page, watch = visit(base, "/docs")
    page.locator("#operations-predict-predict_v1_predict_post .opblock-summary-control").click()
    page.get_by_role("button", name="Execute").click()
    live_answer = page.locator(".live-responses-table tbody .response-col_status").first
    expect(live_answer).to_contain_text("200")
    expect(page.locator(".request-url pre")).to_have_text(f"{base}/v1/predict")
    assert watch.complaints == []


def test_a_client_finds_everything_below_the_prefix(address: str) -> None:
    """R8: dialects, probes, redirects, the description, and what a refusal says to look at."""
    base = address.removesuffix("/")
    with httpx.Client(follow_redirects=True) as client:
        assert client.post(f"{base}/embed", json={"inputs": "good"}).status_code == 200
        assert client.head(f"{base}/readyz").status_code == 200
        assert client.get(f"{base}/openapi.json").json()["servers"] == [{"url": "/bert"}]
        for path in ("/docs/", "/v1/models/", "/page"):
            found = client.get(base + path)
            assert [one.status_code for one in found.history] == [307], path
            assert str(found.url).startswith(f"{base}/"), path
            assert found.status_code == (404 if path == "/page" else 200)
        assert "see /bert/docs for" in client.get(f"{base}/nope").json()["error"]["message"]


def test_a_path_has_one_spelling(tmp_path: Path) -> None:
    """R8: what the proxy refuses below the prefix stays out of reach, with the prefix twice and with a made-up one."""
    refusing = "location /bert/admin/ { return 403; }" + STRIPPED % TOLD
    with live({"reviews": WordCounter()}, perimeter=Perimeter(PerimeterSettings(edge=TRUSTING))) as url:
        behind = int(warm(url).rpartition(":")[2])
        with nginx(tmp_path, behind, locations=refusing) as port:
            for path in ("/bert/bert/admin/models/reviews", "/bert//admin/models/reviews", "/bert/bert/bert/livez"):
                answer = httpx.get(f"http://127.0.0.1:{port}{path}", headers={"X-Forwarded-Prefix": "/bert/bert"})
                assert answer.status_code in (403, 404), path
            headers = {"X-Forwarded-Prefix": "//evil.example"}
            told = httpx.get(f"http://127.0.0.1:{port}/bert/openapi.json", headers=headers).json()["servers"]
            assert told == [{"url": "/bert"}]  # nginx puts its own in the place of the client's


def test_tokens_are_given_and_checked_below_the_prefix(tmp_path: Path) -> None:
    """R8: with the public address as issuer, its metadata is found as RFC 8414, section 3.1, says, and names it all."""
    metadata = "/.well-known/oauth-authorization-server"
    locations = f"location = {metadata}/bert {{ proxy_pass http://models{metadata}; }}" + STRIPPED % TOLD
    with ExitStack() as stack:
        with listen("127.0.0.1", 0) as one:
            behind = one.getsockname()[1]
        port = stack.enter_context(nginx(tmp_path, behind, locations=locations))
        public = f"http://127.0.0.1:{port}/bert"
        database = f"sqlite:///{tmp_path / 'auth.db'}"
        settings = PerimeterSettings(auth=AuthSettings(issuer=public, database=database), edge=TRUSTING)
        store = stack.enter_context(CredentialStore(database))
        record, secret = new_client("nightly", frozenset({Scope.PREDICT}), now_s=1_790_000_000)
        store.add_client(record)
        perimeter = build(settings, "http://unused", store=store)
        warm(stack.enter_context(live({"reviews": WordCounter()}, perimeter=perimeter, port=behind)))

        told = httpx.get(f"http://127.0.0.1:{port}{metadata}/bert").json()
        assert told["issuer"] == public
        assert told["token_endpoint"] == f"{public}/oauth/token"
        assert told["jwks_uri"] == f"{public}/.well-known/jwks.json"
        form = {"grant_type": "client_credentials"}
        token = httpx.post(told["token_endpoint"], data=form, auth=(record.id, secret)).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.post(f"{public}/v1/predict", json={"text": "good"}, headers=headers).status_code == 200
        assert httpx.post(f"{public}/v1/predict", json={"text": "good"}).status_code == 401
        with ThreadPoolExecutor(1) as pool:  # a browser of the other tests may have a loop in this thread
            assert pool.submit(asyncio.run, _keys(public)).result() == 1


async def _keys(issuer: str) -> int:
    """How many keys another bertline would find that trusts this issuer."""
    async with Discovery(issuer) as provider:
        return len((await provider.key_set()).keys)
