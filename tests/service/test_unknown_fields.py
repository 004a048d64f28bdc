"""Fields that a dialect does not know, on every route with a body: refused by name, or ignored and named in a header.

What each dialect's own server does with them:

- OpenAI refuses an argument that it does not know (400, ``unknown_parameter``).
- TEI's ``router/src/http/types.rs`` has no ``deny_unknown_fields``: serde ignores them.
- vLLM's ``OpenAIBaseModel`` allows them and logs their names.
- KServe's ``v2_datamodels.py`` has pydantic's default, which ignores them; ``parameters`` of the protocol are open.
- Hugging Face's toolkits hand ``parameters`` to the pipeline, and answer 400 to what it raises; other keys they ignore.
"""

from __future__ import annotations

import string
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
from starlette.testclient import TestClient

from bertline.service.routes import notes
from bertline.service.routes.notes import HEADER

TENSOR = {"name": "t", "shape": [1], "datatype": "BYTES", "data": ["good"]}
SIMILAR = {"source_sentence": "good", "sentences": ["bad"]}
LONG = "good " + "word " * 28 + "bad"  # 30 tokens, and the model reads 14

OWN = (
    "/v1/predict", "/v1/tokenize", "/v1/explain", "/v1/anatomy", "/v1/scan", "/v1/compare", "/v1/compare/table",
    "/v1/feedback", "/v1/feedback/withdraw",
)  # fmt: skip
# route, body → the field that is refused
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/predict", {"text": "good", "topk": 2}, "There is no field topk: did you mean top_k?"),
    ("/v1/tokenize", {"text": "good", "top_k": 2}, "There is no field top_k: "),
    (
        "/v1/feedback",
        {"items": [{"request_id": "a", "correct": "b"}], "zzz": 1},
        "There is no field zzz: valid names are ",
    ),
    ("/v1/feedback/withdraw", {"request_id": "a", "zzz": 1}, "There is no field zzz: valid names are request_id, "),
    ("/v1/anatomy", {"text": "good", "laier": 1}, "There is no field laier: did you mean layer?"),
    (
        "/v1/compare",
        {"first": {}, "second": {}, "text": "good", "txet": 1},
        "There is no field txet: did you mean text?",
    ),
    ("/v1/compare/table", {"first": {"modle": "a"}, "second": {}, "rows": []}, "There is no field first.modle: "),
    ("/v1/scan", {"texts": ["good"], "probe": []}, "There is no field probe: did you mean probes?"),
    ("/v1/explain", {"text": "good", "lable": "positive"}, "There is no field lable: did you mean label?"),
    ("/v1/embeddings", {"input": "good", "dimension": 2}, "There is no field dimension: did you mean dimensions?"),
    ("/embeddings", {"input": "good", "zzz": 2}, "There is no field zzz: valid names are input, model, "),
    (
        "/",
        {"inputs": "good", "parameters": {"max_lenght": 8}},
        "There is no field parameters.max_lenght: did you mean max_length?",
    ),
    (
        "/",
        {"inputs": "good", "parameters": {"zzz": 1}},
        "There is no field parameters.zzz: valid names are parameters.top_k",
    ),
    (
        "/models/reviews/pipeline/text-classification",
        {"inputs": "good", "parameters": {"return_all_score": True}},
        "There is no field parameters.return_all_score: did you mean return_all_scores?",
    ),
    (
        "/invocations",
        {"inputs": "good", "parameters": {"topk": 1}},
        "There is no field parameters.topk: did you mean top_k?",
    ),
    (
        "/invocations",
        {"inputs": "good", "parameters": {"targets": ["a"]}},
        "parameters.targets is a parameter of fill-mask",
    ),
    (
        "/v1/models/reviews:predict",
        {"instances": ["good"], "parameters": {"return_probability": True}},
        "There is no field parameters.return_probability: did you mean return_probabilities?",
    ),
]
# route, body → what the header names
IGNORED: list[tuple[str, dict[str, Any], str]] = [
    ("/predict", {"inputs": "good", "truncat": True}, "truncat (did you mean truncate?)"),
    ("/predict", {"inputs": "good", "parameters": {"top_k": 1}}, "parameters"),
    ("/embed", {"inputs": "good", "normalise": True, "zzz": 1}, "normalise (did you mean normalize?), zzz"),
    ("/embed_all", {"inputs": "good", "normalize": False}, "normalize"),
    ("/similarity", {"inputs": {**SIMILAR, "sentence": "a"}}, "inputs.sentence (did you mean sentences?)"),
    (
        "/similarity",
        {"inputs": SIMILAR, "parameters": {"truncation": True}},
        "parameters.truncation (did you mean truncate?)",
    ),
    ("/tokenize", {"inputs": "good", "zzz": 1}, "zzz"),
    ("/decode", {"ids": [5], "zzz": 1}, "zzz"),
    ("/", {"inputs": "good", "zzz": 1}, "zzz"),
    ("/", {"inputs": "good", "parameters": {}, "options": {"use_cache": False}}, "options"),
    ("/models/reviews", {"inputs": "good", "normalize": True, "zzz": 1}, "zzz"),
    ("/models/reviews/pipeline/feature-extraction", {"inputs": "good", "encoding_format": "base64"}, "encoding_format"),
    ("/models/reviews/pipeline/sentence-similarity", {"inputs": SIMILAR, "zzz": 1}, "zzz"),
    ("/invocations", {"inputs": "good", "parameter": {}}, "parameter (did you mean parameters?)"),
    ("/v1/embeddings", {"input": "good", "priority": 3}, "priority"),
    ("/classify", {"input": "good", "use_activations": True}, "use_activations (did you mean use_activation?)"),
    ("/classify", {"input": "good", "priority": 1}, "priority"),
    ("/v1/models/reviews:predict", {"instances": ["good"], "signature_name": "s"}, "signature_name"),
    ("/v2/models/reviews/infer", {"inputs": [TENSOR], "output": []}, "output (did you mean outputs?)"),
    ("/v2/models/reviews/infer", {"inputs": [{**TENSOR, "zzz": 1}]}, "inputs[].zzz"),
    ("/v2/models/reviews/infer", {"inputs": [TENSOR], "parameters": {"priority": 1}}, "parameters.priority"),
    (
        "/v2/models/reviews/infer",
        {"inputs": [{**TENSOR, "parameters": {"content_type": "str"}}]},
        "inputs[].parameters.content_type",
    ),
    (
        "/v2/models/reviews/infer",
        {"inputs": [TENSOR], "outputs": [{"name": "label", "parameters": {"classifications": 1}}]},
        "outputs[].parameters.classifications (did you mean classification?)",
    ),
]


