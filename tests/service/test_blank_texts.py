"""Texts of which no token is left: one rule for all routes, by tokens and not by characters."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from bertline.text import why_unread

# [CLS] and [SEP] alone are left of each of these.
BLANKS = ["", " ", "\n", "\u3000", "\u200b", "\x00", "\ufeff", "\u00ad\u2060", "\x01\x02", "\u0301", " \u200b\n"]
READ = ["a", ".", "\U0001f642", "\ufffe", "[MASK]", "\u200bgood"]  # at least an [UNK] is left of each of these

# route, body around a list of three texts → field of the second
REFUSING: dict[str, tuple[Any, str]] = {
    "/v1/predict": (lambda texts: {"texts": texts}, "texts[1]"),
    "/classify": (lambda texts: {"input": texts}, "input[1]"),
    "/predict": (lambda texts: {"inputs": [[text] for text in texts]}, "inputs[1]"),
    "/embed": (lambda texts: {"inputs": texts}, "inputs[1]"),
    "/embed_all": (lambda texts: {"inputs": texts}, "inputs[1]"),
    "/similarity": (
        lambda texts: {"inputs": {"source_sentence": texts[0], "sentences": texts[1:]}},
        "inputs.sentences[0]",
    ),
    "/": (lambda texts: {"inputs": texts, "parameters": {}}, "inputs[1]"),
    "/models/reviews/pipeline/feature-extraction": (lambda texts: {"inputs": texts}, "inputs[1]"),
    "/invocations": (lambda texts: {"inputs": texts}, "inputs[1]"),
    "/v1/models/reviews:predict": (lambda texts: {"instances": texts}, "instances[1]"),
    "/v2/models/reviews/infer": (
        lambda texts: {"inputs": [{"name": "t", "shape": [3], "datatype": "BYTES", "data": texts}]},
        "inputs[0].data[1]",
    ),
}


@pytest.mark.parametrize("route", REFUSING)
@pytest.mark.parametrize("text", BLANKS)
def test_a_text_without_a_token_is_refused_by_its_place(client: TestClient, route: str, text: str) -> None:
    """R9: the same text is refused in the same words on every route that refuses."""
    body, field = REFUSING[route]
    answer = client.post(route, json=body(["good", text, "bad"]))
    assert answer.status_code == (422 if route == "/v1/predict" else 400)
    assert f"{field} {why_unread(text)}: send at least one word." in str(answer.json())


@pytest.mark.parametrize("route", REFUSING)
@pytest.mark.parametrize("text", READ)
def test_a_text_with_a_token_is_answered(client: TestClient, route: str, text: str) -> None:
    """R9: whatever the tokenizer leaves a token of is read, how strange it may look."""
    body, _ = REFUSING[route]
    assert client.post(route, json=body(["good", text, "bad"])).status_code == 200


def test_the_source_sentence_has_its_own_name(client: TestClient) -> None:
    """R9: a text that is not in the list is not counted with it."""
    body = {"inputs": {"source_sentence": "\u200b", "sentences": ["good"]}}
    answer = client.post("/similarity", json=body)
    told = "inputs.source_sentence has only characters that the model does not read (U+200B): send at least one word."
    assert (answer.status_code, answer.json()) == (400, {"error": told, "error_type": "Empty"})


@pytest.mark.parametrize("text", BLANKS)
def test_openais_embeddings_of_the_others_do_not_fail_for_it(client: TestClient, text: str) -> None:
    """R9: it gets the embedding of [CLS] and [SEP], as OpenAI embeds a blank, and a header says so."""
    inputs = ["A quiet film.", text, "A loud film."]
    answer = client.post("/v1/embeddings", json={"input": inputs})
    assert answer.status_code == 200
    rows = [one["embedding"] for one in answer.json()["data"]]
    assert rows[0] == client.post("/v1/embeddings", json={"input": inputs[0]}).json()["data"][0]["embedding"]
    assert rows[1] == pytest.approx(np.array([0, 0, 2]) / 2)  # no good, no bad, two tokens
    assert answer.headers["X-Warning"] == f"embedded from [CLS] and [SEP] alone: input[1] {why_unread(text)}"


@pytest.mark.parametrize("text", BLANKS)
def test_a_json_line_without_a_token_costs_the_other_lines_nothing(client: TestClient, text: str) -> None:
    """R9: each line has an answer of its own, so that line has the error."""
    body = b"".join(json.dumps({"inputs": one}).encode() + b"\n" for one in ("good", text, "bad"))
    answer = client.post("/invocations", content=body, headers={"Content-Type": "application/jsonlines"})
    first, second, third = (json.loads(line) for line in answer.text.splitlines())
    assert (first[0]["label"], third[0]["label"]) == ("positive", "negative")
    assert second == {"error": f"inputs {why_unread(text)}: send at least one word."}


@pytest.mark.parametrize("text", BLANKS)
def test_its_tokens_are_shown_as_none(client: TestClient, text: str) -> None:
    """R9: a route that shows tokens has an answer: there are none."""
    [own] = client.post("/v1/tokenize", json={"text": text}).json()["texts"]
    assert own == {"tokens": [], "read_tokens": 2, "cut_tokens": 0}
    [tei] = client.post("/tokenize", json={"inputs": text}).json()
    assert [one["text"] for one in tei] == ["[CLS]", "[SEP]"]


@pytest.mark.usefixtures("model")
def test_a_blank_text_is_not_counted_as_a_prediction(client: TestClient) -> None:
    """R9: the label of [CLS] and [SEP], which nobody is told, would look like drift."""
    body = b'{"inputs": "\\u200b"}\n{"inputs": "good"}'
    client.post("/invocations", content=body, headers={"Content-Type": "application/jsonlines"})
    lines = client.get("/metrics").text.splitlines()
    counted = [float(line.split()[-1]) for line in lines if line.startswith("bertline_predicted_total{")]
    assert sum(counted) == 1


def test_it_is_refused_before_anything_is_computed(client: TestClient, model: Any) -> None:
    """R9: nor is anything of the texts beside it."""
    before = len(model.batches)
    client.post("/v1/predict", json={"texts": ["good", "\u200b"]})
    assert len(model.batches) == before
