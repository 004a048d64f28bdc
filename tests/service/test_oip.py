"""The Open Inference Protocol: Triton's own client, as it comes from its package, and bodies that no client sends."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.testclient import TestClient
from tritonclient.utils import InferenceServerException

from bertline import __version__
from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.service.routes.oip.router import InferRequest
from bertline.testing.words import TOPICS, Gated, WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.live import live, warm

INFER = "/v2/models/reviews/infer"
HEADER = "Inference-Header-Content-Length"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def reviews() -> WordCounter:
    return WordCounter()


@pytest.fixture(scope="module")
def url(reviews: WordCounter) -> Iterator[str]:
    with live({"reviews": reviews, "topics": WordCounter(TOPICS, name="topics")}) as one:
        yield warm(one)


@pytest.fixture
def client(url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(url.removeprefix("http://")) as one:
        yield one


def texts(*given: str, binary: bool = True, module: Any = triton) -> list[Any]:
    """The input of Triton's client."""
    one = module.InferInput("text", [len(given)], "BYTES")
    one.set_data_from_numpy(np.array([text.encode() for text in given], dtype=np.object_), binary_data=binary)
    return [one]


def asked(name: str, **more: Any) -> Any:
    """An output of Triton's client."""
    return triton.InferRequestedOutput(name, **more)


# ------------------------------------------------------------------------------------------------- Triton's client


def test_the_server_and_its_models(client: triton.InferenceServerClient, reviews: WordCounter) -> None:
    version = reviews.version
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("reviews")
    assert client.is_model_ready("reviews", version)
    assert not client.is_model_ready("reviews", "1")
    assert not client.is_model_ready("nope")
    assert client.get_server_metadata() == {
        "name": "bertline",
        "version": __version__,
        "extensions": ["binary_tensor_data", "classification"],
    }
    described = {
        "name": "reviews",
        "versions": [version],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "logits", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "embedding", "datatype": "FP32", "shape": [-1, -1]},
            {"name": "answer", "datatype": "BYTES", "shape": [-1]},
        ],
    }
    assert client.get_model_metadata("reviews") == described
    assert client.get_model_metadata("reviews", version) == described


@pytest.mark.parametrize("binary", [True, False])
def test_labels_and_probabilities_come_when_nothing_is_named(
    client: triton.InferenceServerClient, reviews: WordCounter, binary: bool
) -> None:
    answer = client.infer("reviews", texts("a good film", "bad", "naïve 東京 🙂 good", binary=binary), request_id="42")
    assert answer.as_numpy("label").tolist() == [b"positive", b"negative", b"positive"]
    assert answer.as_numpy("probabilities") == pytest.approx(np.array([[0.1, 0.9], [0.9, 0.1], [0.1, 0.9]]))
    assert answer.as_numpy("probabilities").dtype == np.float32
    head = answer.get_response()
    assert (head["model_name"], head["model_version"], head["id"]) == ("reviews", reviews.version, "42")
    assert answer.as_numpy("logits") is None


@pytest.mark.parametrize("binary", [True, False])
def test_each_output_that_is_named_comes_in_its_place(client: triton.InferenceServerClient, binary: bool) -> None:
    names = ["embedding", "logits", "label", "probabilities"]
    outputs = [asked(name, binary_data=binary) for name in names]
    answer = client.infer("reviews", texts("good bad", "good"), outputs=outputs)
    assert [one["name"] for one in answer.get_response()["outputs"]] == names
    assert answer.as_numpy("embedding").tolist() == [[1, 1, 4], [1, 0, 3]]
    assert answer.as_numpy("logits") == pytest.approx(np.log([[0.5, 0.5], [0.1, 0.9]]))
    assert answer.as_numpy("probabilities") == pytest.approx(np.array([[0.5, 0.5], [0.1, 0.9]]))
    # A label in JSON is a string: BYTES need no other form there.
    assert answer.as_numpy("label").tolist() == ([b"negative", b"positive"] if binary else ["negative", "positive"])


def test_an_output_may_come_in_another_form_than_the_others(client: triton.InferenceServerClient) -> None:
    outputs = [asked("label", binary_data=False), asked("probabilities", binary_data=True)]
    answer = client.infer("reviews", texts("good"), outputs=outputs)
    assert answer.get_output("label")["data"] == ["positive"]
    assert answer.get_output("probabilities")["parameters"] == {"binary_data_size": 8}
    assert answer.as_numpy("probabilities") == pytest.approx(np.array([[0.1, 0.9]]))


