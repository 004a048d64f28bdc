"""R7: a compressed body is unpacked below the bound of a plain one, or refused by the name of its header."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import REFUSE, create_app
from bertline.service.edge.content_encoding import MOST_MEMBERS, STEP_BYTES, Unpacker
from bertline.service.edge.shedding import LARGEST_BODY, Shedding
from bertline.service.guard.client import Client, Scope
from bertline.service.limits.ledger import Ledgers
from bertline.service.limits.settings import LimitSettings
from bertline.service.perimeter import Perimeter
from bertline.serving.problems import Code, Problem
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.live import live, warm
from tests.service.test_guard import KEY, Known
from tests.service.test_shedding import PLAIN, busy  # noqa: F401 - a fixture

EXAMPLES = int(os.environ.get("BERTLINE_FUZZ_EXAMPLES", "300"))
LIMIT = 4096
BODY = json.dumps({"text": "good bad good"}).encode()
REMEDY = ": send the body uncompressed, or compressed once, with gzip or deflate."


def raw_deflate(body: bytes) -> bytes:
    """RFC 1951 without zlib's frame, as .NET's DeflateStream writes it."""
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(body) + packing.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = ServeSettings(max_body_bytes=LIMIT, drain_s=0)
    with TestClient(create_app(serving_of({"reviews": WordCounter()}, settings))) as one:
        yield until_ready(one)


def ask(
    client: TestClient,
    coding: str | Sequence[str],
    body: Any,
    path: str = "/v1/predict",
    kind: str = "application/json",
) -> httpx.Response:
    lines = [coding] if isinstance(coding, str) else coding
    headers = [("Content-Type", kind), *(("Content-Encoding", one) for one in lines)]
    answer: httpx.Response = client.post(path, content=body, headers=headers)
    return answer


def pieces(body: bytes, size: int = 1) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


@pytest.mark.parametrize("name", CODINGS)
def test_a_compressed_body_is_answered_as_a_plain_one(client: TestClient, name: str) -> None:
    """R7: in one piece, and a byte at a time without a length."""
    coding, packed = CODINGS[name]
    plain = client.post("/v1/predict", content=BODY, headers={"Content-Type": "application/json"}).json()
    for body in (packed(BODY), pieces(packed(BODY))):
        answer = ask(client, coding, body)
        assert (answer.status_code, answer.json()) == (200, plain)


@pytest.mark.parametrize(
    "coding",
    ["x-gzip", "GZip", " gzip ", "identity, gzip", "gzip,identity", "gzip, ", ["identity", "gzip"], ["", "x-GZIP"]],
)
def test_a_coding_has_several_spellings(client: TestClient, coding: str | list[str]) -> None:
    """R7: RFC 9110, sections 8.4.1 and 8.4.1.3."""
    assert ask(client, coding, gzip.compress(BODY, mtime=0)).status_code == 200


@pytest.mark.parametrize("coding", ["identity", "", "Identity , identity", ["", "identity"]])
def test_identity_is_not_a_coding(client: TestClient, coding: str | list[str]) -> None:
    """R7: it should not be sent, and says nothing."""
    assert ask(client, coding, BODY).status_code == 200


@pytest.mark.parametrize(
    ("coding", "message"),
    [
        ("br", "Content-Encoding br is not supported: "),
        ("zstd", "Content-Encoding zstd is not supported: "),
        ("compress", "Content-Encoding compress is not supported: "),
        ("aws-chunked", "Content-Encoding aws-chunked is not supported: "),
        ("utf-8", "Content-Encoding utf-8 is not supported: "),
        ('<b>"x"', "This Content-Encoding is not supported: "),
        ("x" * 400, "This Content-Encoding is not supported: "),
        ("gzip, gzip", "Content-Encoding names 2 codings: "),
        ("deflate, gzip", "Content-Encoding names 2 codings: "),
        (["gzip", "br", "gzip"], "Content-Encoding names 3 codings: "),
        (", ".join(["gzip"] * 1000), "Content-Encoding names 1000 codings: "),
    ],
)
def test_a_coding_that_is_not_read_is_a_415(client: TestClient, coding: str | list[str], message: str) -> None:
    """R7: RFC 9110, section 15.5.16: with the codings that are."""
    body = gzip.compress(gzip.compress(BODY, mtime=0))
    answer = ask(client, coding, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (415, "unsupported_content_encoding")
    assert error["field"] == "Content-Encoding"
    assert error["message"].startswith(message)
    assert error["message"].endswith(REMEDY)
    assert answer.headers["Accept-Encoding"] == "gzip, deflate"


GZIPPED, ZLIBBED = gzip.compress(BODY, mtime=0), zlib.compress(BODY)
SPOILT = GZIPPED[:-6] + bytes([GZIPPED[-6] ^ 1]) + GZIPPED[-5:]  # the sum of its bytes
NOT_IT = "is not {}, or is damaged: correct it, or leave Content-Encoding out."
SHORT, LONG = (
    "ends in the middle of its {} stream: send the whole body.",
    "continues after the end of its {} stream: send only the stream.",
)
WRONG = [
    ("gzip", BODY, NOT_IT),
    ("gzip", ZLIBBED, NOT_IT),
    ("gzip", SPOILT, NOT_IT),
    ("gzip", GZIPPED[:10] + b"\xff" * 20, NOT_IT),
    ("deflate", BODY, NOT_IT),
    ("deflate", GZIPPED, NOT_IT),
    ("deflate", ZLIBBED[:-1] + bytes([ZLIBBED[-1] ^ 1]), NOT_IT),
    ("deflate", b"\x78\xbb" + ZLIBBED[2:], NOT_IT),  # asks for a dictionary that nobody has
    ("gzip", GZIPPED[:-1], SHORT),
    ("gzip", GZIPPED[:-8], SHORT),
    ("gzip", GZIPPED[:10], SHORT),
    ("gzip", GZIPPED[:1], SHORT),
    ("gzip", GZIPPED + GZIPPED[:5], SHORT),
    ("deflate", ZLIBBED[:-1], SHORT),
    ("deflate", ZLIBBED[:1], SHORT),
    ("deflate", raw_deflate(BODY)[:-1], SHORT),
    ("gzip", GZIPPED + b"\0", SHORT),
    ("gzip", GZIPPED + b"\0\0\0", LONG),
    ("gzip", GZIPPED + BODY, LONG),
    ("deflate", ZLIBBED + b"\0", LONG),
    ("deflate", ZLIBBED + ZLIBBED, LONG),
    ("deflate", raw_deflate(BODY) + BODY, LONG),
]


@pytest.mark.parametrize(("coding", "body", "message"), WRONG)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_body_that_contradicts_its_header_is_a_400(
    client: TestClient, coding: str, body: bytes, message: str, size: int
) -> None:
    """R7: never "not valid JSON", however it comes."""
    answer = ask(client, coding, pieces(body, size))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_content_encoding")
    assert error["field"] == "Content-Encoding"
    assert error["message"] == f"The body {message.format(coding)}"


def test_a_gzip_file_of_several_members_is_one_body(client: TestClient) -> None:
    """R7: RFC 1952, section 2.2; an empty member is one."""
    body = b"".join(gzip.compress(part) for part in (b"", BODY[:5], b"", BODY[5:], b""))
    assert ask(client, "gzip", body).json()["predictions"][0]["label"] == "positive"
    assert ask(client, "gzip", pieces(body)).status_code == 200


def test_the_number_of_members_is_bounded() -> None:
    """R7: 20 bytes each, and what follows was copied for every one: 4 MiB of them took a minute."""
    empty = gzip.compress(b"", mtime=0)
    unpacker = Unpacker("gzip")
    assert unpacker.feed(empty * MOST_MEMBERS, 10) == b""
    unpacker.end()
    with pytest.raises(Problem, match=r"^The body has more than 1,000 gzip members: compress it as one\.$"):
        unpacker.feed(empty, 10)


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (1_000_000, 413)])
def test_the_bound_applies_to_the_decompressed_size(client: TestClient, name: str, size: int, status: int) -> None:
    """R7: the last size that passes, the first that does not, and a bomb."""
    coding, packed = CODINGS[name]
    text = json.dumps({"text": "x" * (size - len(json.dumps({"text": ""})))}).encode()
    assert len(text) == size
    for body in (packed(text)[:LIMIT], pieces(packed(text), 100)):
        answer = ask(client, coding, body)
        assert answer.status_code == status
        if status == 413:
            error = answer.json()["error"]
            assert error["code"] == "body_too_large"
            assert error["message"].startswith(
                "The body has more than 4,096 bytes once it is decompressed, the limit: send"
            )


@pytest.mark.parametrize("chunked", [False, True])
def test_the_limit_applies_to_compressed_bytes_too(client: TestClient, chunked: bool) -> None:
    """R7: what cannot be compressed is larger packed than not."""
    body = gzip.compress(BODY, mtime=0) + gzip.compress(b"") * (LIMIT // 20)
    answer = ask(client, "gzip", pieces(body, 1000) if chunked else body)
    assert answer.status_code == 413
    assert answer.json()["error"]["message"].startswith(f"The body has more than {LIMIT:,} bytes, the limit")


def test_a_bomb_takes_no_more_memory_than_the_bound() -> None:
    """R7: 100 MB of zeros in 100 KB, of which one MiB is let out."""
    bomb = gzip.compress(bytes(100_000_000))
    unpacker = Unpacker("gzip")
    unpacker.feed(bomb[:10], 1)
    tracemalloc.start()
    try:
        found = unpacker.feed(bomb[10:], 2**20)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 2**20
    assert peak_bytes < 3 * 2**20


@settings(max_examples=EXAMPLES)
@given(
    body=st.binary(max_size=200) | st.binary(min_size=1, max_size=3).map(lambda one: one * (STEP_BYTES // 2)),
    name=st.sampled_from(list(CODINGS)),
    cuts=st.lists(st.integers(0, 60_000), max_size=4),
)
def test_however_it_is_cut_it_is_the_same_body(body: bytes, name: str, cuts: list[int]) -> None:
    """R7: the unpacker is the compressor's inverse."""
    coding, packed = CODINGS[name]
    whole = packed(body)
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    unpacker, found = Unpacker(coding), b""
    for start, end in pairwise(places):
        found += unpacker.feed(whole[start:end], len(body) + 1 - len(found))
    unpacker.end()
    assert found == body


