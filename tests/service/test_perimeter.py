"""The parts together, as people start them: ``bertline serve`` with keys, HTTPS, limits and a log, a real process."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright
from prometheus_client.parser import text_string_to_metric_families

from bertline.errors import SettingsError
from bertline.service.guard.settings import AuthSettings
from bertline.service.limits.settings import LimitSettings
from bertline.service.perimeter import PerimeterSettings, build
from bertline.testing.tiny import write_tiny_bundle
from tests.service.browsing import FLAGS
from tests.service.spawn import COMMAND, ENVIRONMENT, Spawned, spawned

CANARY = "zanzibar-4711"
REQUESTS_A_MINUTE = 12


def bertline(*arguments: str) -> str:
    """What the command prints."""
    command = [sys.executable, "-c", COMMAND, *arguments]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout


@dataclass
class Guarded:
    """A server with everything on, and the credentials of its clients."""

    server: Spawned
    context: ssl.SSLContext
    key: str
    admin: str
    client_id: str
    client_secret: str

    def client(self, **more: Any) -> httpx.Client:
        """A client that trusts its certificate."""
        return httpx.Client(base_url=self.server.url, verify=self.context, **more)

    def bearing(self, credential: str) -> httpx.Client:
        """A client that shows this."""
        return self.client(headers={"Authorization": f"Bearer {credential}"})

    def token(self) -> str:
        """A token of the server's own issuer."""
        with self.client() as client:
            found = client.post(
                "/oauth/token", data={"grant_type": "client_credentials"}, auth=(self.client_id, self.client_secret)
            )
        assert found.status_code == 200, found.text
        token: str = found.json()["access_token"]
        return token


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    bundle, certs, database = folder / "tiny", folder / "certs", f"sqlite:///{folder / 'auth.db'}"
    write_tiny_bundle(bundle, engine=True)
    bertline("tls", "dev", "--out", str(certs))
    key = bertline("auth", "key", "add", "report", "--scope", "predict", "--database", database).strip()
    scopes = ("--scope", "admin", "--scope", "metrics")
    admin = bertline("auth", "key", "add", "operator", *scopes, "--database", database).strip()
    made = json.loads(
        bertline("auth", "client", "add", "nightly", "--scope", "predict", "--database", database, "--json")
    )
    arguments = (
        str(bundle), "--drain-s", "0", "--host", "0.0.0.0", "--auth-database", database,
        "--tls-certificate", str(certs / "server.pem"), "--tls-key", str(certs / "server-key.pem"),
        "--limits-requests-per-minute", str(REQUESTS_A_MINUTE), "--logs-format", "json", "--logs-strict",
        "--auth-issuer", "https://localhost",
    )  # fmt: skip
    with spawned(*arguments) as server:
        context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
        yield Guarded(server, context, key, admin, made["client_id"], made["client_secret"])


def test_it_is_reached_by_https_and_says_so(guarded: Guarded) -> None:
    assert guarded.server.url.startswith("https://127.0.0.1:")
    with guarded.client() as client:
        assert client.get("/livez").status_code == 200
        assert "Strict-Transport-Security" not in client.get("/livez").headers  # not of this machine's own names
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{guarded.server.url}/livez")
    with pytest.raises(httpx.TransportError):
        httpx.get(guarded.server.url.replace("https", "http") + "/livez")


def test_a_request_without_a_credential_is_rejected(guarded: Guarded) -> None:
    with guarded.client() as client:
        for path in ("/", "/docs", "/openapi.json", "/metrics", "/v1/models", "/nowhere"):
            assert client.get(path).status_code == 401, path
        assert client.post("/v1/predict", json={"text": "it is a film"}).status_code == 401
        assert client.get("/readyz").status_code == 200


def test_a_key_a_token_and_a_browsers_password_get_an_answer(guarded: Guarded) -> None:
    body = {"text": "it is a film"}
    with guarded.bearing(guarded.key) as client:
        by_key = client.post("/v1/predict", json=body)
    with guarded.bearing(guarded.token()) as client:
        by_token = client.post("/v1/predict", json=body)
    with guarded.client(auth=("me", guarded.key)) as client:
        assert "<html" in client.get("/").text
        by_password = client.post("/v1/predict", json=body)
    assert by_key.status_code == by_token.status_code == by_password.status_code == 200
    assert by_key.json() == by_token.json() == by_password.json()
    assert by_key.headers["X-RateLimit-Limit"]


