"""Who asks, when there are proxies between, and when somebody only says that there are."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import uvicorn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.responses import JSONResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from bertline.service.app import REFUSE, create_app
from bertline.service.edge.prefix import prefix_of
from bertline.service.edge.proxies import MOST_HOPS, EdgeSettings, Hosts, Proxies, hosts_of, parse_address
from bertline.service.run import listen
from bertline.testing.words import WordCounter, serving_of
from tests.programs import program
from tests.service.conftest import until_ready
from tests.service.fronted import fronted
from tests.service.proxying import until_open

EXAMPLES = int(os.environ.get("BERTLINE_FUZZ_EXAMPLES", "300"))
TRUSTED = ("10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1")
PROXY, CLIENT, PEER = "10.0.0.1", "203.0.113.7", ("10.0.0.1", 4711)
Headers = list[tuple[bytes, bytes]]


def through(headers: Headers, peer: tuple[str, int] | None = PEER, header: Any = "x-forwarded") -> Scope:
    """The scope that the app gets for a request with these headers."""
    got: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got.append(scope)

    async def nothing(*_: Any) -> Any:
        raise AssertionError("it has nothing to read or send")

    scope: Scope = {"type": "http", "client": peer, "scheme": "http", "headers": [(b"host", b"inner:8000"), *headers]}
    running = Proxies(app, TRUSTED, header)(scope, nothing, nothing)
    with pytest.raises(StopIteration):
        running.send(None)  # type: ignore[attr-defined]  # it waits for nothing, so no loop is needed
    return got[0]


def host(scope: Scope) -> bytes:
    (one,) = (value for name, value in scope["headers"] if name == b"host")
    return one


def xff(*values: str) -> Headers:
    return [(b"x-forwarded-for", value.encode("latin-1")) for value in values]


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ((CLIENT,), (CLIENT, 0)),
        ((f"{CLIENT}:50000",), (CLIENT, 50_000)),
        (("2001:db8::7",), ("2001:db8::7", 0)),
        (("[2001:DB8::7]:443",), ("2001:db8::7", 443)),
        ((f"::ffff:{CLIENT}",), (CLIENT, 0)),
        ((f"{CLIENT}, 10.9.9.9",), (CLIENT, 0)),
        ((f"{CLIENT},10.9.9.9", "2001:db8:1::5"), (CLIENT, 0)),  # two header lines are one list
        (("127.0.0.1, 203.0.113.7",), (CLIENT, 0)),  # what stands before the client is the client's own word
        (("10.0.0.1, 203.0.113.7, 10.9.9.9",), (CLIENT, 0)),
        (("198.51.100.1", CLIENT), (CLIENT, 0)),
        (("10.1.1.1, 10.2.2.2",), ("10.1.1.1", 0)),  # all known: the farthest
        ((f"unknown, {CLIENT}",), (CLIENT, 0)),
        ((f"{CLIENT}, unknown",), PEER),
        ((f"{CLIENT}, unknown, 10.2.2.2",), ("10.2.2.2", 0)),
        ((f"{CLIENT},",), PEER),
        (("",), PEER),
        ((f"{CLIENT}:99999",), PEER),
        ((f"{CLIENT}:-1",), PEER),
        ((f"{CLIENT}:",), PEER),
        ((f"{CLIENT} {CLIENT}",), PEER),
        (("203.0.113",), PEER),
        (("203.0.113.007",), PEER),
        (("0xcb.0.113.7",), PEER),
        (("fe80::1%eth0",), PEER),
        (("[203.0.113.7]",), PEER),
        (("[2001:db8::7",), PEER),
        (("٢٠٣.0.113.7".encode().decode("latin-1"),), PEER),
        (("localhost",), PEER),
        (("x" * 5000,), PEER),
    ],
)
def test_the_first_untrusted_address_is_the_client(values: tuple[str, ...], client: tuple[str, int]) -> None:
    assert through(xff(*values))["client"] == client


@pytest.mark.parametrize("header", ["x-forwarded", "forwarded"])
@pytest.mark.parametrize(
    "peer", [("192.0.2.1", 1), ("11.0.0.1", 1), ("::1", 1), ("2001:db8:2::1", 1), ("testclient", 1), ("", 0), None]
)
def test_headers_of_untrusted_peers_are_ignored(peer: tuple[str, int] | None, header: str) -> None:
    claims = [
        *xff("127.0.0.1"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"localhost"),
        (b"forwarded", b"for=127.0.0.1;proto=https;host=localhost"),
    ]
    scope = through(claims, peer, header)
    assert (scope["client"], scope["scheme"], host(scope)) == (peer, "http", b"inner:8000")


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8:1::1", "2001:DB8:1:0::1", "127.0.0.1"])
def test_a_proxy_is_known_however_its_address_is_written(peer: str) -> None:
    assert through(xff(CLIENT), (peer, 1))["client"] == (CLIENT, 0)


def test_without_trusted_proxies_headers_are_ignored() -> None:
    assert EdgeSettings().trusted_proxies == ()


@pytest.mark.parametrize(
    ("header", "claims"),
    [("x-forwarded", [(b"forwarded", b"for=127.0.0.1;proto=https")]), ("forwarded", xff("127.0.0.1"))],
)
def test_a_header_that_the_proxy_does_not_write_is_not_looked_at(header: str, claims: Headers) -> None:
    scope = through(claims, header=header)
    assert (scope["client"], scope["scheme"]) == (PEER, "http")


@pytest.mark.parametrize(
    ("headers", "scheme", "name"),
    [
        ({"proto": "https", "host": "models.example.com"}, "https", b"models.example.com"),
        ({"for": CLIENT, "proto": "HTTPS", "host": "models.example.com:8443"}, "https", b"models.example.com:8443"),
        ({"for": f"{CLIENT}, 10.2.2.2", "proto": "https"}, "https", b"inner:8000"),
        ({"for": f"{CLIENT}, 10.2.2.2", "proto": "https, http"}, "https", b"inner:8000"),
        ({"for": f"x, {CLIENT}, 10.2.2.2", "proto": "http, https, http"}, "https", b"inner:8000"),
        ({"for": f"{CLIENT}", "proto": "https, http"}, "http", b"inner:8000"),  # whose is which?
        ({"for": CLIENT, "proto": "ftp", "host": "a b"}, "http", b"inner:8000"),
        ({"proto": "https://", "host": "a\r\nb: c"}, "http", b"inner:8000"),
        ({"host": "user@models.example.com"}, "http", b"inner:8000"),
        ({"host": "[::1]:8000"}, "http", b"[::1]:8000"),
        ({"host": "a/../b"}, "http", b"inner:8000"),
        ({"host": "é.example"}, "http", b"inner:8000"),
    ],
)
def test_scheme_and_host(headers: dict[str, str], scheme: str, name: bytes) -> None:
    scope = through([(f"x-forwarded-{key}".encode(), value.encode()) for key, value in headers.items()])
    assert (scope["scheme"], host(scope)) == (scheme, name)


@pytest.mark.parametrize(
    ("value", "client", "scheme"),
    [
        ("for=203.0.113.7", (CLIENT, 0), "http"),
        ('For="203.0.113.7:47011";Proto=https;by=10.0.0.1', (CLIENT, 47_011), "https"),
        ('for="[2001:db8::7]"', ("2001:db8::7", 0), "http"),
        ('for="[2001:db8::7]:_port"', ("2001:db8::7", 0), "http"),
        ("for=127.0.0.1, for=203.0.113.7;proto=https, for=10.2.2.2;proto=http", (CLIENT, 0), "https"),
        ("for=203.0.113.7 , for=10.2.2.2;proto=https", (CLIENT, 0), "https"),
        ("for=_hidden;proto=https", PEER, "https"),  # of the proxy itself: it may keep the client to itself
        ("for=unknown", PEER, "http"),
        ("for=203.0.113.7, for=_hidden", PEER, "http"),
        ("proto=https", PEER, "https"),
        ("for=203.0.113.7;for=127.0.0.1", PEER, "http"),
        ("for = 203.0.113.7", PEER, "http"),
        ('for="203.0.113.7', PEER, "http"),
        ('for="203.0.113.7\\"', PEER, "http"),
        ("for=", PEER, "http"),
        (";;", PEER, "http"),
        ('for=1.2.3.4;x=", for=203.0.113.7', (CLIENT, 0), "http"),  # an open quote swallows nothing
    ],
)
def test_rfc_7239(value: str, client: tuple[str, int], scheme: str) -> None:
    scope = through([(b"forwarded", value.encode())], header="forwarded")
    assert (scope["client"], scope["scheme"]) == (client, scheme)


def test_a_chain_without_end_is_followed_for_a_while() -> None:
    scope = through(xff(f"{CLIENT}," + ",".join(f"10.1.{n // 256}.{n % 256}" for n in range(20_000))))
    assert scope["client"] == (f"10.1.{(20_000 - MOST_HOPS) // 256}.{(20_000 - MOST_HOPS) % 256}", 0)


PIECES = st.sampled_from(
    ["for=", "proto=", "host=", '"', ";", ",", "\\", "[", "]", ":", "10.0.0.1", "127.0.0.1", "::1", "unknown", "_x",
     " ", "\t", "https", CLIENT, "%", "\xe9", "9" * 30, "=", ".", "/", "/bert"]
)  # fmt: skip
VALUES = st.one_of(
    st.binary(max_size=80), st.lists(PIECES, max_size=12).map(lambda one: "".join(one).encode("latin-1"))
)
NAMES = st.sampled_from(
    [b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-prefix", b"via"]
)
KINDS = st.sampled_from(["x-forwarded", "forwarded"])


@settings(max_examples=EXAMPLES)
@given(headers=st.lists(st.tuples(NAMES, VALUES), max_size=5), kind=KINDS)
def test_any_headers_give_a_usable_address(headers: Headers, kind: str) -> None:
    scope = through(headers, header=kind)
    assert scope["scheme"] in ("http", "https")
    address, port = scope["client"]
    assert parse_address(address) == (address, 0)
    assert 0 <= port <= 65_535
    assert host(scope).decode("ascii").isprintable()
    assert prefix_of(scope.get("state", {}).get("root_path", "/bert"))
    assert through(headers, ("192.0.2.1", 9), kind)["client"] == ("192.0.2.1", 9)


@settings(max_examples=EXAMPLES)
@given(before=VALUES, lines=st.booleans(), kind=KINDS)
@example(before=b'for="', lines=False, kind="forwarded")
@example(before=b'for=127.0.0.1;x="', lines=False, kind="forwarded")
def test_the_proxys_entry_decides_whatever_a_client_sends(before: bytes, lines: bool, kind: str) -> None:
    name = b"forwarded" if kind == "forwarded" else b"x-forwarded-for"
    added = f"for={CLIENT};proto=https".encode() if kind == "forwarded" else CLIENT.encode()
    headers = [(name, before), (name, added)] if lines else [(name, before + b", " + added)]
    scope = through(headers, header=kind)
    assert scope["client"] == (CLIENT, 0)
    assert scope["scheme"] == ("https" if kind == "forwarded" else "http")


# -------------------------------------------------------------------------------------------------- the real parts


def test_models_are_not_changed_through_a_proxy_on_this_machine() -> None:
    app = create_app(serving_of({"reviews": WordCounter()}))
    with TestClient(Proxies(app, ["127.0.0.1"]), base_url="http://127.0.0.1", client=("127.0.0.1", 9)) as client:
        until_ready(client)
        assert client.get("/admin/models/reviews").status_code == 200
        for claimed in (CLIENT, "127.0.0.1", f"127.0.0.1, {CLIENT}"):
            answer = client.get("/admin/models/reviews", headers={"X-Forwarded-For": claimed})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_local")


async def telling(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers what it knows of its client."""
    told = {"client": scope["client"][0], "scheme": scope["scheme"], "host": host(scope).decode()}
    await JSONResponse(told)(scope, receive, send)