@settings(max_examples=EXAMPLES)
@given(parts=st.lists(st.binary(max_size=60), max_size=4), coding=st.sampled_from(["gzip", "deflate"]))
def test_whatever_is_sent_it_is_unpacked_or_a_problem(parts: list[bytes], coding: str) -> None:
    """R7: no exception of a library reaches the client as a 500."""
    unpacker, found = Unpacker(coding), b""
    try:
        for part in parts:
            found += unpacker.feed(part, 1000 - len(found))
            if len(found) == 1000:
                return
        unpacker.end()
    except Problem as problem:
        assert problem.code is Code.INVALID_CONTENT_ENCODING  # noqa: PT017 - most of what is sent is a problem


# ------------------------------------------------------------------------------------------------ where it is decided


SHAPES = [
    ("/v1/predict", {"error": {"code", "message", "field"}}),
    ("/v1/embeddings", {"error": {"code", "message", "param", "type"}}),
    ("/embed", {"error": None, "error_type": None}),
    ("/models/reviews/pipeline/text-classification", {"error": None}),
    ("/v1/models/reviews:predict", {"error": None}),
    ("/v2/models/reviews/infer", {"error": None}),
    ("/invocations", {"error": None}),
    ("/oauth/token", {"error": None, "error_description": None}),
    ("/admin/models/reviews/rollback", {"error": {"code", "message", "field"}}),
    ("/", {"error": {"code", "message", "field"}}),
]