@pytest.mark.browser
def test_the_page_works_behind_its_password(guarded: Guarded, chromium: str) -> None:
    """The browser asks for it once, and the page's own requests carry it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        password = {"username": "anybody", "password": guarded.key}
        context = browser.new_context(http_credentials=password, ignore_https_errors=True)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(guarded.server.url)
        page.locator("textarea").first.fill("it is a film")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("Answered in")).to_be_visible()
        browser.close()


def test_scopes_decide(guarded: Guarded) -> None:
    with guarded.bearing(guarded.key) as client:
        assert client.get("/metrics").status_code == client.get("/admin/models/tiny").status_code == 403
    with guarded.bearing(guarded.admin) as client:
        assert client.post("/v1/predict", json={"text": "it"}).status_code == 403
        assert client.get("/admin/models/tiny").json()["current"]["name"] == "tiny"
        assert client.get("/metrics").status_code == 200


def test_a_key_that_is_revoked_no_longer_opens(guarded: Guarded, tmp_path: Path) -> None:
    database = next(word for word in guarded_arguments(guarded) if word.startswith("sqlite"))
    key = bertline("auth", "key", "add", "short", "--scope", "predict", "--database", database).strip()
    with guarded.bearing(key) as client:
        until_answers(client, 200)  # a key that is not known is looked up at most once a second
        bertline("auth", "key", "revoke", key[:11], "--database", database)
        until_answers(client, 401)


def until_answers(client: httpx.Client, status: int) -> None:
    """Wait for this answer."""
    until_s = time.monotonic() + 30
    while client.get("/v1/models").status_code != status:
        assert time.monotonic() < until_s
        time.sleep(0.2)


def guarded_arguments(guarded: Guarded) -> list[str]:
    """The words of its command line."""
    return Path(f"/proc/{guarded.server.pid}/cmdline").read_bytes().decode().split("\0")


def test_a_client_has_its_own_limit(guarded: Guarded) -> None:
    database = next(word for word in guarded_arguments(guarded) if word.startswith("sqlite"))
    keys = [bertline("auth", "key", "add", name, "--scope", "predict", "--database", database).strip() for name in "ab"]
    with guarded.bearing(keys[0]) as greedy, guarded.bearing(keys[1]) as modest:
        until_answers(greedy, 200)
        until_answers(modest, 200)
        found = [greedy.post("/v1/predict", json={"text": "it"}) for _ in range(REQUESTS_A_MINUTE + 3)]
        assert [one.status_code for one in found[:REQUESTS_A_MINUTE]] == [200] * REQUESTS_A_MINUTE
        assert found[-1].status_code == 429
        assert found[-1].json()["error"]["code"] == "rate_limited"
        assert int(found[-1].headers["Retry-After"]) >= 1
        assert modest.post("/v1/predict", json={"text": "it"}).status_code == 200


def test_refused_requests_are_counted(guarded: Guarded) -> None:
    with guarded.client() as client:
        assert client.get("/v1/models").status_code == 401
    with guarded.bearing(guarded.admin) as client:
        text = client.get("/metrics").text
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["bertline_auth_failures_total", "unauthenticated"] >= 1
    assert found["bertline_certificate_expiry_timestamp_seconds", "server"] > 1.7e9
    assert found["bertline_phase_seconds_count", "tiny", "post-process"] >= 1


def test_no_text_and_no_credential_is_in_the_log(guarded: Guarded) -> None:
    """Planted wherever a client may put something; and a line each says who asked for what."""
    token = guarded.token()
    with guarded.bearing(token) as client:
        client.post("/v1/predict", json={"text": f"it {CANARY}"})
        client.post("/v1/predict", json={"text": f"it {CANARY}", CANARY: 1})
        client.post(
            "/v1/predict", content=f'{{"text": "{CANARY}'.encode(), headers={"Content-Type": "application/json"}
        )
        client.get(f"/v1/models/{CANARY}?q={CANARY}", headers={"Cookie": CANARY, "Referer": f"https://{CANARY}"})
        client.get(f"/{CANARY}")
    with guarded.client() as client:
        client.get("/v1/models", headers={"Authorization": f"Bearer {CANARY}", "X-API-Key": CANARY})
        client.get("/v1/models", auth=(CANARY, CANARY))
        client.post("/oauth/token", data={"grant_type": CANARY, "client_secret": CANARY}, auth=(CANARY, CANARY))
        last = client.get("/v1/models", headers={"X-Request-Id": "the-last-of-them"})
    assert last.headers["X-Request-Id"] == "the-last-of-them"
    until_s = time.monotonic() + 30
    while "the-last-of-them" not in (log := guarded.server.errors()):
        assert time.monotonic() < until_s
        time.sleep(0.05)
    for secret in (CANARY, guarded.key, guarded.admin, guarded.client_secret, token, token.rpartition(".")[2]):
        assert secret not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    answered = [one for one in lines if one["message"] == "POST /v1/predict 200"]
    assert {one["bertline.model.name"] for one in answered} == {"tiny"}
    assert guarded.client_id in str(answered[-1])


# ------------------------------------------------------------------------------------------- what is put together


def test_nothing_set_is_nothing_there() -> None:
    built = build(PerimeterSettings(), "http://127.0.0.1:8000")
    assert (built.tokens, built.keys, built.issuer, built.limits, built.hosts) == (None, None, None, None, ())
    assert not built.providers


def test_the_built_in_issuer_needs_a_database() -> None:
    with pytest.raises(SettingsError, match=r"auth\.issuer is for the built-in issuer, which needs a database"):
        build(PerimeterSettings(auth=AuthSettings(issuer="https://models.example.com")), "http://127.0.0.1:8000")


def test_a_provider_and_limits_are_made_of_their_settings() -> None:
    settings = PerimeterSettings(
        auth=AuthSettings(issuers=("https://id.example.com",)), limits=LimitSettings(tokens_per_day=1000)
    )
    built = build(settings, "http://127.0.0.1:8000")
    assert [one.issuer for one in built.providers] == ["https://id.example.com"]
    assert built.tokens is not None
    assert built.keys is None
    assert built.limits is not None


def test_an_unprotected_address_is_refused_by_the_command(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    command = [sys.executable, "-c", COMMAND, "serve", str(tmp_path / "tiny"), "--host", "0.0.0.0", "--port", "0"]
    ended = subprocess.run(command, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert "without authentication: set --auth-issuers" in ended.stderr
