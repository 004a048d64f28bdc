"""A JSON body is read alike on every route that takes one, and no fault in it is an error of ours."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from bertline.service.app import create_app
from bertline.service.route_table import every
from bertline.service.routes.json_body import JsonRoute
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready

SENTENCES = {"source_sentence": "gut für dich", "sentences": ["gut", "schlecht"]}
PIPELINE = "/models/{name}/pipeline/"
INFER = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["gut für dich"]}]}
# Method and path as in the description of the API → a body that is answered.
BODIES: dict[tuple[str, str], Any] = {
    ("post", "/v1/predict"): {"text": "gut für dich"},
    ("post", "/v1/tokenize"): {"texts": ["gut für dich"]},
    ("post", "/v1/explain"): {"text": "gut für dich", "budget": 20},
    ("post", "/v1/anatomy"): {"text": "gut für dich", "parts": False},
    ("post", "/v1/compare"): {"first": {}, "second": {}, "text": "gut für dich"},
    ("post", "/v1/compare/table"): {"first": {}, "second": {}, "rows": [{"text": "gut für dich"}]},
    ("post", "/v1/scan"): {"texts": ["gut für dich"], "probes": ["typos"]},
    ("post", "/"): {"inputs": "gut für dich"},
    ("post", "/models/{name}"): {"inputs": "gut für dich", "parameters": {}},
    ("post", PIPELINE + "text-classification"): {"inputs": "gut für dich"},
    ("post", PIPELINE + "feature-extraction"): {"inputs": "gut für dich"},
    ("post", PIPELINE + "sentence-similarity"): {"inputs": SENTENCES},
    ("post", "/predict"): {"inputs": "gut für dich"},
    ("post", "/embed"): {"inputs": ["gut für dich"]},
    ("post", "/embed_all"): {"inputs": ["gut für dich"]},
    ("post", "/similarity"): {"inputs": SENTENCES},
    ("post", "/v1/embeddings"): {"input": "gut für dich", "model": "reviews"},
    ("post", "/embeddings"): {"input": "gut für dich", "model": "reviews"},
    ("post", "/tokenize"): {"inputs": ["gut für dich"]},
    ("post", "/decode"): {"ids": [2, 5, 6, 3]},
    ("post", "/classify"): {"input": "gut für dich", "model": "reviews"},
    ("post", "/v1/models/{name}:predict"): {"instances": ["gut für dich"]},
    ("post", "/v2/models/{name}/infer"): INFER,
    ("post", "/v2/models/{name}/versions/{version}/infer"): INFER,
    ("post", "/invocations"): {"inputs": "gut für dich"},
    ("put", "/admin/models/{name}"): {"bundle": "BUNDLE"},
}
ROUTES = pytest.mark.parametrize("route", BODIES, ids=lambda route: " ".join(route))

ENCODINGS = {
    "UTF-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "UTF-16 with a mark": lambda text: text.encode("utf-16"),
    "UTF-16BE with a mark": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "UTF-16LE without one": lambda text: text.encode("utf-16-le"),
    "UTF-16BE without one": lambda text: text.encode("utf-16-be"),
    "UTF-32 with a mark": lambda text: text.encode("utf-32"),
    "UTF-32LE without one": lambda text: text.encode("utf-32-le"),
}
FAULTY = "The body is not valid JSON: "
# Bodies that are no JSON whatever the route, with what is said of them.
FAULTS: dict[str, tuple[bytes, str]] = {
    "cut off": (b'{"text": "a', FAULTY + "unterminated string starting at line 1, column 10."),
    "second line": (b'{"text":\n  nul}', FAULTY + "expecting value at line 2, column 3."),
    "not UTF-8": (b'{"text": "\xff"}', FAULTY + "it is not UTF-8 at byte 10."),
    "a surrogate in UTF-8": (b'{"text": "\xed\xa0\x80"}', FAULTY + "it is not UTF-8 at byte 10."),
    "half a unit of UTF-16": ('{"text": "a"}'.encode("utf-16") + b"\x00", FAULTY + "it is not UTF-16 at byte 28."),
    "half a pair in UTF-16": ('{"t": "'.encode("utf-16-le") + b"\x00\xd8", FAULTY + "it is not UTF-16-LE at byte 14."),
    "only a mark": (codecs.BOM_UTF8, FAULTY + "it is empty."),
    "two marks": (codecs.BOM_UTF8 * 2 + b"{}", FAULTY + "expecting value at line 1, column 1."),
    "a name twice": (b'{"text": "a", "text": "b"}', FAULTY + "the name 'text' occurs twice in one object."),
    "a name twice within": (b'{"a": [{"b": 1, "\\u0062": 1}]}', FAULTY + "the name 'b' occurs twice in one object."),
    "NaN": (b'{"text": "a", "top_k": NaN}', FAULTY + "NaN is not a JSON number."),
    "infinity": (b'{"text": "a", "top_k": -Infinity}', FAULTY + "-Infinity is not a JSON number."),
    "a double that is none": (b'{"top_k": 1e999}', FAULTY + "the number 1e999 is too large."),
    "thousands of digits": (b'{"n": ' + b"9" * 5_000 + b"}", FAULTY + "a number has more than 4,300 digits."),
    "deep lists": (b"[" * 101 + b"]" * 101, FAULTY + "lists and objects are nested more than 100 deep."),
    "deep objects": (b'{"a":' * 101 + b"1" + b"}" * 101, FAULTY + "lists and objects are nested more than 100 deep."),
    "deep and cut off": (b"[{" * 20_000, FAULTY + "lists and objects are nested more than 100 deep."),
}
HALVES: dict[str, tuple[bytes, str]] = {
    "text": (b'{"text": "a \\ud83d"}', "text has half a surrogate pair at character 2: send whole characters."),
    "text of a list": (
        *(b'{"inputs": ["a", "\\udc00"]}',),
        "inputs[1] has half a surrogate pair at character 0: send whole characters.",
    ),
    "name of a model": (b'{"model": "\\uD800"}', "model has half a surrogate pair at character 0: send whole"),
    "name of a field": (b'{"\\ud800": 1}', "The name of a field in the body has half a surrogate pair: send whole"),
    "name within": (b'{"p": {"\\ud800": 1}}', "The name of a field in p has half a surrogate pair: send whole"),
    "body": (b'"\\ud800"', "The body has half a surrogate pair at character 0: send whole characters."),
}
# Valid JSON that no route has a use for.
ODD = {
    "null": b"null",
    "a number": b"-0",
    "a string": b'"\\u0000"',
    "a list": b"[]",
    "an object": b'{"": {"": [[[[]]]]}}',
    "the deepest": b"[" * 100 + b"]" * 100,
    "a long integer": b'{"text": "a", "inputs": "a", "input": "a", "top_k": ' + b"9" * 4_000 + b"}",
    "token ids without bounds": b'{"input": [' + b"9" * 40 + b'], "inputs": [[' + b"9" * 40 + b"]]}",
    "integers as doubles": b'{"top_k": 1.0, "dimensions": 1E2, "text": "a", "inputs": "a", "input": "a"}',
    "white space in every form": b'\t\r\n {"text"\n:\r"a"\t}\n ',
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    model = WordCounter()
    app = create_app(serving_of({"reviews": model}, later=[WordCounter() for _ in ENCODINGS]))
    with TestClient(app, "http://127.0.0.1:8000", raise_server_exceptions=False, client=("127.0.0.1", 50_000)) as one:
        yield until_ready(one)


def ask(client: TestClient, route: tuple[str, str], body: bytes, kind: str = "application/json") -> Any:
    """Send a body to a route of the description."""
    version = client.get("/v1/models").json()["models"][0]["version"]
    method, path = route
    filled = path.replace("{name}", "reviews").replace("{version}", version)
    return client.request(method, filled, content=body, headers={"Content-Type": kind})


def sentence(answer: Any) -> str:
    """What the answer says is wrong, in whichever dialect."""
    error = answer.json()["error"]
    return str(error if isinstance(error, str) else error["message"])


DIFFERENT = ("id", "created", "current", "previous", "first", "second", "latency")  # with times and versions


def without_run(answer: Any) -> Any:
    """An answer without what differs from call to call."""
    value = answer.json()
    if isinstance(value, dict):
        value = {key: one for key, one in value.items() if key not in DIFFERENT}
    return answer.status_code, value


def test_every_route_with_a_json_body_is_walked(client: TestClient) -> None:
    """R13: a new route is in ``BODIES``, or this fails."""
    described = {
        (method, path)
        for path, methods in client.get("/openapi.json").json()["paths"].items()
        for method, one in methods.items()
        if "application/json" in one.get("requestBody", {}).get("content", {})
    }
    others = {
        *(("post", PIPELINE + name) for name in ("token-classification", "fill-mask")),  # tests/service/test_tasks.py
        ("post", PIPELINE + "zero-shot-classification"),  # tests/service/test_zero_shot.py
        ("post", "/v1/feedback"),  # tests/service/test_feedback.py
        *(("post", path) for path in ("/v1/feedback/withdraw", "/v1/review", "/v1/review/skip")),  # test_review.py
        *(("post", f"/v1/models/{{name}}/{role}") for role in ("shadow", "canary")),  # tests/service/test_rollouts.py
        *(("post", path) for path in ("/rerank", "/v1/rerank", "/v2/rerank")),  # tests/service/test_rerank.py
    }
    assert described == {*BODIES} | others


def test_every_route_of_ours_reads_json_by_the_one_rule(client: TestClient) -> None:
    """R13: also one whose body is not described."""
    app = client.app
    assert isinstance(app, FastAPI)
    ours = [one for one in every(app.routes) if isinstance(one, JsonRoute)]
    named = {(method.lower(), route.path_format) for route in ours for method in route.methods}
    assert set(BODIES) <= named


@ROUTES
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_mark_or_another_unicode_encoding_changes_no_answer(
    client: TestClient, route: tuple[str, str], encoding: str
) -> None:
    """R13: RFC 8259, section 8.1, lets a parser ignore the mark; some clients send UTF-16 and UTF-32."""
    text = json.dumps(BODIES[route], ensure_ascii=False)
    if route[0] == "put":
        text = text.replace("BUNDLE", str(WordCounter().bundle))
    plain, other = ask(client, route, text.encode()), ask(client, route, ENCODINGS[encoding](text))
    if route[0] != "put":  # a bundle is loaded once
        assert plain.status_code == 200, plain.text
    assert without_run(other) == without_run(plain)


@ROUTES
@pytest.mark.parametrize("charset", ["utf-8", "UTF-16", "iso-8859-1", "nonsense"])
def test_the_charset_of_json_has_no_say(client: TestClient, route: tuple[str, str], charset: str) -> None:
    """R13: RFC 8259, section 11, defines no such parameter; old clients send ISO-8859-1 with UTF-8."""
    body = json.dumps(BODIES[route], ensure_ascii=False).encode()
    plain, other = (ask(client, route, body, f"application/json{one}") for one in ("", f"; charset={charset}"))
    assert without_run(other) == without_run(plain)


@ROUTES
@pytest.mark.parametrize("fault", FAULTS)
def test_invalid_json_gets_one_sentence(client: TestClient, route: tuple[str, str], fault: str) -> None:
    """R13: the same sentence on every route, with line and column where there is a place."""
    body, said = FAULTS[fault]
    answer = ask(client, route, body)
    assert (answer.status_code, sentence(answer)) == (400, said)


@ROUTES
@pytest.mark.parametrize("half", HALVES)
def test_half_a_surrogate_pair_is_named_by_its_field(client: TestClient, route: tuple[str, str], half: str) -> None:
    """R13: it is valid JSON and no Unicode, wherever it stands."""
    body, said = HALVES[half]
    answer = ask(client, route, body)
    assert answer.status_code in (400, 422)
    assert sentence(answer).startswith(said)


@ROUTES
@pytest.mark.parametrize("odd", ODD)
def test_no_valid_json_is_an_error_of_ours(client: TestClient, route: tuple[str, str], odd: str) -> None:
    """R13: whatever a route says of it, it is no failure of the server."""
    answer = ask(client, route, ODD[odd])
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert sentence(answer)


def test_the_token_endpoint_takes_no_json(client: TestClient) -> None:
    """R13: it takes forms (RFC 6749), so a JSON body is refused by its content type, in every encoding."""
    for encode in ENCODINGS.values():
        answer = ask(client, ("post", "/oauth/token"), encode('{"grant_type": "client_credentials"}'))
        assert answer.status_code in (400, 404)
