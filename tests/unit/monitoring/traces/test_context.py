from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bertline.monitoring.traces.context import MOST_STATE_CHARS, SpanContext, read_parent, read_state

FUZZ = int(os.environ.get("BERTLINE_FUZZ_EXAMPLES", "300"))
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01".encode()

# The zoo: what the test suite of the standard (w3c/trace-context) sends, and neighbours.
MALFORMED = [
    b"", b"-", b"00", b"00-", b"garbage", b"\xff\xfe", GOOD[:-1], GOOD + b"-", GOOD + b"-00", GOOD + b"0", GOOD.upper(),
    GOOD.replace(b"-", b"_"), b"ff" + GOOD[2:], b"0g" + GOOD[2:], b"0" + GOOD, b"." * 55, b"00 " + GOOD[3:],
    f"00-{'0' * 32}-{SPAN}-01".encode(), f"00-{TRACE}-{'0' * 16}-01".encode(), f"00-{TRACE[:-1]}-{SPAN}-01".encode(),
    f"00-{TRACE}0-{SPAN}-01".encode(), f"00-{TRACE}-{SPAN}0-01".encode(), f"00-{TRACE}-{SPAN}-0".encode(),
    f"00-{TRACE}-{SPAN}-0x".encode(), f"00-{TRACE}-{SPAN}".encode(), f"01-{TRACE}-{SPAN}-01.".encode(),
    GOOD + b"\n", GOOD + b"\r\nx: y", GOOD.replace(b"4b", "٤b".encode()), b"01" + GOOD[2:] + b"-" + b"x" * 500,
]  # fmt: skip


@pytest.mark.parametrize("header", MALFORMED)
def test_a_malformed_traceparent_is_none(header: bytes) -> None:
    assert read_parent([header]) is None


@pytest.mark.parametrize(
    "header", [GOOD, b" \t" + GOOD + b" ", b"01" + GOOD[2:], b"cc" + GOOD[2:] + b"-what the future brings"]
)
def test_a_traceparent_of_this_and_of_later_versions_is_read(header: bytes) -> None:
    assert read_parent([header]) == SpanContext(int(TRACE, 16), int(SPAN, 16), 1)


def test_a_traceparent_that_is_missing_or_there_twice_is_none() -> None:
    assert read_parent([]) is None
    assert read_parent([GOOD, GOOD]) is None


@pytest.mark.parametrize(
    ("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("03", True), ("fc", False)]
)
def test_the_first_bit_says_sampled(flags: str, sampled: bool) -> None:
    context = read_parent([f"00-{TRACE}-{SPAN}-{flags}".encode()])
    assert context is not None
    assert context.sampled is sampled


def test_written_values_are_read_back() -> None:
    context = SpanContext(1, 2, 3, (("a", "1"), ("t@v", "x y")))
    headers = {name: [value.encode()] for name, value in context.headers.items()}
    parent = read_parent(headers["traceparent"])
    assert parent is not None
    assert parent._replace(state=read_state(headers["tracestate"])) == context


@pytest.mark.parametrize(
    "state",
    [b"a", b"a=", b"=1", b"A=1", b"a=1=2", b"a=1,a=2", b"a=\xe9", b"a=1;b=2", b"a b=1", b"@v=1", b"a@=1", b"1=1",
     b",".join(b"k%d=1" % place for place in range(33)), b"a=" + b"x" * MOST_STATE_CHARS],
)  # fmt: skip
def test_a_malformed_tracestate_is_dropped_whole(state: bytes) -> None:
    assert read_state([state]) == ()


def test_tracestates_are_joined_and_empty_members_allowed() -> None:
    assert read_state([b"a=1,, b=2 ", b"", b"c@d=3"]) == (("a", "1"), ("b", "2"), ("c@d", "3"))
    full = b",".join(b"k%d=1" % place for place in range(32))
    assert len(read_state([full])) == 32


def library(parent: bytes, states: Sequence[bytes]) -> SpanContext | None:
    """As OpenTelemetry reads the same headers."""
    carrier: dict[str, list[str]] = {"traceparent": [parent.decode("latin-1")]}
    if states:
        carrier["tracestate"] = [one.decode("latin-1") for one in states]
    found = trace.get_current_span(TraceContextTextMapPropagator().extract(carrier)).get_span_context()
    if not found.is_valid:
        return None
    return SpanContext(found.trace_id, found.span_id, found.trace_flags & 3, tuple(found.trace_state.items()))


def ours(parent: bytes, states: Sequence[bytes]) -> SpanContext | None:
    found = read_parent([parent])
    return None if found is None else found._replace(state=read_state(states))


HEX = st.text("0123456789abcdefA-", min_size=0, max_size=34)
PARENTS = st.one_of(
    st.binary(max_size=64),
    st.builds("-".join, st.lists(HEX, min_size=3, max_size=6)).map(str.encode),
    st.builds(
        lambda version, trace_id, span_id, flags, more: f"{version}-{trace_id}-{span_id}-{flags}{more}".encode(),
        st.sampled_from(["00", "01", "fe", "ff"]), st.text("0a", min_size=31, max_size=33),
        st.text("0f", min_size=16, max_size=16), st.sampled_from(["00", "01", "02", "ff", "0", "0x"]),
        st.sampled_from(["", "-", "-x", "x", " "]),
    ),
)  # fmt: skip
MEMBERS = st.one_of(st.text("ab1@_-*/=, \t\xe9", max_size=12), st.sampled_from(["a=1", "b=2", "c@d=3", ""]))
STATES = st.lists(st.lists(MEMBERS, max_size=4).map(lambda some: ",".join(some).encode("latin-1")), max_size=3)


@settings(max_examples=FUZZ)
@given(parent=PARENTS, states=STATES)
@example(parent=GOOD, states=[b"a=1", b"b=2"])
def test_headers_are_parsed_as_by_opentelemetry(parent: bytes, states: list[bytes]) -> None:
    for header in (parent, GOOD):
        if b"\n" not in header:  # a header has none, and the library's pattern would let one end it
            assert ours(header, states) == library(header, states)
