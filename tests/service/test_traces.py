"""Requests to the real server, and what a collector gets to know of them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.types import Message, Receive, Scope, Send

from bertline.monitoring.addresses import PROBES
from bertline.monitoring.traces.exporter import Traces, TraceSettings, open_traces
from bertline.service import ServeSettings
from bertline.service.exchange import current, log_context, outgoing_headers
from bertline.service.perimeter import Perimeter
from bertline.service.run import Server, listen, page_url
from bertline.serving.serving import Serving
from bertline.testing.tiny import write_tiny_bundle
from bertline.testing.words import Buggy, Gated, WordCounter, serving_of
from tests.service.fronted import fronted
from tests.service.live import warm
from tests.service.otlp import Collector, attributes, collecting
from tests.service.spawn import spawned

FUZZ = int(os.environ.get("BERTLINE_FUZZ_EXAMPLES", "300"))
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
PHASES = ["tokenise", "queue", "compute", "post-process"]
OTHER = Span.SpanKind.SPAN_KIND_INTERNAL
ERROR, UNSET = 2, 0


@dataclass
class Traced:
    """A server whose spans go to a collector, which has all of them once the block has ended."""

    url: str
    serving: Serving
    collector: Collector

    def predict(self, text: str = "a good film", **headers: str) -> httpx.Response:
        return httpx.post(f"{self.url}/v1/predict", json={"text": text}, headers=headers, timeout=30)


@contextmanager
def traced(
    model: WordCounter,
    settings: ServeSettings | None = None,
    *,
    sample: float = 1.0,
    trust_parent: bool = True,
    endpoint: str | None = None,
) -> Iterator[Traced]:
    with collecting() as collector, listen("127.0.0.1", 0) as listener:
        wanted = TraceSettings(endpoint=endpoint or collector.url, sample=sample, trust_parent=trust_parent)
        traces = open_traces(wanted, {})
        assert traces is not None
        serving = serving_of({"reviews": model}, settings or ServeSettings(drain_s=0))
        server = Server(serving, lambda: None, Perimeter(traces=traces))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Traced(warm(page_url(listener)), serving, collector)
        finally:
            server.should_exit = True
            thread.join(timeout=30)
            traces.close()
    assert not thread.is_alive(), "the server did not stop"


def gated(**more: Any) -> Gated:
    """One that lets the server start; ``shut`` closes it."""
    model = Gated(**more)
    model.gate.set()
    return model


def shut(model: Gated) -> None:
    model.gate.clear()
    model.entered.clear()


def children(collector: Collector, span: Span) -> list[Span]:
    return [one for one in collector.spans if one.parent_span_id == span.span_id]


def linked(span: Span) -> set[tuple[bytes, bytes]]:
    return {(one.trace_id, one.span_id) for one in span.links}


def identity(span: Span) -> tuple[bytes, bytes]:
    return span.trace_id, span.span_id


# ------------------------------------------------------------------------------------------------- one request


def test_a_request_is_a_span_below_the_callers() -> None:
    with traced(WordCounter()) as server:
        assert server.predict(**PARENT, tracestate="vendor=x").status_code == 200
    [span] = server.collector.named("POST /v1/predict")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert span.kind == Span.SpanKind.SPAN_KIND_SERVER
    assert span.trace_state == "vendor=x"
    assert span.status.code == UNSET
    host, port = server.url.removeprefix("http://").split(":")
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/v1/predict",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "server.address": host,
        "server.port": int(port),
    }


def test_its_phases_follow_each_other_within_it() -> None:
    with traced(WordCounter()) as server:
        server.predict(**PARENT)
    [span] = server.collector.named("POST /v1/predict")
    phases = children(server.collector, span)
    assert sorted(one.name for one in phases) == sorted(PHASES)
    by_name = {one.name: one for one in phases}
    times = [span.start_time_unix_nano]
    for name in PHASES:
        times += [by_name[name].start_time_unix_nano, by_name[name].end_time_unix_nano]
    assert times == sorted(times)
    assert times[-1] <= span.end_time_unix_nano
    assert {one.trace_id.hex() for one in phases} == {TRACE}
    assert {one.kind for one in phases} == {OTHER}


def test_a_batch_has_its_own_trace_that_lists_its_texts() -> None:
    model = WordCounter()
    with traced(model) as server:
        server.predict("good good good", **PARENT)
    [batch] = server.collector.named("batch")
    [compute] = server.collector.named("compute")
    [request] = server.collector.named("POST /v1/predict")
    assert not batch.parent_span_id
    assert batch.trace_id.hex() != TRACE
    assert linked(compute) == {identity(batch)}
    assert linked(batch) == {identity(request)}
    assert attributes(batch) == {
        "bertline.model.name": "reviews",
        "bertline.model.version": model.version,
        "bertline.operation": "classify",
        "bertline.batch.texts": 1,
        "bertline.batch.tokens": 5,
        "bertline.batch.padded_tokens": 5,
    }


def test_the_batch_that_two_requests_share_links_to_both_and_both_to_it() -> None:
    model = gated()
    with traced(model, ServeSettings(lanes=1, drain_s=0)) as server, ThreadPoolExecutor(3) as many:
        shut(model)
        line = server.serving.models.named("reviews").line("logits")
        answers = [many.submit(server.predict, "the first")]
        assert model.entered.wait(timeout=30)
        answers += [many.submit(server.predict, f"number {place}") for place in (2, 3)]
        while line.queue.texts < 2:
            assert httpx.get(f"{server.url}/livez").status_code == 200
        model.gate.set()
        assert [one.result().status_code for one in answers] == [200, 200, 200]
    requests = server.collector.named("POST /v1/predict")
    alone, shared = sorted(server.collector.named("batch"), key=lambda one: len(one.links))
    assert [len(one.links) for one in (alone, shared)] == [1, 2]
    assert linked(shared) | linked(alone) == {identity(one) for one in requests}
    assert attributes(shared)["bertline.batch.texts"] == 2
    computes = {one.trace_id: linked(one) for one in server.collector.named("compute")}
    assert [computes[trace_id] for trace_id, _ in linked(shared)] == [{identity(shared)}] * 2
    [waited] = [one for one in server.collector.named("queue") if one.trace_id in dict(linked(shared))][:1]
    assert waited.end_time_unix_nano > waited.start_time_unix_nano


def test_a_request_of_many_batches_links_to_all_of_them() -> None:
    with traced(WordCounter()) as server:
        texts = ["good " * 14] * 20  # of 16 tokens each, and a batch has 64
        assert httpx.post(f"{server.url}/v1/predict", json={"texts": texts}).status_code == 200
    batches = server.collector.named("batch")
    [compute] = server.collector.named("compute")
    assert len(batches) == 5
    assert linked(compute) == {identity(one) for one in batches}
    assert sum(attributes(one)["bertline.batch.texts"] for one in batches) == 20


def test_a_request_that_asks_a_model_twice_has_its_phases_twice() -> None:
    asked = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["good"]}]}
    asked["outputs"] = [{"name": "logits"}, {"name": "embedding"}]  # type: ignore[list-item]
    with traced(WordCounter()) as server:
        answer = httpx.post(f"{server.url}/v2/models/reviews/infer", json=asked)
        assert answer.status_code == 200, answer.text
    [span] = [one for one in server.collector.spans if one.kind == Span.SpanKind.SPAN_KIND_SERVER]
    phases = children(server.collector, span)
    assert [one.name for one in phases] == PHASES * 2
    times = [time for one in phases for time in (one.start_time_unix_nano, one.end_time_unix_nano)]
    assert times == sorted(times)
    assert {attributes(one)["bertline.operation"] for one in server.collector.named("batch")} == {"classify", "embed"}


# --------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("model", [WordCounter(), Buggy()], ids=["foreseen", "not foreseen"])
def test_an_error_of_the_server_is_one_of_the_span(model: WordCounter) -> None:
    with traced(model) as server:
        assert server.predict("fail", **PARENT).status_code == 500
    [span] = server.collector.named("POST /v1/predict")
    assert span.status.code == ERROR
    assert span.status.message == ""
    assert attributes(span)["http.response.status_code"] == 500
    assert attributes(span)["error.type"] == "500"
    assert [one.name for one in children(server.collector, span)] == ["tokenise", "queue"]


def test_a_rejected_request_is_not_an_error_of_the_span() -> None:
    model = gated(max_tokens=64)
    with traced(model, ServeSettings(max_wait_ms=50, lanes=1, drain_s=0)) as server, ThreadPoolExecutor(2) as many:
        line = server.serving.models.named("reviews").line("logits")
        line.tokens_per_s = 1000.0
        shut(model)
        answers = [many.submit(server.predict, "word " * 60)]
        assert model.entered.wait(timeout=30)
        answers.append(many.submit(server.predict, "word " * 60))
        while not line.queue.texts:
            assert httpx.get(f"{server.url}/livez").status_code == 200
        # Not one of the paths that are refused at the sight of their head, which nothing traces.
        refused = httpx.post(f"{server.url}/v1/models/reviews:predict", json={"instances": ["word " * 60]})
        model.gate.set()
        assert [one.result().status_code for one in answers] == [200, 200]
    assert refused.status_code == 429
    [span] = [one for one in server.collector.spans if attributes(one).get("http.response.status_code") == 429]
    assert span.status.code == UNSET
    assert "error.type" not in attributes(span)
    assert [one.name for one in children(server.collector, span)] == ["tokenise", "queue"]


def test_an_uncomputed_text_shows_where_it_waited() -> None:
    model = gated()
    with traced(model, ServeSettings(lanes=1, drain_s=0)) as server, ThreadPoolExecutor(1) as many:
        shut(model)
        first = many.submit(server.predict)
        assert model.entered.wait(timeout=30)
        headers = {**PARENT, "X-Request-Timeout-Ms": "200"}
        assert server.predict(**headers).status_code == 504
        model.gate.set()
        assert first.result().status_code == 200
    [span] = [one for one in server.collector.named("POST /v1/predict") if one.trace_id.hex() == TRACE]
    assert span.status.code == ERROR
    tokenise, queue = children(server.collector, span)
    assert (tokenise.name, queue.name) == ("tokenise", "queue")
    assert queue.status.code == ERROR
    assert queue.end_time_unix_nano - queue.start_time_unix_nano > 100e6


def test_an_unknown_path_has_no_route() -> None:
    with traced(WordCounter()) as server:
        assert httpx.get(f"{server.url}/no/such/path").status_code == 404
        assert httpx.request("PROPFIND", f"{server.url}/v1/predict").status_code == 405
    found = {one.name: attributes(one) for one in server.collector.spans}
    assert set(found) == {"GET", "HTTP /v1/predict"} or set(found) == {"GET", "HTTP"}
    assert "http.route" not in found.pop("GET")
    assert [one["http.request.method"] for one in found.values()] == ["_OTHER"]


def test_a_model_that_is_loaded_by_a_traced_request_starts() -> None:
    model = WordCounter()
    with traced(model) as server:
        loaded = httpx.put(f"{server.url}/admin/models/reviews", json={"bundle": str(model.bundle)}, headers=PARENT)
        assert loaded.status_code == 200, loaded.text
        assert server.predict().status_code == 200
    assert [one.name for one in server.collector.spans if one.trace_id.hex() == TRACE] == ["PUT /admin/models/{name}"]


# ------------------------------------------------------------------------------------------------------ whether


@pytest.mark.parametrize(("sample", "spans"), [(0.0, 0), (1.0, 20)])
def test_of_requests_without_a_parent_the_share_is_traced(sample: float, spans: int) -> None:
    with traced(WordCounter(), sample=sample) as server, httpx.Client(base_url=server.url) as client:
        for _ in range(20):
            assert client.post("/v1/predict", json={"text": "good"}).status_code == 200
    assert len(server.collector.named("POST /v1/predict")) == spans
    assert len({one.trace_id for one in server.collector.named("POST /v1/predict")}) == spans


@pytest.mark.parametrize(("flags", "spans"), [("00", 0), ("01", 1), ("02", 0), ("03", 1)])
def test_the_caller_decides_if_it_is_trusted(flags: str, spans: int) -> None:
    with traced(WordCounter(), sample=0.0 if spans else 1.0) as server:
        server.predict(traceparent=f"00-{TRACE}-{SPAN}-{flags}")
    assert len(server.collector.named("POST /v1/predict")) == spans


def test_a_caller_that_is_not_trusted_is_only_linked_to() -> None:
    with traced(WordCounter(), trust_parent=False) as server:
        server.predict(**PARENT, tracestate="vendor=x")
    [span] = server.collector.named("POST /v1/predict")
    assert span.trace_id.hex() != TRACE
    assert not span.parent_span_id
    assert not span.trace_state
    assert [(trace_id.hex(), span_id.hex()) for trace_id, span_id in linked(span)] == [(TRACE, SPAN)]


def test_probes_are_not_traced() -> None:
    with traced(WordCounter()) as server:
        assert {httpx.get(f"{server.url}{path}").status_code for path in PROBES} == {200}
    assert not server.collector.spans


@pytest.mark.parametrize(
    "header", ["", "-", "00", f"00-{TRACE}-{SPAN}", f"ff-{TRACE}-{SPAN}-01", "é" * 100, "x" * 9000]
)
def test_a_malformed_traceparent_begins_a_new_trace(header: str) -> None:
    with traced(WordCounter()) as server:
        headers = [(b"traceparent", header.encode()), (b"tracestate", b"=,=\xff" + header.encode())]
        answer = httpx.post(f"{server.url}/v1/predict", json={"text": "good"}, headers=headers)
        assert answer.status_code == 200
    [span] = server.collector.named("POST /v1/predict")
    assert not span.parent_span_id
    assert not span.trace_state


async def unused(*_: Message) -> Message:
    raise AssertionError


def ids() -> tuple[str, str] | None:
    """Trace and span of the request in progress."""
    exchange = current()
    return exchange.span.ids if exchange and exchange.span else None


async def ask(traces: Traces, headers: list[tuple[bytes, bytes]]) -> tuple[Any, Any]:
    """What a request knows of its trace."""
    found: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.extend((ids(), outgoing_headers()))

    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": headers}
    await fronted(app, traces=traces)(scope, unused, unused)
    return found[0], found[1]


@pytest.fixture(scope="module")
def silent() -> Iterator[dict[float, Traces]]:
    """By the share that is sampled; of what is recorded nothing arrives."""
    # The thread that sends would draw from the common random numbers, which hypothesis watches.
    with collecting() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setattr("opentelemetry.exporter.otlp.common.http.random", Random(0))
        found = {sample: open_traces(TraceSettings(endpoint=collector.url, sample=sample), {}) for sample in (0.0, 1.0)}
        yield {sample: traces for sample, traces in found.items() if traces}
        for traces in found.values():
            assert traces is not None
            traces.close()


HEX = st.text("0123456789abcdef", min_size=16, max_size=32)
VALUES = st.one_of(
    st.binary(max_size=600),
    st.builds(lambda *parts: "-".join(parts).encode(), st.sampled_from(["00", "01", "ff", "0"]), HEX, HEX, HEX),
    st.builds(lambda flags: f"00-{TRACE}-{SPAN}-{flags:02x}".encode(), st.integers(0, 255)),
)
HEADERS = st.lists(st.tuples(st.sampled_from([b"traceparent", b"tracestate", b"baggage"]), VALUES), max_size=5)
IDS = re.compile(r"[0-9a-f]{32} [0-9a-f]{16}")


@hypothesis_settings(max_examples=FUZZ)
@given(headers=HEADERS, sample=st.sampled_from([0.0, 1.0]))
@example(headers=[(b"traceparent", f"00-{TRACE}-{SPAN}-01".encode()), (b"tracestate", b"a=1")], sample=0.0)
def test_no_header_is_an_error(silent: dict[float, Traces], headers: list[tuple[bytes, bytes]], sample: float) -> None:
    known, outgoing = asyncio.run(ask(silent[sample], headers))
    assert known is None or IDS.fullmatch(" ".join(known))
    assert (known is None) == (outgoing == {})
    assert all(value.isascii() and value.isprintable() for value in outgoing.values())


# -------------------------------------------------------------------------------------------- ids and other servers


def test_log_lines_have_the_ids_of_the_span_or_the_callers(silent: dict[float, Traces]) -> None:
    sampled, other = ([(b"traceparent", f"00-{TRACE}-{SPAN}-{flags}".encode())] for flags in ("01", "00"))
    (trace_id, span_id), outgoing = asyncio.run(ask(silent[0.0], [*sampled, (b"tracestate", b"a=1"), (b"x", b"y")]))
    assert trace_id == TRACE
    assert span_id != SPAN
    assert outgoing == {"traceparent": f"00-{TRACE}-{span_id}-01", "tracestate": "a=1"}
    assert asyncio.run(ask(silent[0.0], other)) == ((TRACE, SPAN), {"traceparent": f"00-{TRACE}-{SPAN}-00"})
    assert asyncio.run(ask(silent[0.0], [])) == (None, {})
    assert ids() is None


def test_the_record_of_a_request_has_the_same_ids(silent: dict[float, Traces]) -> None:
    assert asyncio.run(ask(silent[1.0], []))[0] is not None
    said: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        said.extend(({**log_context()}, {"ids": ids()}))

    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": []}
    asyncio.run(fronted(app, traces=silent[1.0])(scope, unused, unused))
    assert (said[0]["trace.id"], said[0]["transaction.id"]) == said[1]["ids"]


def test_a_request_knows_nothing_of_the_one_before_it_in_the_same_task(silent: dict[float, Traces]) -> None:
    async def two() -> tuple[Any, Any]:
        await ask(silent[0.0], [(b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())])
        return await ask(silent[0.0], [])

    assert asyncio.run(two()) == (None, {})


# ------------------------------------------------------------------------------------------------- what is not told


def test_no_text_and_no_credential_reaches_the_collector() -> None:
    canary = "canary7f3a"
    secrets = {
        "Authorization": f"Bearer {canary}", "X-Api-Key": canary, "Cookie": f"session={canary}", "User-Agent": canary,
        "Host": f"{canary}.example", "X-Forwarded-For": canary, "Referer": f"http://{canary}/",
        "baggage": f"a={canary}",
    }  # fmt: skip
    with traced(Buggy()) as server, httpx.Client(base_url=server.url, headers=secrets) as client:
        asked = [
            client.post("/v1/predict", json={"text": f"good {canary}"}),
            client.post(f"/v1/predict?token={canary}", json={"text": f"fail {canary}"}),
            client.post("/v1/predict", json={"text": "good", canary: canary}),
            client.post("/v1/predict", json={"text": "good", "model": canary}),
            client.post("/v1/predict", content=canary, headers={"Content-Type": canary}),
            client.get(f"/v1/{canary}/x"),
            client.get(f"/v2/models/{canary}"),
            client.post("/v1/predict", json={"text": "good"}, headers={"traceparent": canary, "tracestate": canary}),
        ]
    assert [one.status_code for one in asked] == [200, 500, 422, 404, 415, 404, 404, 200]
    assert len([one for one in server.collector.spans if one.kind == Span.SpanKind.SPAN_KIND_SERVER]) == len(asked)
    told = b"".join(server.collector.bodies).lower()
    assert b"/v1/predict" in told
    assert canary.encode() not in told


# -------------------------------------------------------------------------------------------------- the collector


def test_without_a_collector_requests_are_answered(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    with listen("127.0.0.1", 0) as unused:
        free = page_url(unused)
    with traced(WordCounter(), endpoint=free) as server:
        assert {server.predict().status_code for _ in range(50)} == {200}
    assert not server.collector.spans
    said = [one.getMessage() for one in caplog.records if one.name.startswith("bertline.monitoring")]
    assert len(said) == 2
    assert said[0].startswith(f"{free.removeprefix('http://')} does not accept spans")
    assert said[1].endswith(f"spans were not accepted by {free.removeprefix('http://')}.")


def test_while_the_collector_does_not_answer_requests_are() -> None:
    with traced(WordCounter()) as server:
        server.collector.hold.clear()
        answered = [server.predict().status_code for _ in range(150)]  # of six spans: more than one message
        assert server.collector.asked.wait(timeout=30)
        assert not server.collector.bodies
        answered += [server.predict().status_code for _ in range(10)]
        server.collector.hold.set()
    assert set(answered) == {200}
    assert len(server.collector.named("POST /v1/predict")) == 160


def test_recorded_spans_are_sent_when_the_process_is_terminated(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    with collecting() as collector:
        flags = ("--drain-s", "0", "--lanes", "1", "--traces-endpoint", collector.url, "--traces-sample", "0")
        with spawned(str(tmp_path / "tiny"), *flags) as server:
            for headers in (PARENT, {}):
                assert httpx.post(f"{server.url}/v1/predict", json={"text": "good"}, headers=headers).is_success
            server.stop(signal.SIGTERM)
            assert server.ended()[0] == 0
    [span] = collector.named("POST /v1/predict")
    assert span.trace_id.hex() == TRACE
    assert sorted(one.name for one in children(collector, span)) == sorted(PHASES)
    assert len(collector.named("batch")) == 1
