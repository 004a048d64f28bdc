"""R8: the service below a prefix: what it is told of it, whom it believes, and what its answers then say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from bertline.service.app import REFUSE, create_app
from bertline.service.edge.prefix import LONGEST, prefix_of, relative_to, stripped
from bertline.service.edge.proxies import EdgeSettings, Proxies
from bertline.service.edge.shedding import Shedding
from bertline.service.guard.client import Client, Scope
from bertline.service.listeners import register
from bertline.service.perimeter import Perimeter, PerimeterSettings
from bertline.serving.problems import Code, Problem
from bertline.testing.words import WordCounter, serving_of
from tests.nightly import mostly_nightly
from tests.service.conftest import until_ready
from tests.service.logged import Log, client_of
from tests.service.test_guard import KEY, Known
from tests.service.test_shedding import PLAIN

PROXY, ELSEWHERE = "10.0.0.1", "192.0.2.1"
BERT = {"X-Forwarded-Prefix": "/bert"}
TRUSTING = EdgeSettings(trusted_proxies=("10.0.0.0/8",))
MALICIOUS = [
    "//evil.example", "//evil.example/bert", "/\\evil.example", "\\\\evil.example", "https://evil.example",
    "javascript:alert(1)", "data:text/html,x", "/bert//x", "/../bert", "/bert/..", "/./bert", "/bert/./x", "bert",
    "/be rt", "/bert?x=1", "/bert#x", "/%2e%2e/x", "/b%65rt", "/bert;a=1", '/"><script>alert(1)</script>', "/be\trt",
    "/bert\r\nSet-Cookie: a=1", "/b\xe9rt", "/@evil.example", "/:80", "/" + "x" * LONGEST, "/x" * 200, "/bert, /bert",
    "/a,/b", ",",
]  # fmt: skip


@contextmanager
def asking(edge: EdgeSettings, peer: str = PROXY, keys: Known | None = None) -> Iterator[TestClient]:
    """A client of the real app, which it reaches from this address."""
    perimeter = Perimeter(PerimeterSettings(edge=edge), keys=keys)
    app = create_app(serving_of({"reviews": WordCounter()}), perimeter)
    with TestClient(app, client=(peer, 4711), follow_redirects=False) as client:
        yield until_ready(client)


@pytest.fixture(scope="module")
def proxied() -> Iterator[TestClient]:
    """Asks by way of a trusted proxy."""
    with asking(TRUSTING) as client:
        yield client


def servers(client: TestClient, headers: Any = None, path: str = "/openapi.json") -> Any:
    """What the description of the API says of where it is."""
    return client.get(path, headers=headers).json().get("servers")


# --------------------------------------------------------------------------------------------------- what is believed


@pytest.mark.parametrize(
    ("claimed", "prefix"),
    [
        ("/bert", "/bert"),
        ("/bert/", "/bert"),
        ("/ml/bert-2.0_x~y", "/ml/bert-2.0_x~y"),
        ("/v1", "/v1"),
        ("/...", "/..."),
    ],
)
def test_a_trusted_proxy_declares_the_prefix_it_removed(proxied: TestClient, claimed: str, prefix: str) -> None:
    """R8: as Traefik's StripPrefix and Spring's gateway write it."""
    assert servers(proxied, {"X-Forwarded-Prefix": claimed}) == [{"url": prefix}]


def test_a_prefix_is_of_its_request_alone(proxied: TestClient) -> None:
    """R8: the description is made once and kept; the next client gets its own."""
    told = [
        servers(proxied, headers)
        for headers in ({}, BERT, {"X-Forwarded-Prefix": "/other"}, {}, {"X-Forwarded-Prefix": "/"})
    ]
    assert told == [None, [{"url": "/bert"}], [{"url": "/other"}], None, None]


@pytest.mark.parametrize("claimed", MALICIOUS)
def test_an_invalid_prefix_header_is_ignored(proxied: TestClient, claimed: str) -> None:
    """R8: the answer is that of a request without it."""
    headers = [(b"x-forwarded-prefix", claimed.encode("latin-1"))]
    assert prefix_of(claimed) is None
    assert servers(proxied, headers) is None
    assert proxied.get("/", headers=headers).content == proxied.get("/").content
    assert "evil" not in proxied.get("/docs/", headers=headers).headers["Location"]


def test_two_headers_are_not_believed(proxied: TestClient) -> None:
    """R8: a client's own and a proxy's: nobody can tell which is which."""
    assert servers(proxied, [("X-Forwarded-Prefix", "/evil"), ("X-Forwarded-Prefix", "/bert")]) is None


@pytest.mark.parametrize(
    ("edge", "peer"),
    [
        (EdgeSettings(), PROXY),
        (TRUSTING, ELSEWHERE),
        (EdgeSettings(trusted_proxies=("10.0.0.0/8",), forwarded_header="forwarded"), PROXY),
    ],
)
def test_headers_of_untrusted_peers_are_ignored(edge: EdgeSettings, peer: str) -> None:
    """R8: no proxy is trusted, another one is, or it writes the other kind of header."""
    with asking(edge, peer) as client:
        assert servers(client, BERT) is None


@pytest.mark.parametrize("peer", [PROXY, ELSEWHERE])
def test_the_setting_wins(peer: str) -> None:
    """R8: whatever a client has a proxy pass on."""
    with asking(EdgeSettings(trusted_proxies=("10.0.0.0/8",), root_path="/bert/")) as client:
        for headers in ({}, {"X-Forwarded-Prefix": "/evil"}):
            assert servers(client, headers) == [{"url": "/bert"}]


@pytest.mark.parametrize("value", [one for one in MALICIOUS if one.isprintable()])
def test_an_invalid_prefix_setting_is_rejected(value: str) -> None:
    """R8: with what one looks like."""
    with pytest.raises(
        ValidationError, match=r"is not a path prefix such as /bert or /ml/bert: write letters, digits and"
    ):
        EdgeSettings(root_path=value)


def test_there_has_to_be_something_to_strip() -> None:
    """R8: the two settings belong together."""
    with pytest.raises(ValidationError, match=r"strip_root_path has nothing to remove: set root_path to the prefix"):
        EdgeSettings(strip_root_path=True)


# ----------------------------------------------------------------------------------------------- what the answers say


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/docs/", "../docs"),
        ("/v1/models/", "../models"),
        ("/v1/models/?a=1&b=%2F", "../models?a=1&b=%2F"),
        ("/page", "./page/"),
        ("/v1/models/reviews/", "../reviews"),
    ],
)
@pytest.mark.parametrize("headers", [{}, BERT, {"Host": "evil.example"}, {**BERT, "X-Forwarded-Proto": "https"}])
def test_redirects_are_relative(proxied: TestClient, path: str, location: str, headers: dict[str, str]) -> None:
    """R8: they hold below any prefix, and for any name and scheme."""
    answer = proxied.get(path, headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (307, location)
    below = httpx.URL("https://models.example.com/bert" + path)
    assert below.join(location).path == "/bert" + path.partition("?")[0].rstrip("/") + ("/" if path == "/page" else "")


@pytest.mark.parametrize(("headers", "location"), [({}, "/docs"), (BERT, "/bert/docs")])
def test_several_slashes_are_not_counted(proxied: TestClient, headers: dict[str, str], location: str) -> None:
    """R8: clients differ on what ``..`` is there."""
    assert proxied.get("/docs///", headers=headers).headers["Location"] == location


def test_a_name_with_a_colon_is_not_a_scheme() -> None:
    """R8: ``reviews:predict/`` would be an address of the scheme reviews."""
    assert relative_to("/a/b:c", "http://inner/a/b:c/") == "./b:c/"
    assert relative_to("/a/b:c/", "http://inner/a/b:c") == "../b:c"


def test_a_refusal_links_to_the_reference_below_the_prefix(proxied: TestClient) -> None:
    """R8: an unknown path, a file that is not there, and a wrong method, which also lists the right ones."""
    for path in ("/nope", "/page/nope.js"):
        message = proxied.get(path, headers=BERT).json()["error"]["message"]
        assert message == "There is nothing at this path: see /bert/docs for the ones that answer."
    wrong = proxied.put("/v1/predict", headers=BERT)
    assert wrong.json()["error"]["message"] == "/bert/v1/predict does not take PUT: see /bert/docs."
    assert wrong.headers["Allow"] == "POST"
    assert proxied.patch("/page/page.js", headers=BERT).headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_links_of_the_pages(proxied: TestClient, path: str) -> None:
    """R8: relative where no prefix is known; with the prefix where it is, since ``/bert`` has no slash at its end."""
    plain, below = proxied.get(path).text, proxied.get(path, headers=BERT).text
    assert plain.count('="./') == below.count('="/bert/') > 3
    assert '="/' not in plain
    assert '="./' not in below
    assert below.replace('="/bert/', '="./') == plain
    assert proxied.get(path).headers["Cache-Control"] == "no-cache"


def test_head_is_get_below_a_prefix(proxied: TestClient) -> None:
    """R8: the lengths are those of the answers with the prefix."""
    for path in ("/", "/openapi.json", "/docs"):
        got, asked = proxied.get(path, headers=BERT), proxied.head(path, headers=BERT)
        assert asked.headers["Content-Length"] == got.headers["Content-Length"]


# ------------------------------------------------------------------------------------------- nobody is led astray by it

PATHS = [
    "/", "/docs", "/openapi.json", "/v1/models", "/v1/models/reviews", "/metrics", "/livez", "/page/page.js",
    "/admin/models/reviews", "/v2/models/reviews", "/models/reviews", "/models/reviews/info", "/nope", "/info",
]  # fmt: skip


@pytest.mark.parametrize(
    "prefix",
    mostly_nightly(["/bert", "/v1", "/models/reviews", "/admin", "/page", "/v1/models", "/docs", "/livez"], always=3),
)
@pytest.mark.parametrize("scopes", [frozenset[Scope](), frozenset({Scope.PREDICT}), frozenset({Scope.METRICS})])
def test_every_path_leads_where_it_leads_without_a_prefix(prefix: str, scopes: frozenset[Scope]) -> None:
    """R8: also where a prefix is like a path of ours: guard and router read one path, and none is read twice."""
    keys = Known(KEY, Client("a", scopes, "key"))
    with asking(TRUSTING, keys=keys) as client:
        for path in PATHS:
            for headers in ({}, {"X-API-Key": KEY}):
                plain = client.get(path, headers=headers)
                below = client.get(path, headers={**headers, "X-Forwarded-Prefix": prefix})
                assert below.status_code == plain.status_code, path
                assert below.headers["Content-Type"] == plain.headers["Content-Type"]
        assert client.get("/livez", headers={"X-Forwarded-Prefix": prefix}).status_code == 200


def test_a_prefix_is_stripped_only_where_the_setting_says_so_and_once() -> None:
    """R8: else a client behind a proxy that refuses ``/bert/admin/`` would ask for ``/bert/bert/admin/``."""
    with asking(EdgeSettings(root_path="/bert", trusted_proxies=("10.0.0.0/8",))) as client:
        assert client.get("/bert/v1/models").status_code == 404
        assert client.get("/v1/models").status_code == 200
    with asking(TRUSTING) as client:
        assert client.get("/bert/v1/models", headers=BERT).status_code == 404
    with asking(EdgeSettings(root_path="/bert", strip_root_path=True)) as client:
        assert client.get("/bert/v1/models").status_code == 200
        assert client.get("/bert/bert/v1/models").status_code == 404
        assert client.get("/bertv1/models").status_code == 404
        assert client.get("/readyz").status_code == 200  # a probe comes past the proxy
        assert client.post("/bert", json={"inputs": "good"}).json()[0]["label"] == "positive"
        assert '"/bert/page/page.js"' in client.get("/bert").text
        assert servers(client, path="/bert/openapi.json") == [{"url": "/bert"}]
        assert client.get("/bert/docs/").headers["Location"] == "../docs"


@pytest.mark.parametrize("path", ["", "*", "bert", "/", "/bert", "/bert/", "/bert//x", "/bert/bert"])
def test_a_path_below_a_prefix_begins_with_a_slash(path: str) -> None:
    """R8: whatever is stripped."""
    assert stripped(path, "/bert") == {"/bert": "/", "/bert/": "/", "/bert//x": "//x", "/bert/bert": "/bert"}.get(
        path, path or "/"
    )


def test_metrics_and_log_have_the_route_without_the_prefix() -> None:
    """R8: so that a chart does not change with the proxy."""
    out = Log()
    with client_of(WordCounter(), out) as plain:
        app = Proxies(plain.app, ["10.0.0.0/8"])
        client = TestClient(app, client=(PROXY, 9))
        until_ready(client)
        assert client.get("/v1/models/reviews", headers=BERT).status_code == 200
        assert 'route="/v1/models/{name}"' in client.get("/metrics").text
    assert [one["url.path"] for one in out.lines("/v1/models/{name}")] == ["/v1/models/{name}"]


def test_models_are_not_changed_through_a_proxy_that_says_only_the_prefix() -> None:
    """R8: the header gives a proxy on this machine away, like the others."""
    with asking(EdgeSettings(), "127.0.0.1") as client:
        client.headers["Host"] = "127.0.0.1"
        assert client.get("/admin/models/reviews").status_code == 200
        assert client.get("/admin/models/reviews", headers=BERT).json()["error"]["code"] == "not_local"


def test_a_full_queue_refuses_paths_that_keep_their_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """R8: at the sight of their head, like those without."""
    problem = Problem(Code.OVERLOADED, "The queue is full.", headers={"Retry-After": "1"})
    serving = serving_of({"reviews": WordCounter()})
    metrics = register(serving)
    shedding = Shedding(serving, REFUSE, "/bert", metrics.shed)
    monkeypatch.setattr(shedding, "_problem", lambda op, size: problem)
    for path in (b"/bert/v1/predict", b"/v1/predict", b"/bert/embed"):
        assert shedding.answer(b"POST", path, PLAIN)
    for path in (b"/bert/bert/v1/predict", b"/bertv1/predict", b"/bert"):
        assert shedding.answer(b"POST", path, PLAIN) is None
    assert 'route="/v1/predict"' in metrics.metrics.text().decode()