@pytest.mark.parametrize("binary", [True, False])
def test_the_highest_classes(client: triton.InferenceServerClient, binary: bool) -> None:
    outputs = [asked("probabilities", class_count=2, binary_data=binary)]
    answer = client.infer("topics", texts("good", "bad"), outputs=outputs).as_numpy("probabilities")
    found = [[str(one, "utf-8") if binary else one for one in row] for row in answer]
    assert found == [
        ["0.810000:1:agriculture", "0.090000:0:acquisitions"],
        ["0.810000:0:acquisitions", "0.090000:1:agriculture"],
    ]


def test_no_more_classes_than_there_are(client: triton.InferenceServerClient) -> None:
    answer = client.infer("reviews", texts("good"), outputs=[asked("logits", class_count=5)]).as_numpy("logits")
    assert answer.tolist() == [[b"-0.105361:1:positive", b"-2.302585:0:negative"]]


def test_the_client_that_does_not_block(url: str) -> None:
    async def ask() -> list[Any]:
        async with triton_aio.InferenceServerClient(url.removeprefix("http://")) as one:
            given = [texts("good", binary=binary, module=triton_aio) for binary in (True, False)]
            answers = await asyncio.gather(*(one.infer("reviews", inputs) for inputs in given))
            return [answer.as_numpy("label").tolist() for answer in answers]

    assert asyncio.run(ask()) == [[b"positive"], [b"positive"]]


def test_only_the_version_that_answers_answers(client: triton.InferenceServerClient, reviews: WordCounter) -> None:
    version = reviews.version
    assert client.infer("reviews", texts("good"), model_version=version).as_numpy("label") == [b"positive"]
    with pytest.raises(InferenceServerException) as refused:
        client.infer("reviews", texts("good"), model_version="1")
    assert refused.value.status() == "404"
    assert refused.value.message() == f"reviews has only version {version} here: use that."


def test_an_error_is_a_sentence_to_the_client(client: triton.InferenceServerClient) -> None:
    for model, text, status, message in (
        ("nope", "good", "404", "There is no model of that name: valid names are reviews, topics."),
        ("reviews", " ", "400", "inputs[0].data is only white space: send at least one word."),
        ("reviews", "fail", "500", "The model cannot compute "),
    ):
        with pytest.raises(InferenceServerException) as refused:
            client.infer(model, texts(text))
        assert refused.value.status() == status
        assert refused.value.message().startswith(message)


def test_a_timeout_is_the_requests_deadline() -> None:
    model = Gated()
    model.gate.set()
    with live({"reviews": model}) as url, triton.InferenceServerClient(warm(url).removeprefix("http://")) as client:
        model.gate.clear()
        try:
            with pytest.raises(InferenceServerException) as refused:
                client.infer("reviews", texts("good"), timeout=200_000)
        finally:
            model.gate.set()
        assert refused.value.status() == "504"
        assert client.infer("reviews", texts("good"), timeout=20_000_000).as_numpy("label") == [b"positive"]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_bodies_are_answered(client: triton.InferenceServerClient, coding: str, binary: bool) -> None:
    """R7: as Triton answers them; the length that the client names is that of the JSON before it is compressed."""
    given = texts("good", "bad", binary=binary)
    answered = client.infer("reviews", given, request_compression_algorithm=coding)
    assert list(answered.as_numpy("label")) == [b"positive", b"negative"]


def test_a_page_of_another_origin_cannot_ask_without_a_content_type(url: str) -> None:
    body = json.dumps(request(["good"]))
    assert httpx.post(url + INFER, content=body).status_code == 200
    assert httpx.post(url + INFER, content=body, headers={"Origin": "null"}).status_code == 415
    refused = httpx.post(url + INFER, content=body, headers={"Content-Type": "text/plain"})
    assert (refused.status_code, set(refused.json())) == (415, {"error"})


# ------------------------------------------------------------------------------------------------- KServe and JSON


