"""Our server with everything on: access tokens, limits, a JSON log and traces to a real receiver."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.servers.contestants import ENGINE, WORK, Contestant, Setting, bertline
from bertline.service.guard.client import Scope
from bertline.service.guard.clients import Clients, new_client
from bertline.service.guard.issuer import GRANT, Issuer
from bertline.service.guard.signing import SigningKeys
from bertline.service.guard.store import CredentialStore
from bertline.service.guard.token_request import TokenRequest

ISSUER, AUDIENCE = "http://127.0.0.1", "bertline"
ENOUGH = 100_000_000  # requests and tokens a minute: counted, and never reached
SAMPLED = 0.01
LIFETIME_S = 3600  # of the token, longer than the benchmark


def bare() -> Contestant:
    """Nothing on but what cannot be turned off."""
    return bertline("bertline-bare", "bare", Setting("defaults", {"flags": _flags("--logs-level", "warning")}))


def guarded(collector: str) -> Contestant:
    """Everything on."""
    all_on = Setting("all on", {"flags": _flags(*flags(collector))})
    return bertline("bertline-guarded", "guarded and watched", all_on, headers=bearer)


def flags(collector: str) -> tuple[str, ...]:
    """Credentials, limits, a JSON log and 1 % of traces."""
    return (
        *("--auth-database", _database(), "--auth-issuer", ISSUER, "--auth-audience", AUDIENCE),
        *("--limits-requests-per-minute", str(ENOUGH), "--limits-tokens-per-minute", str(ENOUGH)),
        *("--logs-format", "json", "--traces-endpoint", collector, "--traces-sample", str(SAMPLED)),
    )


@contextmanager
def collector() -> Iterator[tuple[str, list[int]]]:
    """A receiver of spans that keeps their sizes: its URL, and the bytes of each delivery."""
    sizes: list[int] = []

    class Receives(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sizes.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receives) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", sizes
        server.shutdown()


def _flags(*more: str) -> list[str]:
    return ["--engine", ENGINE, *more]


def _database() -> str:
    WORK.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{(WORK / 'auth.db').absolute()}"


def bearer() -> str:
    """A token as the server's own endpoint gives them."""
    with CredentialStore(_database()) as store:
        client, secret = new_client("benchmark", frozenset({Scope.PREDICT}), now_s=0)
        store.add_client(client)
        issuer = Issuer(SigningKeys(store, ISSUER, lifetime_s=LIFETIME_S), Clients(store), AUDIENCE)
        asked = TokenRequest(client.id, secret, GRANT, None)
        token, _ = asyncio.run(issuer.token(asked, "127.0.0.1"))
    return f"Authorization: Bearer {token}\r\n"