@pytest.mark.parametrize(("path", "shape"), SHAPES)
@pytest.mark.parametrize(("coding", "status"), [("br", 415), ("gzip", 400)])
def test_the_refusal_has_the_shape_of_the_dialect(
    client: TestClient, path: str, shape: dict[str, set[str] | None], coding: str, status: int
) -> None:
    """R7: on every route alike."""
    answer = ask(client, coding, BODY, path)
    assert answer.status_code == status
    body = answer.json()
    assert {key: set(body[key]) if isinstance(body[key], dict) else None for key in body} == shape
    assert ("Content-Encoding" in answer.text) or status == 400
    assert answer.headers.get("Accept-Encoding") == ("gzip, deflate" if status == 415 else None)


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/v1/embeddings", b'{"model": "reviews", "input": "good"}', "application/json"),
        ("/embed", b'{"inputs": "good"}', "application/json"),
        ("/v1/models/reviews:predict", b'{"instances": ["good"]}', "application/json"),
        ("/invocations", b"good\nbad\n", "text/csv"),
        ("/", b'{"inputs": "good"}', "application/json"),
    ],
)
def test_every_dialect_takes_compressed_bodies(client: TestClient, path: str, body: bytes, kind: str) -> None:
    """R7: the routes get the plain body and the headers of one."""
    plain = ask(client, [], body, path, kind).json()
    for coding in ("gzip", "deflate"):
        answer = ask(client, coding, CODINGS[coding][1](body), path, kind)
        assert answer.status_code == 200
        assert answer.json().keys() == plain.keys() if isinstance(plain, dict) else answer.json() == plain


