"""One line a request, with what it took and without what it said."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bertline.monitoring.logs.logger import json_line
from bertline.monitoring.traces.context import SpanContext
from bertline.service.exchange import SANE_ID, current, log_context
from bertline.service.guard.client import Client
from bertline.service.guard.client import Scope as GuardScope
from bertline.service.listeners.log import LONGEST_USER_AGENT, ExchangeListener
from bertline.serving.problems import Code, Problem
from bertline.testing.words import Buggy, Gated, WordCounter
from tests.service.fronted import fronted
from tests.service.logged import Log, client_of, logged, socket_of, until
from tests.unit.monitoring.log_lines import EVERY_LINE, read

CANARY = "canary-5f1c9ab2"
JWT = f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhY21lIn0.{CANARY}"
PREDICT = "/v1/predict"


@pytest.fixture
def out() -> Log:
    return Log()


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"12", "more_body": True})
    await send({"type": "http.response.body", "body": b"345"})


def ask(app: ASGIApp, headers: dict[str, str] | None = None, **more: Any) -> list[Message]:
    """What the app answers to a body in two parts."""
    parts = [
        {"type": "http.request", "body": b"abc", "more_body": True},
        {"type": "http.request", "body": b"defg", "more_body": False},
    ]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    raw += more.pop("raw_headers", [])
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": raw, "client": ("10.1.2.3", 4), **more}
    sent: list[Message] = []

    async def receive() -> Message:
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_an_answer_of_a_model_has_its_line(out: Log) -> None:
    with client_of(WordCounter(), out) as client:
        answer = client.post(PREDICT, json={"texts": ["good " * 20, "bad"]}, headers={"X-Request-Id": "mine-1"})
    [line] = out.lines(PREDICT)
    assert line["message"] == "POST /v1/predict 200"
    expected = {
        "log.level": "info", "log.logger": "bertline.access", "event.action": "predict", "event.category": ["web"],
        "event.kind": "event", "event.outcome": "success", "event.type": ["access"], "http.request.method": "POST",
        "http.request.id": "mine-1", "http.response.status_code": 200, "client.ip": "10.1.2.3",
        "bertline.dialect": "own", "bertline.model.name": "reviews", "bertline.texts": 2, "bertline.tokens.read": 19,
        "bertline.tokens.cut": 6, "bertline.model.version": answer.headers["X-Model-Version"],
        "http.response.body.bytes": len(answer.content), "user_agent.original": "testclient",
    }  # fmt: skip
    assert {name: line.get(name) for name in expected} == expected
    timing = re.findall(r"dur=([\d.]+)", answer.headers["Server-Timing"])
    logged_ms = [line[f"bertline.time.{phase}_ms"] for phase in ("tokenise", "queue", "compute")]
    assert logged_ms == pytest.approx([float(one) for one in timing], abs=0.0051)
    assert line["event.duration"] > 0  # type: ignore[operator]
    assert answer.headers["X-Request-Id"] == "mine-1"


def test_a_refused_request_has_its_code(out: Log) -> None:
    with client_of(WordCounter(), out) as client:
        client.post(PREDICT, json={"text": ""})
        client.post("/v1/embeddings", json={"input": []})
    own, openai = out.lines(PREDICT)[0], out.lines("/v1/embeddings")[0]
    for line in (own, openai):
        assert line["bertline.error.code"] == "empty_text"
        assert line["event.outcome"] == "failure"
        assert "bertline.model.name" not in line
    assert openai["bertline.dialect"] == "openai"


def test_a_route_is_logged_as_its_template_and_other_paths_not_at_all(out: Log) -> None:
    with client_of(WordCounter(), out) as client:
        client.get(f"/admin/models/{CANARY}")
        client.get(f"/{CANARY}")
        client.get(f"/page/{CANARY}")
        client.get("/")
    admin, unknown, page, index = out.lines()
    assert admin["message"] == "GET /admin/models/{name} 403"
    assert unknown["message"] == "GET (unknown path) 404"
    assert "url.path" not in unknown
    assert str(page["message"]).endswith(" 404")
    assert index["message"] == "GET / 200"
    assert CANARY not in out.getvalue()


def test_probes_are_logged_at_debug_only(out: Log) -> None:
    with client_of(WordCounter(), out) as client:
        for path in ("/livez", "/readyz", "/health/live", "/metrics"):
            client.get(path)
    assert out.lines() == []
    more = Log()
    with client_of(WordCounter(), more, level="debug") as client:
        client.get("/livez")
        client.get("/metrics")
    assert {line["log.level"] for line in more.lines()} == {"debug"}
    assert {"GET /livez 200", "GET /metrics 200"} <= {line["message"] for line in more.lines()}


@pytest.mark.parametrize(
    "sane",
    ["a", "f" * 128, "0af7651916cd43dd8448eb211c80319c", "Root=1-67891233-abcdef012345678912345678", "a:b/c+d=_"],
)
def test_a_well_formed_request_id_is_preserved(out: Log, sane: str) -> None:
    with logged(fine, out) as app:
        start = ask(app, {"x-request-id": sane})[0]
    assert (b"x-request-id", sane.encode()) in start["headers"]
    assert out.lines()[0]["http.request.id"] == sane


@pytest.mark.parametrize("mad", ["", "f" * 129, "a b", "a\nb", "<script>", JWT, "ann@example.org", "é", "-a"])
def test_any_other_identifier_is_replaced(out: Log, mad: str) -> None:
    with logged(fine, out) as app:
        start = ask(app, {"x-request-id": mad})[0]
        ask(app)
    first, second = (line["http.request.id"] for line in out.lines())
    assert re.fullmatch("[0-9a-f]{32}", str(first))
    assert first != second
    assert (b"x-request-id", str(first).encode()) in start["headers"]


def test_an_answer_that_has_a_number_keeps_it(out: Log) -> None:
    async def numbered(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": [(b"X-Request-Id", b"own")]})
        await send({"type": "http.response.body", "body": b""})

    with logged(numbered, out) as app:
        start = ask(app)[0]
    assert [one for one in start["headers"] if one[0].lower() == b"x-request-id"] == [(b"X-Request-Id", b"own")]


def test_bytes_are_counted_both_ways(out: Log) -> None:
    with logged(fine, out) as app:
        sent = ask(app)
    assert [one["type"] for one in sent] == ["http.response.start", *["http.response.body"] * 2]
    [line] = out.lines()
    assert (line["http.request.body.bytes"], line["http.response.body.bytes"]) == (7, 5)


def test_invented_client_names_are_bounded(out: Log) -> None:
    with logged(fine, out) as app:
        ask(app, {"user-agent": "é" * 10_000}, method="BREW", client=("not an address", 1))
        ask(app, client=("fe80::1%eth0", 1))
        ask(app, client=None)
    first, second, third = out.lines()
    assert first["user_agent.original"] == "é" * LONGEST_USER_AGENT
    assert first["http.request.method"] == "other"
    assert "client.ip" not in first
    assert second["client.ip"] == "fe80::1"
    assert "client.ip" not in third
    assert "user_agent.original" not in third


class Kept:
    """The last line, as it is handed to the log."""

    fields: Mapping[str, object]

    def access(self, level: str, message: str, fields: Mapping[str, object]) -> None:
        self.fields = fields


NAMES = st.sampled_from([b"x-request-id", b"user-agent", b"authorization", b"cookie", b"x-api-key", b"referer"])


@given(st.lists(st.tuples(NAMES, st.binary(max_size=300))), st.text(max_size=20), st.text(max_size=50), st.text())
def test_whatever_is_sent_the_line_fits_the_table(
    headers: list[tuple[bytes, bytes]], method: str, path: str, host: str
) -> None:
    kept = Kept()
    scope = {"method": method, "path": path, "query_string": path.encode(errors="replace"), "client": (host, 1)}
    start = ask(fronted(fine, logs=kept), **scope, raw_headers=headers)[0]
    head = {"@timestamp": "2026-11-24T12:00:00Z", "log.level": "info", "message": "", **dict.fromkeys(EVERY_LINE, "")}
    head |= {"@timestamp": "2026-11-24T12:00:00Z", "process.pid": 1}
    [line] = read(json_line({**head, **kept.fields}))
    assert [value for name, value in start["headers"] if name == b"x-request-id"] == [line["http.request.id"].encode()]
    assert SANE_ID.fullmatch(line["http.request.id"].encode())
    assert "url.path" not in line


def test_the_client_and_the_trace_are_named(out: Log) -> None:
    async def known(scope: Scope, receive: Receive, send: Send) -> None:
        scopes = frozenset({GuardScope.PREDICT, GuardScope.METRICS})
        scope.setdefault("state", {})["client"] = Client("acme", scopes, "key")
        found = current()
        assert found is not None
        found.span = SpanContext(int("4b" * 16, 16), 0x00F067AA0BA902B7, 1)
        logging.getLogger("bertline.part").info("in its course")
        await fine(scope, receive, send)

    with logged(known, out) as app:
        ask(app, {"x-request-id": "17"})
    [line] = out.lines()
    assert (line["user.id"], line["bertline.client.kind"]) == ("acme", "key")
    assert line["bertline.client.scopes"] == ["metrics", "predict"]
    assert line["trace.id"] == "4b" * 16
    assert line["span.id"] == line["transaction.id"] == "00f067aa0ba902b7"
    [other] = [one for one in out.getvalue().splitlines() if "in its course" in one]
    assert '"http.request.id":"17"' in other
    assert f'"trace.id":"{"4b" * 16}"' in other


def test_nothing_of_a_request_is_left_for_the_next(out: Log) -> None:
    with logged(fine, out) as app:
        ask(app)
    assert current() is None
    assert log_context() == {}
    ExchangeListener().refused(Problem(Code.INTERNAL, "Nobody asked."))  # outside of a request nothing happens


def test_slow_requests_and_failures_have_their_levels(out: Log) -> None:
    async def failed(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with logged(fine, out, slow_ms=1e-6) as app:
        ask(app)
    with logged(fine, out, slow_ms=1e6) as app:
        ask(app)
    with logged(failed, out) as app:
        ask(app)
    slow, quick, broken = out.lines()
    assert (slow["log.level"], slow["bertline.slow"]) == ("warning", True)
    assert quick["log.level"] == "info"
    assert "bertline.slow" not in quick
    assert (broken["log.level"], broken["event.outcome"]) == ("error", "failure")


def test_an_answer_that_never_ended_says_how(out: Log) -> None:
    async def gone(scope: Scope, receive: Receive, send: Send) -> None:
        return

    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def failed(scope: Scope, receive: Receive, send: Send) -> None:
        await cut(scope, receive, send)
        raise RuntimeError("halfway")

    for app_of in (gone, cut):
        with logged(app_of, out) as app:
            ask(app)
    with logged(failed, out) as app, pytest.raises(RuntimeError, match="halfway"):
        ask(app)
    lines = out.lines()
    assert [line["bertline.ended"] for line in lines] == ["client_gone", "cut_off", "failed"]
    assert {line["event.outcome"] for line in lines} == {"unknown"}
    assert lines[0]["message"] == "POST (unknown path) client_gone"
    assert "http.response.status_code" not in lines[0]
    assert [line["log.level"] for line in lines] == ["info", "info", "error"]


def test_a_client_that_hangs_up_is_logged_as_disconnected(out: Log) -> None:
    model = Gated()
    model.gate.set()
    with socket_of(model, out) as url:
        model.gate.clear()
        model.entered.clear()
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url + PREDICT, json={"text": "good"}, timeout=0.5)
        until(model.entered.is_set)
        until(lambda: "client_gone" in out.getvalue())
        model.gate.set()
    [line] = out.lines(PREDICT)
    assert (line["event.outcome"], line["bertline.ended"]) == ("unknown", "client_gone")


def test_texts_are_logged_where_somebody_asks_for_it_and_redacted(out: Log) -> None:
    async def read_texts(scope: Scope, receive: Receive, send: Send) -> None:
        ExchangeListener().asked(["ann@example.org likes it", *["good"] * 9])
        await fine(scope, receive, send)

    with logged(read_texts, out, sample_texts=1.0) as app:
        ask(app)
    with logged(read_texts, out, sample_texts=1.0, redact=[]) as app:
        ask(app)
    with logged(read_texts, out) as app:
        ask(app)
    redacted, whole, none = out.lines()
    assert redacted["bertline.sampled.texts"] == ["[email] likes it", "good", "good"]
    assert whole["bertline.sampled.texts"] == ["ann@example.org likes it", "good", "good"]
    assert "bertline.sampled.texts" not in none


def send_canaries(url: str) -> None:
    """Requests with secrets wherever a request can have them; errors that nobody foresaw among them."""
    headers = {
        "Authorization": f"Bearer {JWT}", "X-API-Key": f"bk_{CANARY}", "Cookie": f"session={CANARY}",
        "X-Request-Id": JWT, "Referer": f"http://a.org/?{CANARY}", "X-Forwarded-For": CANARY, "traceparent": CANARY,
        "X-Request-Timeout-Ms": CANARY,
    }  # fmt: skip
    plain = {name: headers[name] for name in headers if name != "X-Request-Timeout-Ms"}
    with httpx.Client(base_url=url) as client:
        for each in (headers, plain):
            client.post(f"{PREDICT}?key={CANARY}", json={"text": f"good {CANARY}"}, headers=each)
            client.post(PREDICT, json={"text": f"fail {CANARY}"}, headers=each)
            client.post(PREDICT, json={CANARY: CANARY, "text": "good"}, headers=each)
            client.post(PREDICT, content=f'{{"text": "{CANARY}', headers={**each, "Content-Type": "application/json"})
            client.post(PREDICT, json={"text": "good", "model": CANARY}, headers=each)
            client.post("/predict", json={"inputs": f"good {CANARY}"}, headers=each)
            client.post("/v1/embeddings", json={"input": CANARY, "model": CANARY}, headers=each)
            client.post(f"/v2/models/{CANARY}/infer", json={"inputs": [CANARY]}, headers=each)
            client.post("/oauth/token", data={"client_id": "a", "client_secret": CANARY}, headers=each)
            client.get(f"/{CANARY}?{CANARY}", headers=each)
            client.get(f"/admin/models/{CANARY}", headers=each)
            client.request("PUT", f"/admin/models/{CANARY}", json={"bundle": CANARY}, headers=each)
            client.get(f"/page/{CANARY}", headers=each)
            client.get("/livez", headers=each)


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_and_no_text_is_in_any_line(out: Log, form: str, capfd: pytest.CaptureFixture[str]) -> None:
    with socket_of(Buggy(), out, format=form, level="debug") as url:
        send_canaries(url)
    whole = out.getvalue()
    assert "POST /v1/predict 200" in whole
    assert "POST /v1/predict 500" in whole
    assert "ValueError" in whole
    whole += "".join(capfd.readouterr())
    for secret in (CANARY, "eyJhbGciOiJSUzI1NiJ9", "my secret"):
        assert secret not in whole


def test_every_line_of_a_busy_server_fits_the_table(out: Log) -> None:
    with socket_of(Buggy(), out, level="debug") as url:
        send_canaries(url)
    lines = out.lines()  # reading checks each, and in strict mode none could lack a name
    assert len(lines) >= 28
    assert {line.get("bertline.dialect") for line in lines} >= {"own", "tei", "openai", "oip", "admin", "health"}


def test_without_a_log_requests_are_numbered_all_the_same() -> None:
    start = ask(fronted(fine), {"x-request-id": "mine"})[0]
    assert (b"x-request-id", b"mine") in start["headers"]


def test_other_messages_pass_through(out: Log) -> None:
    seen: list[str] = []

    async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    with logged(lifespan, out) as app:
        ask(app, type="lifespan")
    assert seen == ["lifespan"]
    assert out.lines() == []


def test_a_log_that_is_closed_says_nothing_more(out: Log) -> None:
    with logged(fine, out) as app:
        pass
    ask(app)
    assert out.lines() == []