@pytest.mark.parametrize(("route", "body", "message"), REFUSED)
def test_a_field_is_refused_by_name(client: TestClient, route: str, body: dict[str, Any], message: str) -> None:
    """R10: where the origin refuses, or raises."""
    answer = client.post(route, json=body)
    assert answer.status_code == (422 if route in OWN else 400)
    assert message in str(answer.json())


@pytest.mark.parametrize(("route", "body", "named"), IGNORED)
def test_a_field_is_ignored_and_the_answer_says_so(
    client: TestClient, route: str, body: dict[str, Any], named: str
) -> None:
    """R10: where the origin ignores it."""
    answer = client.post(route, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers[HEADER] == f"ignored: {named}"


def test_every_route_with_a_body_is_among_these(client: TestClient) -> None:
    """R10: a new dialect is not forgotten."""
    paths = client.get("/openapi.json").json()["paths"]
    posted = {path for path, verbs in paths.items() if "requestBody" in verbs.get("post", {})}
    tried = {route.replace("/reviews", "/{name}") for route, _, _ in [*REFUSED, *IGNORED]}
    others = {
        "/oauth/token",  # RFC 6749, section 3.2: unrecognised parameters are ignored
        "/v2/models/{name}/versions/{version}/infer",  # the same function
        "/models/{name}/pipeline/token-classification",  # of taggers: test_tasks.py
        "/models/{name}/pipeline/zero-shot-classification",  # of models of entailment: test_zero_shot.py
        "/models/{name}/pipeline/fill-mask",  # of models that fill in words: test_tasks.py
        *("/rerank", "/v1/rerank", "/v2/rerank"),  # of models that rank: test_rerank.py
        *("/v1/models/{name}/shadow", "/v1/models/{name}/canary"),  # of this machine alone: test_rollouts.py
        *("/v1/review", "/v1/review/skip"),  # of this machine alone: test_review.py
    }
    assert posted - tried == others


def test_known_entries_cause_no_warning(client: TestClient) -> None:
    """R10: nor does one request get another's warning."""
    assert HEADER in client.post("/predict", json={"inputs": "good", "zzz": 1}).headers
    assert HEADER not in client.post("/predict", json={"inputs": "good", "truncate": None}).headers
    assert HEADER not in client.post("/predict", json={"inputs": 3, "zzz": 1}).headers  # the error is the answer


@pytest.mark.parametrize(
    ("parameters", "label"),
    [
        ({}, "negative"),  # head and tail: a tie, as the logits have it
        ({"max_length": 8}, "positive"),
        ({"truncation": True}, "positive"),
        ({"truncation": "only_first", "max_length": 6}, "positive"),
    ],
)
def test_sagemakers_lengths_are_honoured(client: TestClient, parameters: dict[str, Any], label: str) -> None:
    """R10: what a tokenizer's parameters ask for is what is read."""
    answer = client.post("/invocations", json={"inputs": LONG, "parameters": parameters})
    assert (answer.status_code, answer.json()[0]["label"]) == (200, label)


def test_sagemakers_truncation_can_be_forbidden(client: TestClient) -> None:
    """R10: then a text that is too long is an error; a length alone bounds nothing."""
    parameters = {"truncation": False, "max_length": 4}
    answer = client.post("/invocations", json={"inputs": ["good word word word", LONG], "parameters": parameters})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("inputs[1] has 32 tokens and reviews reads 16: ")


@pytest.mark.parametrize(("older", "listed"), [(True, 2), (False, 1)])
def test_the_older_name_of_top_k_is_known(client: TestClient, older: bool, listed: int) -> None:
    """R10: transformers still takes ``return_all_scores``."""
    body = {"inputs": ["good"], "parameters": {"return_all_scores": older}}
    [found] = client.post("/invocations", json=body).json()
    assert len(found) == listed


@hypothesis.given(name=st.text(min_size=1), more=st.integers(0, 40))
@hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_any_name_fits_a_header(client: TestClient, name: str, more: int) -> None:
    """R10: a key may be anything that JSON can carry."""
    hypothesis.assume(name not in ("inputs", "truncate", "truncation_direction", "raw_scores"))
    fields = {name: 1} | {f"{name}{number}": 1 for number in range(more)}
    answer = client.post("/predict", json={"inputs": "good", **fields})
    assert answer.status_code == 200
    told = answer.headers[HEADER]
    assert set(told) <= set(string.printable) - set("\r\n\t\x0b\x0c")
    assert len(told) < 2000
    assert told.endswith(f" and {more - 7} more") == (more > 7)


def test_ambiguous_fields_are_not_looked_up(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """R10: a body has room for 100,000 of them, in one object or in many, and everybody waits while they are read."""
    looked_up: list[str] = []

    def near(name: str, known: tuple[str, ...]) -> None:
        looked_up.append(name)

    monkeypatch.setattr(notes, "_near", near)
    answer = client.post("/predict", json={"inputs": "good", **{f"field{number}": 1 for number in range(100_000)}})
    assert (answer.status_code, len(looked_up)) == (200, notes.MOST)
    assert answer.headers[HEADER].endswith("field7 and 99,992 more")
    looked_up.clear()
    tensors = [{**TENSOR, f"field{number}": 1} for number in range(40)]
    assert client.post("/v2/models/reviews/infer", json={"inputs": tensors}).status_code == 400  # one is expected
    assert len(looked_up) == notes.MOST