def test_the_length_of_triton_json_is_that_of_the_plain_one(client: TestClient) -> None:
    """R7: as Triton's client sends it with ``request_compression_algorithm``: binary tensors after the JSON."""
    tensor = (4).to_bytes(4, "little") + b"good"
    named = {"name": "TEXT", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(tensor)}}
    names = client.get("/v2/models/reviews").json()["inputs"]
    head = json.dumps({"inputs": [{**named, "name": names[0]["name"]}]}).encode()
    for coding in ("gzip", "deflate"):
        headers = {"Content-Encoding": coding, "Inference-Header-Content-Length": str(len(head))}
        headers["Content-Type"] = "application/octet-stream"
        answer = client.post("/v2/models/reviews/infer", content=CODINGS[coding][1](head + tensor), headers=headers)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, gzip"])
def test_without_a_body_the_header_says_nothing(client: TestClient, coding: str) -> None:
    """R7: a GET with it is a GET; a POST without a body is told that it has none."""
    assert client.get("/v1/models", headers={"Content-Encoding": coding}).status_code == 200
    answer = ask(client, coding, b"")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "missing_field")


def test_the_guard_and_the_limits_come_first() -> None:
    """R7: nothing is unpacked for somebody who may not ask."""
    keys = Known(KEY, Client("a", frozenset({Scope.PREDICT}), "key"))
    perimeter = Perimeter(keys=keys, limits=Ledgers(LimitSettings(requests_per_minute=1)))
    with TestClient(create_app(serving_of({"reviews": WordCounter()}), perimeter)) as client:
        until_ready(client)
        headers = {"Content-Encoding": "br", "Content-Type": "application/json"}
        assert client.post("/v1/predict", content=BODY, headers=headers).status_code == 401
        found = [client.post("/v1/predict", content=BODY, headers={**headers, "X-API-Key": KEY}) for _ in range(2)]
    assert [one.status_code for one in found] == [415, 429]


def test_it_is_counted(client: TestClient) -> None:
    """R7: bodies that are refused before they are parsed are problems like the others."""
    names = [f'bertline_problems_total{{code="{code}"}}' for code in ("unsupported_content_encoding", "body_too_large")]

    def counted() -> list[float]:
        lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines())
        return [float(lines[name]) for name in names]

    before = counted()
    ask(client, "br", BODY)
    ask(client, [], b"x" * (LIMIT + 1))
    assert [after - one for after, one in zip(counted(), before, strict=True)] == [1, 1]


def test_over_a_socket() -> None:
    """R7: a real server takes one compressed request after the other, and closes after one that it did not read."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with live({"reviews": WordCounter()}) as url, httpx.Client(base_url=warm(url)) as one:
        found = [one.post("/v1/predict", content=gzip.compress(BODY, mtime=0), headers=headers) for _ in range(2)]
        refused = one.post("/v1/predict", content=BODY, headers={**headers, "Content-Encoding": "zstd"})
    assert [answer.status_code for answer in found] == [200, 200]
    assert (refused.status_code, refused.headers["Connection"]) == (415, "close")


# --------------------------------------------------------------------------------------------------- while it is full


def test_a_full_queue_refuses_compressed_requests_as_the_shortest(busy: Any) -> None:  # noqa: F811
    """R7: the length of a compressed body says nothing of its tokens."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps({"text": "word " * 60}).encode())
    answer = httpx.post(f"{busy.url}/v1/predict", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "overloaded")


@pytest.mark.parametrize(
    ("more", "size"), [([], 6000), ([(b"content-encoding", b"gzip")], 0), ([(b"content-encoding", b"br")], 0)]
)
def test_the_size_that_shedding_assumes_for_a_body(
    more: list[tuple[bytes, bytes]], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R7: a plain body by its bytes, a compressed one as the shortest there is."""
    sizes: list[int] = []
    shedding = Shedding(serving_of({"reviews": WordCounter()}), REFUSE)
    monkeypatch.setattr(shedding, "_problem", lambda op, size: sizes.append(size))
    head = [*PLAIN[:-1], (b"content-length", b"6000"), *more]
    assert shedding.answer(b"POST", b"/v1/predict", head) is None
    assert (
        shedding.answer(b"POST", b"/v1/predict", [*head[:2], (b"content-length", b"%d" % (LARGEST_BODY + 1)), *more])
        is None
    )
    assert sizes == [size]
