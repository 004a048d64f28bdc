"""While the queue is full a request is refused at the sight of its head, in the same words as otherwise."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import httpx
import pytest

from bertline.service import ServeSettings
from bertline.service.app import REFUSE, create_app
from bertline.service.edge.shedding import LARGEST_BODY, OUTPUTS, Shedding
from bertline.service.run import Server, listen, page_url
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.testing.words import Gated, WordCounter, serving_of
from tests.service.live import warm
from tests.service.sockets import connected, request_of

LONG = {"text": "word " * 60}
PLAIN = [(b"host", b"bertline"), (b"content-type", b"application/json"), (b"content-length", b"20")]


@dataclass
class Full:
    """A server whose queue is full until its model's gate is opened."""

    url: str
    server: Server
    serving: Serving
    model: Gated
    waiting: list[httpx.Response] = field(default_factory=list)


@contextmanager
def full(**more: WordCounter) -> Iterator[Full]:
    model = Gated(max_tokens=64)
    model.gate.set()
    serving = serving_of({"slow": model, **more}, ServeSettings(max_wait_ms=50, lanes=1, drain_s=0))
    server = Server(serving, lambda: None)
    with listen("127.0.0.1", 0) as listener, ThreadPoolExecutor(2) as many:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = warm(page_url(listener))
        line = serving.models.named("slow").line("logits")
        line.tokens_per_s = 1000.0
        model.gate.clear()
        model.entered.clear()
        found = Full(url, server, serving, model)
        asked = {**LONG, "model": "slow"}
        answers = [many.submit(httpx.post, f"{url}/v1/predict", json=asked, timeout=30)]
        assert model.entered.wait(timeout=30)
        answers.append(many.submit(httpx.post, f"{url}/v1/predict", json=asked, timeout=30))
        while not line.queue.texts:
            assert httpx.get(f"{url}/livez").status_code == 200
        try:
            yield found
        finally:
            model.gate.set()
            found.waiting = [one.result() for one in answers]
            server.should_exit = True
            thread.join(timeout=30)
    assert not thread.is_alive()
    assert [one.status_code for one in found.waiting] == [200, 200]


@pytest.fixture(scope="module")
def busy() -> Iterator[Full]:
    with full() as one:
        yield one


def test_the_early_refusal_is_the_usual_one(busy: Full) -> None:
    """An Origin header makes a request take the long way, through body, JSON and tokenizer."""
    early, usual = (
        httpx.post(f"{busy.url}/v1/predict", json=LONG, headers=more)
        for more in ({}, {"Origin": "https://elsewhere.example"})
    )
    assert early.status_code == usual.status_code == 429
    assert early.json() == usual.json()
    assert early.json()["error"]["code"] == "overloaded"
    assert {name for name in usual.headers if name not in early.headers} == set()
    assert early.headers["Retry-After"] == usual.headers["Retry-After"]
    assert early.headers["Content-Security-Policy"] == usual.headers["Content-Security-Policy"]


def test_a_refused_body_is_neither_tokenised_nor_parsed(busy: Full) -> None:
    content = b"this is no JSON " * 24  # as long as what waits: a shorter one has its turn before that for a moment
    refused = httpx.post(f"{busy.url}/v1/predict", content=content, headers={"Content-Type": "text/plain"})
    assert refused.status_code == 429
    assert httpx.post(f"{busy.url}/v1/predict", content=b"x" * (LARGEST_BODY + 1)).status_code == 415


def test_other_dialects_are_refused_in_their_own_shape(busy: Full) -> None:
    refused = httpx.post(f"{busy.url}/predict", json={"inputs": LONG["text"]})
    assert refused.status_code == 429
    assert refused.json()["error_type"].lower() == "overloaded"


def test_routes_without_a_model_answer_while_the_queue_is_full(busy: Full) -> None:
    assert httpx.get(f"{busy.url}/v1/models").status_code == 200
    assert httpx.get(f"{busy.url}/health/ready").status_code == 200
    assert httpx.post(f"{busy.url}/v1/tokenize", json={"text": "good"}).status_code == 200


def test_they_are_counted_like_the_others(busy: Full) -> None:
    def counted() -> list[float]:
        lines = dict(line.rsplit(" ", 1) for line in httpx.get(f"{busy.url}/metrics").text.splitlines())
        names = (
            'bertline_problems_total{code="overloaded"}',
            'bertline_http_requests_total{method="POST",route="/v1/predict",status="429"}',
        )
        return [float(lines.get(name, 0)) for name in names]

    before = counted()
    for _ in range(3):
        assert httpx.post(f"{busy.url}/v1/predict", json=LONG).status_code == 429
    assert [after - one for after, one in zip(counted(), before, strict=True)] == [3, 3]


