"""The token endpoint over a real socket, asked by real clients, its tokens verified by others."""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import KeySet

from bertline.service.app import create_app
from bertline.service.guard import credentials
from bertline.service.guard.bearer import BearerTokens
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.clients import Clients, new_client
from bertline.service.guard.failures import Failures
from bertline.service.guard.issuer import Issuer
from bertline.service.guard.signing import SigningKeys
from bertline.service.guard.store import CredentialStore
from bertline.service.guard.trust import Trust
from bertline.service.routes import oauth
from bertline.service.run import listen, page_url
from bertline.testing.clock import Clock
from bertline.testing.words import WordCounter, serving_of
from tests.service.live import warm

AUDIENCE = "bertline"
GRANT = {"grant_type": "client_credentials"}


class Service:
    """A server with its own issuer, and one client."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url, self.directory = url, directory
        self.store = CredentialStore(f"sqlite:///{directory / 'auth.db'}")
        record, self.secret = new_client("nightly", frozenset({Scope.PREDICT, Scope.METRICS}), now_s=1_790_000_000)
        self.store.add_client(record)
        self.id, self.clock = record.id, Clock()
        self.issuer = Issuer(SigningKeys(self.store, url), Clients(self.store, Failures(self.clock)), AUDIENCE)

    def post(self, **more: Any) -> httpx.Response:
        """Ask for a token with the right secret, unless ``more`` says otherwise."""
        asked: dict[str, Any] = {"data": GRANT, "auth": (self.id, self.secret)}
        return httpx.post(f"{self.url}/oauth/token", **{**asked, **more})


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    app: FastAPI = create_app(serving_of({"reviews": WordCounter()}))
    if not any(getattr(route, "path", "") == oauth.TOKEN_PATH for route in app.routes):
        app.include_router(oauth.router)
    with listen("127.0.0.1", 0) as listener:
        one = Service(page_url(listener), tmp_path)
        app.state.issuer = one.issuer
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            warm(one.url)
            yield one
        finally:
            server.should_exit = True
            thread.join(timeout=30)
            one.store.close()
    assert not thread.is_alive()


def verified(service: Service, token: str) -> jwt.Token:
    """What a stranger finds who has the URL of the issuer only (RFC 8414)."""
    metadata = httpx.get(f"{service.url}/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == service.url
    keys = KeySet.import_key_set(httpx.get(metadata["jwks_uri"]).json())
    return jwt.decode(token, keys, algorithms=["ES256"])


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_real_client_gets_a_token_that_others_can_verify(service: Service, method: str) -> None:
    metadata = httpx.get(f"{service.url}/.well-known/oauth-authorization-server").json()
    assert method in metadata["token_endpoint_auth_methods_supported"]
    with OAuth2Session(service.id, service.secret, token_endpoint_auth_method=method) as session:
        token = session.fetch_token(metadata["token_endpoint"], grant_type=metadata["grant_types_supported"][0])
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 900, "metrics predict")
    found = verified(service, token["access_token"])
    assert found.header["typ"] == "at+jwt"
    claims = {name: found.claims[name] for name in ("iss", "aud", "sub", "client_id", "scope")}
    expected = {"iss": service.url, "aud": AUDIENCE, "sub": service.id, "client_id": service.id}
    assert claims == {**expected, "scope": "metrics predict"}
    assert found.claims["exp"] - found.claims["iat"] == 900


def test_the_guards_own_check_of_tokens_takes_it(service: Service) -> None:
    token = service.post(data={**GRANT, "scope": "predict"}).json()["access_token"]
    tokens = BearerTokens([Trust(SigningKeys(service.store, service.url), AUDIENCE)])
    assert asyncio.run(tokens.client(token)) == Client(service.id, frozenset({Scope.PREDICT}), "token")


def test_a_real_client_gets_the_reason(service: Service) -> None:
    with OAuth2Session(service.id, "wrong") as session, pytest.raises(OAuthError, match="invalid_client"):
        session.fetch_token(f"{service.url}/oauth/token", grant_type="client_credentials")


def test_answers_are_not_cached(service: Service) -> None:
    for answer in (service.post(), service.post(auth=("nobody", "nothing")), service.post(data={})):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        assert answer.headers["content-type"] == "application/json"


def test_a_key_is_published_longer_than_the_key_set_may_be_cached(service: Service) -> None:
    answer = httpx.get(f"{service.url}/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"


@pytest.mark.parametrize(
    ("scope", "given"),
    [
        ("predict", "predict"),
        ("metrics predict", "metrics predict"),
        ("", "metrics predict"),
        ("predict predict", "predict"),
    ],
)
def test_a_token_has_the_requested_scopes(service: Service, scope: str, given: str) -> None:
    answer = service.post(data={**GRANT, "scope": scope})
    assert answer.json()["scope"] == verified(service, answer.json()["access_token"]).claims["scope"] == given


@pytest.mark.parametrize("scope", ["admin", "predict admin", "conquer", " ", "PREDICT"])
def test_a_scope_that_the_client_does_not_have_is_refused(service: Service, scope: str) -> None:
    answer = service.post(data={**GRANT, "scope": scope})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert answer.json()["error_description"] == "This client may request these scopes: metrics predict."


@pytest.mark.parametrize("credential", ["secret", "id", "nothing", "unreadable", "bearer"])
@pytest.mark.parametrize("way", ["basic", "post"])
def test_an_unknown_client_gets_401_with_a_challenge(service: Service, credential: str, way: str) -> None:
    unknown = credentials.new(credentials.CLIENT)
    pair = {"secret": (service.id, unknown.text), "id": (unknown.id, service.secret)}.get(credential)
    if pair is None:
        headers = {"nothing": {}, "unreadable": {"Authorization": "Basic ###"}, "bearer": {"Authorization": "Bearer x"}}
        answer = service.post(auth=None, headers=headers[credential])
    elif way == "basic":
        answer = service.post(auth=pair)
    else:
        answer = service.post(auth=None, data={**GRANT, "client_id": pair[0], "client_secret": pair[1]})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"] == 'Basic realm="bertline"'
    if pair:  # nobody learns which ids there are
        assert answer.json()["error_description"] == "The client id or its secret is wrong."


def test_other_grants_are_refused_without_quoting_them(service: Service) -> None:
    answer = service.post(data={"grant_type": "password"})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
    assert answer.json()["error_description"] == "Only grant_type=client_credentials is supported: send that."


@pytest.mark.parametrize(
    "more",
    [
        {"data": {}},
        {"data": {"scope": "predict"}},
        {"data": {"grant_type": ["client_credentials", "client_credentials"]}},
        {"data": {**GRANT, "scope": ["predict", "predict"]}},
        {"data": {**GRANT, "client_secret": "again"}},
        {"data": None, "json": GRANT},
        {"data": None, "content": b"\xff", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ],
)
def test_a_malformed_request_is_refused(service: Service, more: dict[str, Any]) -> None:
    answer = service.post(**more)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert set(answer.json()) == {"error", "error_description"}


def test_a_secret_in_the_url_is_not_looked_at(service: Service) -> None:
    query = {**GRANT, "client_id": service.id, "client_secret": service.secret}
    assert service.post(auth=None, params=query, data=GRANT).status_code == 401


def test_a_body_that_is_too_large_is_refused_in_the_words_of_oauth(service: Service) -> None:
    answer = service.post(data={**GRANT, "filler": "x" * 20_000})
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")


def test_wrong_secrets_are_slowed_by_client_and_by_address(service: Service) -> None:
    wrong = credentials.new(credentials.CLIENT)
    assert [service.post(auth=(service.id, wrong.text)).status_code for _ in range(10)] == [401] * 10
    for auth in ((service.id, service.secret), (wrong.id, wrong.text)):
        answer = service.post(auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
        assert answer.headers["retry-after"] == "60"
    service.clock.now_s += 60
    assert service.post().status_code == 200


def test_wrong_secrets_that_come_at_once_are_slowed_too(service: Service) -> None:
    wrong = [credentials.new(credentials.CLIENT) for _ in range(40)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda one: service.post(auth=(one.id, one.text)).status_code, wrong))
    assert (answers.count(401), answers.count(429)) == (10, 30)


def test_right_secrets_are_not_slowed(service: Service) -> None:
    assert [service.post().status_code for _ in range(30)] == [200] * 30


def test_a_client_that_was_removed_gets_no_token(service: Service) -> None:
    service.store.remove_client(service.id)
    assert service.post().status_code == 401


def test_while_the_database_is_down_clients_get_503(service: Service) -> None:
    service.post()
    (service.directory / "auth.db").rename(service.directory / "away.db")
    answer = service.post()
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "5"


def test_a_server_without_an_issuer_says_so(service: Service) -> None:
    app = create_app(serving_of({"reviews": WordCounter()}))
    app.include_router(oauth.router)
    transport = httpx.ASGITransport(app=app)

    async def story() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.post("/oauth/token", data=GRANT)

    answer = asyncio.run(story())
    assert answer.status_code == 404
    assert answer.json()["error_description"] == "This server issues no tokens: its built-in issuer is off."


def test_an_unknown_client_is_compared_like_a_known_one(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str | None] = []
    real = credentials.matches

    def spy(text: str, kept: str | None) -> bool:
        compared.append(kept)
        return real(text, kept)

    monkeypatch.setattr(credentials, "matches", spy)
    service.post()
    service.post(auth=(credentials.new(credentials.CLIENT).id, service.secret))
    service.post(auth=("no id of ours", service.secret))
    assert compared == [credentials.digest(service.secret), None, None]


def test_secrets_and_tokens_are_in_no_log_and_no_error_and_the_secret_not_in_the_database(service: Service) -> None:
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        token = service.post().json()["access_token"]
        refused = [
            service.post(data={**GRANT, "client_secret": service.secret}),
            service.post(data={**GRANT, "scope": service.secret}),
            service.post(data={"grant_type": service.secret}),
            service.post(auth=(service.secret, service.secret)),
            service.post(auth=None, data={**GRANT, "client_id": service.id, "client_secret": f"{service.secret}x"}),
        ]
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert [one.status_code for one in refused] == [400, 400, 400, 401, 401]
    files = b"".join(path.read_bytes() for path in service.directory.iterdir()).decode("latin-1")
    secret = service.secret[13:]
    bodies = [one.text + str(one.headers) for one in refused]
    seen = [stream.getvalue(), files, *bodies, repr(service.store.clients()), repr(service.issuer)]
    assert not [one for one in seen if secret in one]
    assert token not in stream.getvalue() + files