def request(data: Any, **more: Any) -> dict[str, Any]:
    """A request in JSON; ``more`` is of its input."""
    return {"inputs": [{"name": "input-0", "shape": [], "datatype": "BYTES", "data": data, **more}]}


def test_requests_as_kserve_sends_them(url: str, reviews: WordCounter) -> None:
    assert httpx.get(f"{url}/v2/health/live").json() == {"live": True}
    assert httpx.get(f"{url}/v2/health/ready").json() == {"live": True, "ready": True}
    assert httpx.get(f"{url}/v2/models").json() == {"models": ["reviews", "topics"]}
    assert httpx.get(f"{url}/v2/models/topics/ready").json() == {"name": "topics", "ready": True}
    assert httpx.get(f"{url}/v2/models/nope/ready").json() == {
        "error": "There is no model of that name: valid names are reviews, topics."
    }
    answer = httpx.post(url + INFER, json=request(["good"]))
    assert answer.headers["Content-Type"] == "application/json"
    assert HEADER not in answer.headers
    assert answer.json() == {
        "model_name": "reviews",
        "model_version": reviews.version,
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["positive"]},
            {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": pytest.approx([0.1, 0.9])},
        ],
    }


@pytest.mark.parametrize(
    ("data", "shape"),
    [(["good", "bad"], [2]), (["good", "bad"], []), (["good", "bad"], [-1]), ([["good"], ["bad"]], [2, 1])],
)
def test_shapes_that_mean_two_texts(url: str, data: Any, shape: Sequence[int]) -> None:
    answer = httpx.post(url + INFER, json=request(data, shape=shape)).json()
    assert answer["outputs"][0]["data"] == ["positive", "negative"]


def test_not_ready_while_the_model_warms_up() -> None:
    model = Gated()
    with TestClient(create_app(serving_of({"slow": model}))) as client:
        assert client.get("/v2/health/live").status_code == 200
        for path in ("/v2/health/ready", "/v2/models/slow/ready", "/v2/models/slow", "/v1/models/slow"):
            assert client.get(path).status_code == 503
        model.gate.set()
        until_ready(client)
        assert client.get("/v2/health/ready").json() == {"live": True, "ready": True}


# body, or what is different in a good one → status, message
WRONG: list[tuple[Any, str]] = [
    (b"", "The body is not valid JSON: it is empty."),
    (b'{"inputs": "\xff"}', "The body is not valid JSON: "),
    (b"[" * 10_000, "The body is not valid JSON: "),
    (b"[]", "The body must be a JSON object."),
    ({}, "inputs is missing: send it."),
    ({"inputs": "good"}, "inputs must be a list."),
    ({"inputs": []}, "inputs has 0 tensors: send all texts in one."),
    ({"inputs": [*request(["good"])["inputs"]] * 2}, "inputs has 2 tensors: send all texts in one."),
    ({"inputs": ["good"]}, "inputs[0] must be a JSON object."),
    ({**request(["good"]), "id": 42}, "id must be a string."),
    (request(["good"], datatype="FP32"), "inputs[0].datatype must be BYTES: a model reads texts."),
    (request(["good"], shape=3), "inputs[0].shape must be a list."),
    (request(["good"], shape=[2]), "inputs[0].shape is not that of 1 texts: send [1]."),
    (request(["good"], shape=[1] * 9), "inputs[0].shape has more than 8 dimensions: send [1]."),
    (request([[[[[[[[["good"]]]]]]]]]), "inputs[0].data has lists in lists: send the texts in one."),
    (request("good"), "inputs[0].data must be a list."),
    (request(["good", 3]), "inputs[0].data must contain only strings."),
    (request([]), "inputs[0].data is an empty list: send at least one text."),
    (request(["good", ""]), "inputs[0].data[1] is empty: send at least one word."),
    (request(["good"] * 129), "inputs[0] has more than 128 texts, the limit: send several requests."),
    (request(None), "inputs[0] needs its texts in data, or their size in parameters.binary_data_size: send one of"),
    (request(["good"], parameters={"binary_data_size": 4}), "inputs[0] needs its texts in data, or their size in"),
    (
        request(None, parameters={"binary_data_size": 4}),
        "inputs[0].parameters.binary_data_size announces 4 bytes and 0",
    ),
    (request(None, parameters={"binary_data_size": "4"}), "inputs[0].parameters.binary_data_size must be a number of"),
    (request(None, parameters={"binary_data_size": True}), "inputs[0].parameters.binary_data_size must be a number of"),
    (request(None, parameters={"binary_data_size": -4}), "inputs[0].parameters.binary_data_size must be a number of"),
    (request(None, parameters={"binary_data_size": 10**30}), "inputs[0].parameters.binary_data_size announces more"),
    ({**request(["good"]), "outputs": [{"name": "nope"}]}, "outputs[0].name must be one of label, probabilities,"),
    ({**request(["good"]), "outputs": [{"name": "label"}] * 2}, "outputs[1].name must be one of label, probabilities,"),
    *(
        (
            {**request(["good"]), "outputs": [{"name": "logits", "parameters": {"classification": count}}]},
            "outputs[0].parameters.classification must be a number of labels from 1 to 2.",
        )
        for count in (0, -1, "2", True, 1.5)
    ),
    (
        {**request(["good"]), "outputs": [{"name": "embedding", "parameters": {"classification": 1}}]},
        "outputs[0] has no classes: request those of probabilities or logits.",
    ),
    *(
        (
            {**request(["good"]), "parameters": {"timeout": timeout}},
            "parameters.timeout must be a number of microseconds.",
        )
        for timeout in (-1, "5", True)
    ),
]