def test_the_connection_can_be_used_again_and_a_body_in_parts_is_thrown_away(busy: Full) -> None:
    request = request_of(LONG)
    with connected(busy.url) as connection:
        for cut in (len(request), len(request) - 100, len(request) - 1):
            connection.sendall(request[:cut])
            connection.sendall(request[cut:])
            head, body = answer_of(connection)
            assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
            assert b"\r\ndate: " in head
            assert json.loads(body)["error"]["code"] == "overloaded"
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer_of(connection)[0].startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_sent_at_once_over_one_connection_are_answered_in_turn(busy: Full) -> None:
    with connected(busy.url) as connection:
        connection.sendall(request_of(LONG) * 2 + b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" + request_of(LONG))
        found = [answer_of(connection)[0].split(b" ")[1] for _ in range(4)]
    assert found == [b"429", b"429", b"200", b"429"]


def answer_of(connection: object) -> tuple[bytes, bytes]:
    """Head and body of the next answer."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)  # type: ignore[attr-defined]
        assert head
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    body = b""
    while len(body) < int(lines[b"content-length"]):
        body += connection.recv(int(lines[b"content-length"]) - len(body))  # type: ignore[attr-defined]
    return head, body


def test_with_several_models_the_body_must_name_one() -> None:
    with full(quick=WordCounter(name="quick")) as busy:
        model = busy.serving.models.named("slow")
        assert model.ready
        found = [httpx.post(f"{busy.url}/v1/predict", json={**LONG, "model": name}) for name in ("slow", "nobody")]
    assert [one.status_code for one in found] == [429, 404]


def test_it_ends_with_the_overload() -> None:
    with full() as busy:
        assert httpx.post(f"{busy.url}/v1/predict", json=LONG).status_code == 429
        busy.model.gate.set()
        answered = httpx.post(f"{busy.url}/v1/predict", json=LONG)
        while answered.status_code == 429:
            answered = httpx.post(f"{busy.url}/v1/predict", json=LONG)
        assert answered.json()["predictions"][0]["read_tokens"] == 62


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        (b"GET", b"/v1/predict", PLAIN),
        (b"POST", b"/v1/predict?a=1", PLAIN),
        (b"POST", b"/v1/admin/models", PLAIN),
        (b"POST", b"/v1/predict", PLAIN[:-1]),
        (b"POST", b"/v1/predict", [*PLAIN[:-1], (b"content-length", b"-1")]),
        (b"POST", b"/v1/predict", [*PLAIN[:-1], (b"content-length", str(LARGEST_BODY + 1).encode())]),
        (b"POST", b"/v1/predict", [*PLAIN, (b"transfer-encoding", b"chunked")]),
        (b"POST", b"/v1/predict", [*PLAIN, (b"expect", b"100-continue")]),
        (b"POST", b"/v1/predict", [*PLAIN, (b"origin", b"null")]),
    ],
)  # fmt: skip
def test_whatever_needs_a_look_takes_the_long_way(
    method: bytes, path: bytes, headers: list[tuple[bytes, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = Problem(Code.OVERLOADED, "The queue is full.", headers={"Retry-After": "1"})
    shedding = Shedding(serving_of({"reviews": WordCounter()}), REFUSE)
    monkeypatch.setattr(shedding, "_problem", lambda op, size: problem)
    assert shedding.answer(b"POST", b"/v1/predict", PLAIN)
    assert shedding.answer(method, path, headers) is None


def test_each_path_is_one_that_the_app_answers() -> None:
    described = create_app(serving_of({"reviews": WordCounter()})).openapi()["paths"]
    assert {path.decode() for path in OUTPUTS} <= {path for path, methods in described.items() if "post" in methods}


def test_refusals_that_their_client_does_not_read_are_not_piled_up(busy: Full) -> None:
    """As everything else, they wait until it reads."""
    requests = request_of(LONG) * 1_000
    with connected(busy.url) as connection:
        connection.settimeout(2)
        with suppress(TimeoutError):  # the server reads no more
            for _ in range(64):
                connection.sendall(requests)
        assert httpx.get(f"{busy.url}/livez").status_code == 200
        unsent = [one.transport.get_write_buffer_size() for one in busy.server.server_state.connections.copy()]
    assert max(unsent) > 0, "nothing waited"
    assert max(unsent) < 2**20