@contextmanager
def listening(app: ASGIApp) -> Iterator[int]:
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", lifespan="off", ws="none", proxy_headers=False, access_log=False)
    )
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:  # also of a test that is skipped: the listener must not be closed under the server
            server.should_exit = True
            thread.join(timeout=30)


NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{plain};
    listen 127.0.0.1:{secure} ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{
      proxy_pass http://127.0.0.1:{behind};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host "";
    }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, behind: int) -> Iterator[tuple[int, int, trustme.CA]]:
    """Ports of the real proxy before a port, without and with TLS, and the authority of its certificate."""
    path = program("nginx")
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    with listen("127.0.0.1", 0) as one, listen("127.0.0.1", 0) as two:
        plain, secure = one.getsockname()[1], two.getsockname()[1]
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, plain=plain, secure=secure, behind=behind))
    process = subprocess.Popen([path, "-c", str(file), "-p", str(folder), "-e", str(folder / "error.log")])
    try:
        until_open(plain)
        yield plain, secure, authority
    finally:
        process.terminate()
        process.wait(30)


def test_behind_nginx(tmp_path: Path) -> None:
    """The client has another address of this machine, for the proxy's own is a proxy's."""
    with listening(Proxies(telling, ["127.0.0.1"])) as behind, nginx(tmp_path, behind) as (plain, secure, authority):
        trusting = httpx.create_ssl_context()
        authority.configure_trust(trusting)
        transport = httpx.HTTPTransport(local_address="127.0.0.2", verify=trusting)
        lies = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
        lies |= {"Forwarded": "for=127.0.0.1;proto=https", "Host": "models.example.com"}
        with httpx.Client(transport=transport, timeout=30) as client:
            for port, scheme in ((plain, "http"), (secure, "https")):
                for headers in ({"Host": "models.example.com"}, lies):
                    told = client.get(f"{scheme}://127.0.0.1:{port}/", headers=headers).json()
                    assert told == {"client": "127.0.0.2", "scheme": scheme, "host": "models.example.com"}
            past = client.get(f"http://127.0.0.1:{behind}/", headers=lies).json()
            assert (past["client"], past["scheme"]) == ("127.0.0.2", "http")