@pytest.mark.parametrize(("body", "message"), WRONG)
def test_each_invalid_request_gets_its_own_sentence(url: str, body: Any, message: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = httpx.post(url + INFER, content=content, headers=JSON)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(message)


@pytest.mark.parametrize(
    "wrong",
    [
        {"inputs": [1, 2, 3]},
        {"inputs": [], "outputs": [1, 2, 3]},
        {"inputs": [{"name": "text", "datatype": "BYTES", "shape": ["", "", ""]}]},
    ],
)
def test_of_many_mistakes_only_the_first_is_looked_for(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        InferRequest.model_validate(wrong)
    assert refused.value.error_count() == 1


@pytest.mark.parametrize("timeout", [0, 10**30, 1e12, 5e6, None])
def test_timeouts_that_are_long_enough(url: str, timeout: float | None) -> None:
    body = {**request(["good"]), "parameters": {"timeout": timeout}}
    assert httpx.post(url + INFER, json=body).status_code == 200


# ------------------------------------------------------------------------------------------------- binary bodies


def element(text: bytes) -> bytes:
    """As BYTES have it."""
    return struct.pack("<I", len(text)) + text


def binary_body(raw: bytes, *, size: Any = None, **more: Any) -> tuple[bytes, bytes]:
    """The JSON of a request, and the texts that follow it."""
    parameters = {"binary_data_size": len(raw) if size is None else size}
    head = {"inputs": [{"name": "text", "shape": [-1], "datatype": "BYTES", "parameters": parameters}], **more}
    return json.dumps(head).encode(), raw


def send(url: str, body: bytes, length: object) -> httpx.Response:
    """A binary body with a header that says what it likes."""
    headers = {"Content-Type": "application/octet-stream", HEADER: str(length)}
    return httpx.post(url + INFER, content=body, headers=headers)


def test_a_binary_body_is_answered(url: str) -> None:
    head, raw = binary_body(element(b"good") + element("東京 bad".encode()))
    answer = send(url, head + raw, len(head))
    assert answer.json()["outputs"][0]["data"] == ["positive", "negative"]


def test_a_binary_answer_has_the_length_of_its_json(url: str) -> None:
    head, raw = binary_body(element(b"good"), parameters={"binary_data_output": True})
    answer = send(url, head + raw, len(head))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    length = int(answer.headers[HEADER])
    described = json.loads(answer.content[:length])["outputs"]
    sizes = [one["parameters"]["binary_data_size"] for one in described]
    assert sizes == [4 + len("positive"), 8]
    assert len(answer.content) == length + sum(sizes)
    assert answer.content[length:][: sizes[0]] == element(b"positive")


@pytest.mark.parametrize("length", ["-1", "x", "", "1.5", "0x10", "9" * 5000, "10000000000000"])
def test_an_invalid_length_header_is_rejected(url: str, length: str) -> None:
    head, raw = binary_body(element(b"good"))
    answer = send(url, head + raw, length)
    assert (answer.status_code, answer.json()["error"]) == (400, f"{HEADER} must be the number of bytes of the JSON.")


def test_a_header_beyond_the_body(url: str) -> None:
    head, raw = binary_body(element(b"good"))
    answer = send(url, head + raw, len(head + raw) + 1)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{HEADER} announces ")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\x05\x00\x00\x00good", "inputs[0][0] goes beyond the end of the data: send its length in four bytes"),
        (b"\xff\xff\xff\xffgood", "inputs[0][0] goes beyond the end of the data: send its length in four bytes"),
        (element(b"good") + b"\x00", "inputs[0][1] goes beyond the end of the data: send its length in four bytes"),
        (element(b"good") + element(b"\xff"), "inputs[0][1] is not UTF-8 at byte 0: send UTF-8."),
        (element(b"\xed\xa0\x80"), "inputs[0][0] is not UTF-8 at byte 0: send UTF-8."),  # half a surrogate pair
        (element(b""), "inputs[0].data is empty: send at least one word."),
        (element(b"a") * 129, "inputs[0] has more than 128 texts, the limit: send several requests."),
        (b"", "inputs[0].data is an empty list: send at least one text."),
    ],
)
def test_texts_that_do_not_fit_their_lengths(url: str, raw: bytes, message: str) -> None:
    head, _ = binary_body(raw)
    answer = send(url, head + raw, len(head))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(message)


