"""Default deny: every route needs a scope, and only whoever has it gets further than its head."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from bertline.monitoring.addresses import ADDRESSES, BY_TEMPLATE
from bertline.service.app import REFUSE, create_app
from bertline.service.guard.client import Client, Scope
from bertline.service.guard.door import LONGEST_HEADER, Guard
from bertline.service.guard.scopes import check_all_named, required_scopes, templates
from bertline.service.perimeter import Perimeter
from bertline.service.route_table import every, template_of
from bertline.serving.problems import Code, Problem
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.fronted import admitting

CANARY = "canary-0Xb4d5ec2e7"
OPEN = {one.template for one in ADDRESSES if one.scope is None}
KEY, TOKEN = f"bl_good_{CANARY}", f"header.{CANARY}.signature"
FUZZ = int(os.environ.get("BERTLINE_FUZZ_EXAMPLES", "300"))


@dataclass
class Known:
    """In the place of a check: knows one credential."""

    credential: str
    client_: Client
    asked: list[str] = field(default_factory=list)

    async def client(self, credential: str) -> Client:
        self.asked.append(credential)
        if credential != self.credential:
            raise Problem(
                Code.INVALID_CREDENTIALS, "Nobody has this credential.", headers={"WWW-Authenticate": "Bearer"}
            )
        return self.client_


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(getattr(request.state, "client").id)  # noqa: B009 - what the guard put there


def app_of(*scopes: Scope, keys: bool = True, tokens: bool = True, failed: Any = lambda _: None) -> ASGIApp:
    inner = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
    guard = Guard(
        Known(TOKEN, Client("by token", frozenset(scopes), "token")) if tokens else None,
        Known(KEY, Client("by key", frozenset(scopes), "key")) if keys else None,
    )
    return admitting(inner, guard=guard, refuse=REFUSE, on_rejected=failed)


def basic(password: str, name: str = "anybody") -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app_of(Scope.PREDICT)) as one:
        yield one


# ---------------------------------------------------------------------------------------------- the table


def test_every_route_of_the_app_has_a_scope_or_is_one_of_the_open_ones() -> None:
    found = set(templates(create_app(serving_of({"reviews": WordCounter()})).routes))
    assert found
    assert found <= set(BY_TEMPLATE)
    assert set(BY_TEMPLATE) <= found, "the table names a route that is none"
    assert len(BY_TEMPLATE) == len(ADDRESSES), "an address is declared twice"


def test_every_scope_opens_an_address() -> None:
    assert {one.scope for one in ADDRESSES} - {None} == {one.value for one in Scope}


def test_the_table_has_the_methods_of_each_route() -> None:
    methods: dict[str, set[str]] = {}
    for route in every(create_app(serving_of({"reviews": WordCounter()})).routes):
        template = template_of(route) or ""
        own = {"GET"} if isinstance(route, Mount) else set(getattr(route, "methods", None) or ())
        methods.setdefault("/page" if template.startswith("/page") else template, set()).update(own - {"HEAD"})
    assert methods == {one.template: set(one.methods.split()) for one in ADDRESSES}


def test_only_probes_and_credential_routes_are_open() -> None:
    assert {
        "/livez", "/readyz", "/health", "/health/live", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready",
        "/oauth/token", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server",
    } == OPEN  # fmt: skip


def test_every_route_is_open_or_refuses_without_a_credential() -> None:
    """Each route, by each of its methods, without a credential: 401 before anything is looked at, or open."""
    perimeter = Perimeter(keys=Known(KEY, Client("a", frozenset(), "key")))
    app = create_app(serving_of({"reviews": WordCounter()}), perimeter)
    with TestClient(app) as client:
        until_ready(client)
        walked = 0
        for template in set(templates(app.routes)):
            path = template.replace("{name}", "reviews").replace("{version}", "1")
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
                status = client.request(method, path).status_code
                assert (status == 401) == (template not in OPEN), (method, path, status)
                walked += 1
        assert walked > 200


def test_a_route_without_a_scope_is_an_error_when_the_app_is_made() -> None:
    with pytest.raises(RuntimeError, match=r"/v1/secret has no scope"):
        check_all_named([Route("/v1/secret", echo)])


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1/models/reviews:predict", Scope.PREDICT),
        ("/v2/models/reviews/versions/1/infer", Scope.PREDICT),
        ("/page/page.js", Scope.PREDICT),
        ("/metrics", Scope.METRICS),
        ("/admin/models/reviews", Scope.ADMIN),
        ("/admin/models/reviews/rollback", Scope.ADMIN),
    ],
)
def test_the_scope_of_each_path(path: str, scope: Scope) -> None:
    assert required_scopes(path) == {scope}
    others = set(Scope) - {scope}
    with TestClient(app_of(*others)) as client:
        refused = client.get(path, headers={"Authorization": f"Bearer {KEY}"})
    assert refused.status_code == 403
    assert f'error="insufficient_scope", scope="{scope}"' in refused.headers["WWW-Authenticate"]
    with TestClient(app_of(scope)) as client:
        assert client.get(path, headers={"Authorization": f"Bearer {KEY}"}).text == "by key"


@pytest.mark.parametrize("path", ["/nowhere", "/admin", "/admin/models", "/v1", "/livez/x", "/%2e"])
def test_only_authenticated_clients_get_404(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.get(path, headers={"X-API-Key": KEY}).status_code == 200


@pytest.mark.parametrize("path", sorted(OPEN))
def test_an_open_path_looks_at_no_credential(path: str) -> None:
    async def open_(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(hasattr(request.state, "client")))

    guard = Guard(keys=Known(KEY, Client("a", frozenset(), "key")))
    guarded = admitting(Starlette(routes=[Route(path, open_)]), guard=guard)
    with TestClient(guarded) as client:
        assert client.get(path, headers={"Authorization": "Bearer nonsense"}).text == "False"


# ---------------------------------------------------------------------------------------------- credentials


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, "by token"),
        ({"Authorization": f"bearer  {TOKEN} "}, "by token"),
        ({"Authorization": f"Bearer {KEY}"}, "by key"),
        ({"X-API-Key": KEY}, "by key"),
        ({"Authorization": basic(KEY)}, "by key"),
        ({"Authorization": basic(KEY, ""), "Sec-Fetch-Site": "same-origin"}, "by key"),
        ({"Authorization": basic(KEY), "Sec-Fetch-Site": "none"}, "by key"),
    ],
)
def test_accepted_forms_of_credentials(client: TestClient, headers: Mapping[str, str], known: str) -> None:
    answer = client.post("/v1/predict", headers=headers)
    assert (answer.status_code, answer.text) == (200, known)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "},
        {"Authorization": f"Bearer x{TOKEN}"}, {"Authorization": f"Bearer bl_{CANARY}"},
        {"Authorization": f"Token {KEY}"}, {"Authorization": KEY}, {"X-API-Key": ""}, {"X-API-Key": "wrong"},
        {"Authorization": "Basic"}, {"Authorization": "Basic !!!"}, {"Authorization": basic("wrong")},
        {"Authorization": f"Basic {base64.b64encode(b'no colon').decode()}"},
        {"Authorization": f"Basic {base64.b64encode(bytes([255, 254])).decode()}"},
        {"Authorization": f"Bearer {'x' * LONGEST_HEADER}"},
        {"Authorization": f"Bearer {TOKEN}", "X-API-Key": KEY},
    ],
)  # fmt: skip
def test_an_invalid_credential_is_rejected_without_being_quoted(client: TestClient, headers: Mapping[str, str]) -> None:
    refused = client.post("/v1/predict", headers=headers)
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_credentials"
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert CANARY not in refused.text + str(refused.headers)


def test_two_of_a_kind_are_refused(client: TestClient) -> None:
    twice = [("Authorization", f"Bearer {KEY}"), ("Authorization", f"Bearer {KEY}")]
    assert client.post("/v1/predict", headers=twice).status_code == 401


def test_without_credentials_the_response_explains_what_to_send(client: TestClient) -> None:
    refused = client.post("/v1/predict")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthenticated")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="bertline"'  # RFC 6750: no error where none was sent


def test_browsers_get_a_password_prompt_on_pages_only(client: TestClient) -> None:
    for path in ("/", "/docs", "/page/page.css"):
        assert client.get(path).headers["WWW-Authenticate"] == 'Basic realm="bertline", charset="UTF-8"'
        wrong = client.get(path, headers={"Authorization": basic("wrong")})
        assert wrong.headers["WWW-Authenticate"].startswith("Basic")
    wrong = client.post("/v1/predict", headers={"Authorization": basic("wrong")})
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_a_page_of_another_site_cannot_use_the_browsers_password(client: TestClient, site: str) -> None:
    refused = client.post("/v1/predict", headers={"Authorization": basic(KEY), "Sec-Fetch-Site": site})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insufficient_scope")


@pytest.mark.parametrize(("keys", "tokens", "credential"), [(True, False, TOKEN), (False, True, KEY)])
def test_a_kind_that_the_server_does_not_take_is_refused(keys: bool, tokens: bool, credential: str) -> None:
    with TestClient(app_of(Scope.PREDICT, keys=keys, tokens=tokens)) as client:
        assert client.post("/v1/predict", headers={"Authorization": f"Bearer {credential}"}).status_code == 401


def test_other_dialects_are_refused_in_their_own_shape(client: TestClient) -> None:
    assert "error_type" in client.post("/embed").json()
    assert client.post("/v1/embeddings").json()["error"]["type"]


def test_each_refusal_is_reported() -> None:
    told: list[Problem] = []
    with TestClient(app_of(Scope.PREDICT, failed=told.append)) as client:
        client.post("/v1/predict")
        client.post("/v1/predict", headers={"X-API-Key": "wrong"})
        client.get("/metrics", headers={"X-API-Key": KEY})
        client.post("/v1/predict", headers={"X-API-Key": KEY})
    assert [one.code for one in told] == [Code.UNAUTHENTICATED, Code.INVALID_CREDENTIALS, Code.INSUFFICIENT_SCOPE]


def test_without_authentication_every_client_is_anonymous() -> None:
    with TestClient(app_of(keys=False, tokens=False)) as client:
        assert client.get("/metrics", headers={"Authorization": "Bearer nonsense"}).text == "anonymous"


@settings(max_examples=FUZZ, deadline=None)
@given(
    name=st.sampled_from(["Authorization", "X-API-Key", "Sec-Fetch-Site"]),
    value=st.one_of(
        st.binary(max_size=200),
        st.sampled_from([b"Bearer ", b"Basic ", b"bearer bl_"]).flatmap(
            lambda head: st.binary(max_size=80).map(head.__add__)
        ),
    ),
    path=st.sampled_from(["/v1/predict", "/", "/metrics", "/v1/models/é:predict", "/nowhere"]),
)
def test_whatever_is_sent_gets_an_answer_and_no_way_in(name: str, value: bytes, path: str) -> None:
    import asyncio

    app, sent = app_of(Scope.PREDICT), []
    headers = [(name.lower().encode(), value), (b"x-canary", CANARY.encode())]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b"", "root_path": ""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] in (401, 403)
    assert CANARY.encode() not in b"".join(one.get("body", b"") for one in sent)
