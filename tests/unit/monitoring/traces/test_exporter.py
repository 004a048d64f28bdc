from __future__ import annotations

import logging
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from pydantic import ValidationError

from bertline import __version__
from bertline.errors import SettingsError, UsageError
from bertline.monitoring.traces.context import SAMPLED, SpanContext
from bertline.monitoring.traces.exporter import MOST_LINKS, MOST_WAITING, Span, Traces, TraceSettings, open_traces
from tests.service.otlp import attributes, collecting

PARENT = SpanContext(0xABC, 0xDEF, SAMPLED)


def opened(endpoint: str, sample: float = 1.0, *, trust_parent: bool = True) -> Traces:
    traces = open_traces(TraceSettings(endpoint=endpoint, sample=sample, trust_parent=trust_parent), {})
    assert traces is not None
    return traces


@pytest.fixture
def closed_port() -> str:
    """An address at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


@pytest.mark.parametrize("environ", [{}, {"OTEL_SDK_DISABLED": "True", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}])
def test_without_an_endpoint_there_are_no_traces(environ: dict[str, str]) -> None:
    assert open_traces(TraceSettings(), environ) is None


def test_without_an_endpoint_neither_sdk_nor_exporter_is_imported() -> None:
    program = (
        "import sys; from bertline.monitoring.traces.exporter import TraceSettings, open_traces\n"
        "import bertline.service.app, bertline.service.listeners.traces\n"
        "assert open_traces(TraceSettings(), {}) is None\n"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_the_package_one_sentence_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(
        UsageError, match=r"^Traces need OpenTelemetry with opentelemetry\S*, which is not installed: pip install"
    ):
        open_traces(TraceSettings(endpoint="http://127.0.0.1:4318"), {})


@pytest.mark.parametrize(
    ("endpoint", "environ", "path"),
    [
        ("{}", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "/v1/traces"),
        ("{}/", {}, "/v1/traces"),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "{}/of/ours/"}, "/of/ours/v1/traces"),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "{}/whole", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, "/whole"),
    ],
)
def test_the_endpoint_is_a_base_and_the_one_for_traces_is_whole(
    endpoint: str | None, environ: dict[str, str], path: str
) -> None:
    with collecting() as collector:
        placed = {name: value.format(collector.url) for name, value in environ.items()}
        base = endpoint.format(collector.url) if endpoint else None
        traces = open_traces(TraceSettings(endpoint=base), placed)
        assert traces is not None
        traces.record(Span("one", traces.root(), 1, 2))
        traces.close()
    assert collector.paths == [path]


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:4318", "grpc://a:4317", "http://", "http://user:canary@a", "http://[::1", "http://a:x"]
)
def test_an_endpoint_that_is_none_is_refused_and_its_password_not_repeated(endpoint: str) -> None:
    with pytest.raises(SettingsError, match=r"must be an http or https address") as caught:
        open_traces(TraceSettings(endpoint=endpoint), {})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"sample": 1.1}, {"sample": -0.1}, {"headers": "a=b"}])
def test_settings_are_checked_and_have_no_headers(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TraceSettings.model_validate(wrong)


def test_headers_and_compression_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20opensesame")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    with collecting() as collector:
        traces = opened(collector.url)
        traces.record(Span("one", traces.root(), 1, 2))
        traces.close()
    assert [one["authorization"] for one in collector.headers] == ["Bearer opensesame"]
    assert [one["content-encoding"] for one in collector.headers] == ["gzip"]
    assert [span.name for span in collector.spans] == ["one"]


def test_the_resource_names_the_sender_and_the_environment_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for variables in (
        {},
        {"OTEL_SERVICE_NAME": "films", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"},
    ):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with collecting() as collector:
            traces = opened(collector.url)
            traces.record(Span("one", traces.root(), 1, 2))
            traces.close()
        found.append(collector.resource)
    assert [one["service.name"] for one in found] == ["bertline", "films"]
    assert {one["service.version"] for one in found} == {__version__}
    assert len({one["service.instance.id"] for one in found}) == 2
    assert found[1]["deployment.environment.name"] == "test"


def test_a_span_arrives_as_it_was_recorded() -> None:
    own = PARENT._replace(span_id=7, state=(("vendor", "x"),))
    with collecting() as collector:
        traces = opened(collector.url)
        links = [SpanContext(place, place, SAMPLED) for place in range(1, MOST_LINKS + 10)]
        traces.record(Span("failed", own, 10, 20, PARENT, server=True, attributes={"a": 1}, failed=True, links=links))
        traces.record(Span("fine", traces.child(own), 12, 18, own))
        traces.close()
    failed, fine = collector.spans
    assert failed.trace_id == fine.trace_id == (0xABC).to_bytes(16, "big")
    assert failed.parent_span_id == (0xDEF).to_bytes(8, "big")
    assert fine.parent_span_id == failed.span_id == (7).to_bytes(8, "big")
    assert fine.span_id != failed.span_id
    assert (failed.kind, fine.kind) == (failed.SPAN_KIND_SERVER, fine.SPAN_KIND_INTERNAL)
    assert (failed.status.code, fine.status.code) == (failed.status.STATUS_CODE_ERROR, fine.status.STATUS_CODE_UNSET)
    assert (failed.start_time_unix_nano, failed.end_time_unix_nano) == (10, 20)
    assert attributes(failed) == {"a": 1}
    assert failed.trace_state == fine.trace_state == "vendor=x"
    assert len(failed.links) == MOST_LINKS
    assert failed.flags & 0x200  # the parent is of another program (SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
    assert not fine.flags & 0x200


SAMPLES = (0.0, 0.01, 1 / 3, 0.5, 1.0)


@pytest.fixture(scope="module")
def idle() -> Iterator[dict[float, Traces]]:
    """Traces by the share that is sampled; nothing is sent."""
    found = {sample: opened("http://127.0.0.1:1", sample) for sample in SAMPLES}
    yield found
    for one in found.values():
        one.close()


@given(
    sample=st.sampled_from(SAMPLES),
    high=st.integers(1, 2**64 - 1),
    low=st.one_of(st.integers(0, 2**64 - 1), st.integers(-2, 2).map(lambda step: f"{step}")),
    flags=st.sampled_from([None, 0, SAMPLED]),
)
def test_the_decision_is_that_of_opentelemetrys_samplers(
    idle: dict[float, Traces], sample: float, high: int, low: int | str, flags: int | None
) -> None:
    ratio = TraceIdRatioBased(sample)
    near = min(2**64 - 1, max(0, ratio.bound + int(low))) if isinstance(low, str) else low
    trace_id = (high << 64) | near
    if flags is None:
        theirs = ParentBased(ratio).should_sample(None, trace_id, "any")
        assert idle[sample].sampled(trace_id) is theirs.decision.is_sampled()
        return
    remote = trace.NonRecordingSpan(trace.SpanContext(trace_id, 1, True, trace.TraceFlags(flags)))
    theirs = ParentBased(ratio).should_sample(trace.set_span_in_context(remote), trace_id, "any")
    decided = idle[sample].decide(SpanContext(trace_id, 1, flags))
    assert (decided is not None) is theirs.decision.is_sampled()
    assert decided is None or (decided.trace_id == trace_id and decided.sampled)


def test_a_share_of_the_traces_that_begin_here_is_recorded(idle: dict[float, Traces]) -> None:
    begun = {sample: sum(traces.decide(None) is not None for _ in range(3000)) for sample, traces in idle.items()}
    assert begun[0.0] == 0
    assert begun[1.0] == 3000
    assert abs(begun[0.5] - 1500) < 6 * 27.4  # six standard deviations: one run in 500 million


def test_a_caller_that_is_not_trusted_decides_nothing() -> None:
    never, always = (opened("http://127.0.0.1:1", sample, trust_parent=False) for sample in (0.0, 1.0))
    for flags in (0, SAMPLED):
        assert never.decide(SpanContext(1, 1, flags)) is None
        decided = always.decide(SpanContext(1, 1, flags))
        assert decided is not None
        assert decided.trace_id != 1
    never.close()
    always.close()


def test_a_new_trace_has_a_new_id_each_time_whatever_seed_is_set(idle: dict[float, Traces]) -> None:
    random.seed(0)
    first = idle[1.0].root()
    random.seed(0)
    assert len({first.trace_id, idle[1.0].root().trace_id, idle[1.0].root().trace_id}) == 3


def until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_the_queue_is_bounded_and_drops_are_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    with collecting() as collector:
        collector.hold.clear()
        traces = opened(collector.url)
        for place in range(2 * MOST_WAITING):
            traces.record(Span("many", SpanContext(place + 1, 1, SAMPLED), 1, 2))
        lost = traces.lost
        collector.hold.set()
        until(lambda: len(collector.spans) + lost == 2 * MOST_WAITING)
        traces.close()
    assert 0 < lost <= MOST_WAITING
    said = [one.getMessage() for one in caplog.records if one.name.startswith(("bertline", "opentelemetry"))]
    assert len([one for one in said if "some are dropped" in one]) == 1
    assert said[-1].startswith(f"{lost} spans were not accepted by 127.0.0.1")
    assert len(said) == 2


def test_a_missing_collector_is_logged_once_and_lost_spans_are_counted(
    closed_port: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.01")
    traces = opened(closed_port)
    for _ in range(1300):  # three requests to the collector
        traces.record(Span("lost", traces.root(), 1, 2))
    traces.close()
    assert traces.lost == 1300
    place = closed_port.removeprefix("http://")
    assert [(one.levelno, one.getMessage()) for one in caplog.records if "span" in one.getMessage()] == [
        (logging.WARNING, f"{place} does not accept spans: they are lost until it does; requests go on."),
        (logging.WARNING, f"1300 spans were not accepted by {place}."),
    ]


def test_a_collector_that_accepts_spans_again_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    with collecting() as collector:
        collector.status = 400
        traces = opened(collector.url)
        traces.record(Span("lost", traces.root(), 1, 2))
        until(lambda: traces.lost == 1)
        collector.status = 200
        traces.record(Span("sent", traces.root(), 1, 2))
        until(lambda: len(collector.bodies) == 1)
        traces.close()
    assert [span.name for span in collector.spans] == ["sent"]
    assert [
        one.getMessage().partition(" ")[2] for one in caplog.records if "accepts spans again" in one.getMessage()
    ] == ["accepts spans again; 1 were lost."]


def test_closing_does_not_wait_for_a_collector_that_never_answers() -> None:
    with collecting() as collector:
        collector.hold.clear()
        traces = opened(collector.url)
        traces.record(Span("one", traces.root(), 1, 2))
        traces.close()
        assert collector.asked.is_set()
        assert not collector.hold.is_set()  # it still holds the request
        assert not collector.bodies