# ----------------------------------------------------------------------------------------------------- which host


@pytest.mark.parametrize(
    ("listening_on", "allowed", "named", "refused"),
    [
        ("127.0.0.1", (), ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]", "localhost."], ["evil.example"]),
        ("::1", (), ["[::1]:8000", "localhost"], ["localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1", ""]),
        ("127.0.0.2", (), ["127.0.0.2:80"], ["127.0.0.3", "localhost@evil.example", "evil.example:localhost"]),
        (
            "0.0.0.0",
            ("models.example.com", "*.models.example.com", "192.0.2.1"),
            ["models.example.com", "A.models.example.com:443", "192.0.2.1"],
            [
                "example.com",
                "xmodels.example.com",
                "models.example.com.evil.example",
                "localhost",
                "*.models.example.com x",
            ],
        ),
    ],
)
def test_the_host_has_to_be_one_of_the_servers_names(
    listening_on: str, allowed: tuple[str, ...], named: list[str], refused: list[str]
) -> None:
    names = hosts_of(EdgeSettings(allowed_hosts=allowed), listening_on)
    client = TestClient(fronted(telling, hosts=Hosts(names), refuse=REFUSE))
    for one in named:
        assert client.get("/v1/models", headers={"Host": one}).json()["host"] == one
    for one in refused:
        answer = client.get("/v1/models", headers={"Host": one})
        assert answer.status_code == 400, one
        assert (answer.json()["error"]["code"], answer.json()["error"]["field"]) == ("invalid_header", "Host")
        assert client.get("/health/ready", headers={"Host": one}).status_code == 200  # probes ask by an address


