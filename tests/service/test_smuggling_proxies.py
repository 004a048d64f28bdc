"""R2: the vectors through real proxies that let nobody to /admin/: no hidden request arrives, no answer is mixed."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.proxying import Proxy, haproxy, nginx
from tests.service.recorded import Recorded, recorded
from tests.service.smuggling import HIDDEN, HIDDEN_PATH, VECTORS, length, post

PROXIES: dict[str, Proxy] = {"nginx": nginx, "haproxy": haproxy}


@pytest.fixture(scope="module", params=list(PROXIES))
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorded, int]]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with recorded() as server:
        port = int(server.url.rsplit(":", 1)[1])
        with PROXIES[request.param](folder, port) as proxy:
            yield server, proxy


def test_the_proxy_passes_requests_and_keeps_everybody_from_admin(behind: tuple[Recorded, int]) -> None:
    server, port = behind
    url = f"http://127.0.0.1:{port}"
    assert httpx.post(f"{url}/v1/predict", json={"text": "good"}).status_code == 200
    assert httpx.post(f"{url}{HIDDEN_PATH}").status_code == 403
    assert [one.path for one in server.requests] == ["/v1/predict"]


def test_no_vector_reaches_admin_or_disturbs_the_next_client(behind: tuple[Recorded, int]) -> None:
    """Another client's request follows each vector, over the connections that the proxy shares among clients."""
    server, port = behind
    url, disturbed = f"http://127.0.0.1:{port}", []
    with httpx.Client(base_url=url, timeout=30) as other:
        expected = other.get("/v1/models").content
        for vector in VECTORS:
            server.requests.clear()
            with socket.create_connection(("127.0.0.1", port), timeout=30) as attacker:
                attacker.sendall(vector.data)
                attacker.settimeout(0.02)
                try:
                    while attacker.recv(65_536):
                        pass
                except OSError:  # it waits for more, or the proxy has hung up
                    pass
                answers = [other.get("/v1/models"), other.get("/v1/models")]
            if any((one.status_code, one.content) != (200, expected) for one in answers):
                disturbed.append(vector.name)
            assert HIDDEN_PATH not in [one.path for one in server.requests], vector.name
            assert [one.path for one in server.requests].count("/v1/predict") <= 1, vector.name
        time.sleep(0.2)
        assert HIDDEN_PATH not in [one.path for one in server.requests]
    assert disturbed == []


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.2"])
def test_a_request_after_many_empty_lines_stays_in_the_body(behind: tuple[Recorded, int], protocol: str) -> None:
    server, port = behind
    server.requests.clear()
    body = b'{"text": "good"}' + b"\r\n" * 400 + HIDDEN
    offer = f"Connection: Upgrade\r\nUpgrade: {protocol}\r\n".encode()
    data = post(offer, length(body), body=body)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as attacker:
        attacker.sendall(data)
        answer = attacker.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 400 ")  # for the body is no JSON
    assert [(one.path, one.body) for one in server.requests] == [("/v1/predict", body)]
