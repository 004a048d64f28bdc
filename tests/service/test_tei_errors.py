"""Every way a request of TEI's clients can be wrong: its status, kind, and the words that say what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.service.routes.tei.answers import KINDS, TEI
from bertline.serving.problems import Code, Problem
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready


def compared(source: str, *sentences: str) -> dict[str, Any]:
    return {"inputs": {"source_sentence": source, "sentences": list(sentences)}}


# path, body → status, kind, message
WRONG: list[tuple[str, object, int, str, str]] = [
    ("/predict", {"inputs": []}, 400, "Empty", "inputs is an empty list: send at least one text."),
    ("/embed", {"inputs": []}, 400, "Empty", "inputs is an empty list: send"),
    ("/embed_all", {"inputs": []}, 400, "Empty", "inputs is an empty list: send"),
    ("/tokenize", {"inputs": []}, 400, "Empty", "inputs is an empty list: send"),
    ("/decode", {"ids": []}, 400, "Empty", "ids is an empty list: send"),
    ("/similarity", compared("a"), 400, "Empty", "inputs.sentences is an"),
    ("/predict", {}, 422, "Validation", "inputs is missing: send it."),
    ("/similarity", {"inputs": {"sentences": ["a"]}}, 422, "Validation", "source_sentence is missing: send it."),
    ("/similarity", compared("", "a"), 400, "Empty", "inputs.source_sentence is empty"),
    ("/similarity", compared("a", "a", ""), 400, "Empty", "inputs.sentences[1] is empty"),
    ("/predict", {"inputs": "a", "truncate": "yes"}, 422, "Validation", "truncate must be true, false or null."),
    ("/predict", {"inputs": "a", "truncation_direction": "up"}, 422, "Validation", 'truncation_direction must be'),
    ("/predict", {"inputs": "a", "raw_scores": 1}, 422, "Validation", "raw_scores must be true or false."),
    ("/predict", {"inputs": [["a"]] * 4}, 413, "Validation", "inputs has 4 texts and the limit is 3: send them"),
    ("/predict", {"inputs": "x" * 41}, 413, "Validation", "inputs[0] has 41 characters and the limit is 40: send"),
    ("/predict", b'{"inputs": "a \\ud83d"}', 422, "Tokenizer", "inputs has half a surrogate pair at character 2"),
    ("/predict", {"inputs": "fail"}, 424, "Backend", "The model cannot compute "),
    ("/predict", {"inputs": "die"}, 424, "Backend", "The model cannot compute "),
    ("/embed", {"inputs": [5, 11]}, 422, "Validation", "inputs[0][1] must be less than 11, the size of the vocabulary"),
    ("/embed", {"inputs": [-1]}, 422, "Validation", "inputs must be a text, a list of texts, the token ids of"),
    ("/embed", {"inputs": [2**32]}, 422, "Validation", "inputs must be a text, a list of texts, the token ids of"),
    ("/embed", {"inputs": [True]}, 422, "Validation", "inputs must be a text, a list of texts, the token ids of"),
    ("/embed", {"inputs": [5] * 41}, 413, "Validation", "inputs[0] has 41 token ids and the limit is 40: send a part"),
    ("/embed", {"inputs": [2, 3]}, 400, "Empty", "inputs[0] is empty: send at least one word."),
    ("/embed", {"inputs": "a", "dimensions": 4}, 422, "Validation", "dimensions must be at most 3, the model's width"),
    ("/embed", {"inputs": "a", "dimensions": 0}, 422, "Validation", "dimensions must be at least 1."),
    ("/embed", {"inputs": "a", "prompt_name": "query"}, 422, "Validation", "The model has no prompts: leave prompt"),
    ("/decode", {"ids": [[5], [11]]}, 422, "Validation", "ids[1][0] must be less than 11, the size of the vocabulary"),
    ("/decode", {"ids": [[5]] * 4}, 413, "Validation", "ids has 4 lists and the limit is 3: send several requests."),
    ("/models/other", {"inputs": "a"}, 404, "Validation", "There is no model of that name: valid names are reviews."),
    ("/predict", b"{", 400, "Validation", "The body is not valid JSON: "),
    ("/", b"{", 400, "Validation", "The body is not valid JSON: "),
    ("/", b"null", 422, "Validation", "The body must be a JSON object."),
]  # fmt: skip


@pytest.fixture
def strict() -> Iterator[TestClient]:
    """With limits that small requests exceed."""
    settings = ServeSettings(max_batch_texts=3, max_chars=40, max_body_bytes=2000)
    with TestClient(create_app(serving_of({"reviews": WordCounter()}, settings))) as one:
        yield until_ready(one)


@pytest.mark.parametrize(("path", "body", "status", "kind", "message"), WRONG)
def test_errors_have_teis_shape(
    strict: TestClient, path: str, body: object, status: int, kind: str, message: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = strict.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "error_type"}
    assert answer.json()["error_type"] == kind
    assert answer.json()["error"].startswith(message)


def test_only_json_is_taken_because_a_foreign_page_can_send_the_rest(client: TestClient) -> None:
    for path in ("/", "/predict", "/embed", "/tokenize", "/decode"):
        answer = client.post(path, content=b'{"inputs": "a"}', headers={"Content-Type": "text/plain"})
        assert (answer.status_code, answer.json()["error_type"]) == (415, "Validation")


def test_every_code_has_one_of_teis_kinds_and_a_status() -> None:
    assert set(KINDS) == set(Code)
    answers = {code: TEI.refuse(Problem(code, "It is wrong.", headers={"Retry-After": "2"})) for code in Code}
    assert {code for code, one in answers.items() if one.status_code == 424} == {
        Code.COMPUTE_FAILED,
        Code.NO_MEMORY,
        Code.WORKER_LOST,
        Code.INTERNAL,
        Code.OTHER_TASK,
    }
    overloaded = answers[Code.OVERLOADED]
    assert (overloaded.status_code, overloaded.headers["Retry-After"]) == (429, "2")
    assert json.loads(overloaded.body) == {"error": "It is wrong.", "error_type": "Overloaded"}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["a", "b"], 'inputs is a pair of texts and this model reads single ones: send [["a"], ["b"]] for two texts.'),
        ([["a"], ["b", "c"]], "inputs[1] is a pair of texts and this model reads single ones: send"),
        (["a", "b", "c"], 'inputs has 3 texts in a list: send [["a"], ["b"]], each in a list of its own.'),
        ([["a"], []], "inputs[1] has 0 texts in a list: send"),
        ([["a"], "b"], "inputs must be a text, or a list of texts each in a list."),
        (3, "inputs must be a text, or a list of texts each in a list."),
        (None, "inputs must be a text, or a list of texts each in a list."),
    ],
)
def test_a_pair_is_not_two_texts(client: TestClient, inputs: object, message: str) -> None:
    answer = client.post("/predict", json={"inputs": inputs})
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "error_type"}
    assert answer.json()["error"].startswith(message)
    assert answer.json()["error_type"] == "Validation"


def test_routes_for_other_kinds_of_models_return_424(client: TestClient) -> None:
    answer = client.post("/embed_sparse", json={"query": "q", "texts": ["a"], "inputs": "a"})
    assert answer.status_code == 424
    assert answer.json() == {
        "error": "No model supports this: use /predict, /embed or /similarity.",
        "error_type": "Backend",
    }