def test_a_refusal_is_in_the_words_of_the_path() -> None:
    client = TestClient(fronted(telling, hosts=Hosts(["localhost"]), refuse=REFUSE))
    assert client.post("/v1/embeddings", headers={"Host": "evil.example"}).json()["error"]["type"]
    assert "error_type" in client.post("/embed", headers={"Host": "evil.example"}).json()


@pytest.mark.parametrize("hosts", [[], [(b"host", b"localhost"), (b"host", b"evil.example")]])
def test_a_request_names_one_host(hosts: Headers) -> None:
    statuses: list[int] = []

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    async def receive() -> Any:
        return {"type": "http.request"}

    scope: Scope = {"type": "http", "path": "/v1/models", "method": "GET", "headers": hosts}
    asyncio.run(fronted(telling, hosts=Hosts(["localhost"]))(scope, receive, send))
    assert statuses[0] == 400


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_beyond_this_machine_any_name_will_do_unless_some_are_listed(address: str) -> None:
    assert hosts_of(EdgeSettings(), address) == ()


# ------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"trusted_proxies": ("10.0.0.1/8",)}, "is neither an address nor a network"),
        ({"trusted_proxies": ("nginx",)}, "is neither an address nor a network"),
        ({"trusted_proxies": ("*",)}, "is neither an address nor a network"),
        ({"trusted_proxies": ("0.0.0.0/0",)}, "trusts every client to name any address"),
        ({"trusted_proxies": ("::/0",)}, "trusts every client to name any address"),
        ({"allowed_hosts": ("models.example.com:443",)}, "is not a host name"),
        ({"allowed_hosts": ("https://models.example.com",)}, "is not a host name"),
        ({"allowed_hosts": ("*",)}, "is not a host name"),
        ({"allowed_hosts": ("a.*.example.com",)}, "is not a host name"),
    ],
)
def test_contradictory_settings_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        EdgeSettings(**values)
