"""R17: what is fetched from others is bounded after unpacking, with real servers that send bombs."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import brotli
import pytest

from bertline.monitoring.traces.context import SpanContext
from bertline.monitoring.traces.exporter import MOST_ANSWER_BYTES, Span, Traces, TraceSettings, open_traces
from bertline.service.guard.documents import Document, Fetcher, UnreadableDocument
from bertline.service.guard.provider import Provider
from tests.service.forging import public
from tests.service.identity import OIDC, identity
from tests.service.otlp import Collector, collecting
from tests.service.test_provider import until

BOMB_BYTES, MOST_BYTES = 50_000_000, 256 * 1024
LEAST_PEAK_BYTES = 2 * 2**20  # what may be held at a time: the bound, some pieces and zlib's own window
KEYS = json.dumps(public("p256")).encode()


def raw_deflate(body: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(body) + packing.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "raw deflate": raw_deflate,
}  # fmt: skip


def coding(name: str) -> str:
    return name.rpartition(" ")[2]


@contextmanager
def peak() -> Iterator[list[int]]:
    """The most bytes that Python held at a time inside the block, beyond those that it held before."""
    found: list[int] = []
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        yield found
        found.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()


def fetch(sent: Any) -> Document:
    async def story(url: str) -> Document:
        fetcher = Fetcher(5.0, MOST_BYTES)
        try:
            return await fetcher.get(f"{url}/document", {})
        finally:
            await fetcher.aclose()

    with identity() as said:
        said.said["/document"] = sent
        return asyncio.run(story(said.url))


@pytest.mark.parametrize("name", PACK)
def test_a_bomb_is_given_up_at_the_bound(name: str) -> None:
    """R17: 48 KB that would be 50 MB."""
    bomb = PACK[name](bytes(BOMB_BYTES))
    assert len(bomb) < 60_000
    with peak() as held, pytest.raises(UnreadableDocument, match="sent more than 262,144 bytes"):
        fetch((200, {"Content-Encoding": coding(name)}, bomb))
    assert held[0] < LEAST_PEAK_BYTES


@pytest.mark.parametrize(
    ("named", "bomb", "sentence"),
    [
        ("br", brotli.compress(bytes(BOMB_BYTES)), "sent an unreadable document: Content-Encoding br is not supported"),
        ("zstd", b"(\xb5/\xfd", "sent an unreadable document: Content-Encoding zstd is not supported"),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(BOMB_BYTES))), "Content-Encoding names 2 codings"),
    ],
    ids=["br", "zstd", "gzip twice"],
)
def test_other_codings_are_named_and_not_unpacked(named: str, bomb: bytes, sentence: str) -> None:
    """R17: httpx unpacks br and zstd wherever a library for them is installed."""
    with peak() as held, pytest.raises(UnreadableDocument, match=sentence):
        fetch((200, {"Content-Encoding": named}, bomb))
    assert held[0] < LEAST_PEAK_BYTES


@pytest.mark.parametrize("name", PACK)
def test_a_document_that_is_packed_all_the_same_is_read(name: str) -> None:
    """R17: up to the last byte of the bound."""
    whole = KEYS + b" " * (MOST_BYTES - len(KEYS))
    found = fetch((200, {"Content-Encoding": coding(name), "Cache-Control": "max-age=60"}, PACK[name](whole)))
    assert found == Document(200, whole, "max-age=60")
    with pytest.raises(UnreadableDocument, match="sent more than 262,144 bytes"):
        fetch((200, {"Content-Encoding": coding(name)}, PACK[name](whole + b" ")))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (KEYS, "sent an unreadable document: The body is not gzip, or is damaged"),
        (gzip.compress(KEYS)[:-9], "sent an unreadable document: The body ends in the middle of its gzip stream"),
    ],
    ids=["not packed", "cut off"],
)
def test_a_body_that_does_not_match_its_coding_is_rejected(body: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableDocument, match=sentence):
        fetch((200, {"Content-Encoding": "gzip"}, body))


def test_an_answer_without_a_body_needs_none_of_its_coding() -> None:
    assert fetch((404, {"Content-Encoding": "gzip"})) == Document(404, b"", "")


def test_keys_that_are_a_bomb_leave_the_provider_without_keys(caplog: pytest.LogCaptureFixture) -> None:
    """R17: by the whole way, metadata and keys; once they are in order they are used, packed or not."""
    caplog.set_level("INFO", logger="bertline")
    bomb = gzip.compress(bytes(BOMB_BYTES))

    async def story(said: Any) -> None:
        with peak() as held:
            async with Provider(said.url) as keys:
                await until(lambda: caplog.records)
                assert not keys.generation
                said.said["/keys"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(KEYS))
                await until(lambda: keys.generation)
        assert held[0] < LEAST_PEAK_BYTES

    with identity() as said:
        said.said["/keys"] = (200, {"Content-Encoding": "gzip"}, bomb)
        asyncio.run(story(said))
    assert said.asked[:2] == [OIDC, "/keys"]
    assert "sent more than 262,144 bytes" in caplog.text


def sent_to(collector: Collector, how_many: int = 1) -> Traces:
    traces = open_traces(TraceSettings(endpoint=collector.url, sample=1.0))
    assert traces is not None
    for number in range(how_many):
        context: SpanContext = traces.root()
        traces.record(Span("a request", context, 1, 2))
        if number < how_many - 1:
            traces._processor.force_flush()
    return traces


@pytest.mark.parametrize("status", [200, 400])
def test_a_collectors_response_is_not_decompressed(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """R17: the exporter looks at the status alone; requests would have unpacked all of it."""
    with collecting() as collector:
        collector.status, collector.answer = status, gzip.compress(bytes(BOMB_BYTES))
        collector.answer_headers = {"Content-Encoding": "gzip"}
        with caplog.at_level(logging.WARNING), peak() as held:
            sent_to(collector).close()
    assert len(collector.bodies) == (status == 200)
    assert held[0] < LEAST_PEAK_BYTES


@pytest.mark.parametrize(
    ("answer", "connections"), [(None, 1), (b"x" * (MOST_ANSWER_BYTES - 1), 1), (b"x" * (MOST_ANSWER_BYTES + 1), 3)]
)
def test_a_connection_to_a_collector_is_used_again_unless_it_says_too_much(
    answer: bytes | None, connections: int
) -> None:
    with collecting() as collector:
        collector.answer = answer
        sent_to(collector, 3).close()
    assert len(collector.bodies) == 3
    assert len(collector.connections) == connections


def test_a_session_that_brings_credentials_is_left_to_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    from bertline.monitoring.traces import exporter as traces

    assert traces._session() is not None
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER", "gcp")
    assert traces._session() is None