@pytest.mark.parametrize("size", [0, 7, 9, 2**31, 2**64])
def test_a_declared_size_that_differs_from_the_body(url: str, size: int) -> None:
    head, raw = binary_body(element(b"good"), size=size)
    answer = send(url, head + raw, len(head))
    assert answer.status_code == 400
    said = f"{size:,}" if size < 10**12 else "more"
    assert answer.json()["error"].startswith(
        f"inputs[0].parameters.binary_data_size announces {said} bytes and 8 came after the JSON"
    )


def test_bytes_after_a_body_whose_texts_are_in_the_json(url: str) -> None:
    head = json.dumps(request(["good"])).encode()
    assert send(url, head + b"more", len(head)).status_code == 400


@pytest.fixture(scope="module")
def app() -> Iterator[TestClient]:
    small = ServeSettings(max_batch_texts=4, max_chars=40)
    with TestClient(create_app(serving_of({"reviews": WordCounter()}, small))) as one:
        yield until_ready(one)


Change = tuple[str, int, bytes]
CHANGES: st.SearchStrategy[Change] = st.tuples(
    st.sampled_from(["replace", "insert", "delete"]), st.integers(0, 10_000), st.binary(min_size=1, max_size=4)
)


def changed(body: bytes, changes: Sequence[Change]) -> bytes:
    """The body after somebody's cat has walked over it."""
    for how, where, what in changes:
        place = where % (len(body) + 1)
        after = place if how == "insert" else place + len(what)
        body = body[:place] + (b"" if how == "delete" else what) + body[after:]
    return body


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.sampled_from(["good", "bad", "東京", "", "a " * 15]), max_size=5),
    outputs=st.lists(st.sampled_from(["label", "probabilities", "logits", "embedding", "x"]), max_size=3),
    binary=st.booleans(),
    changes=st.lists(CHANGES, max_size=3),
    off=st.integers(-3, 3) | st.integers(-(10**6), 10**6),
    lengths=st.booleans(),
)
def test_no_body_is_an_error_of_the_server(
    app: TestClient,
    words: list[str],
    outputs: list[str],
    binary: bool,
    changes: list[Change],
    off: int,
    lengths: bool,
) -> None:
    more = {"outputs": [{"name": name, "parameters": {"binary_data": binary}} for name in outputs]}
    head, raw = binary_body(b"".join(element(word.encode()) for word in words), **more)
    headers = {"Content-Type": "application/octet-stream"}
    if lengths:
        headers[HEADER] = str(len(head) + off)
    answer = app.post(INFER, content=changed(head + raw, changes), headers=headers)
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert set(answer.json()) == {"error"}
    if words and all(word.strip() for word in words[:4]) and len(words) <= 4 and lengths and not changes and off == 0:
        assert (answer.status_code == 200) == (len(set(outputs)) == len(outputs) and "x" not in outputs)
