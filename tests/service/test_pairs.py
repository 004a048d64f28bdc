"""Pairs of texts: scores of ``transformers``' pipeline through real processes, and what each dialect refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import transformers
from starlette.testclient import TestClient

from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.serving.serving import Serving
from bertline.testing.tiny import TEXTS, random_texts, write_tiny_bundle
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready

TOLERANCE = 1e-5
ASKED = [text for text in TEXTS if text] + random_texts(6)
PAIRS = [(one, other) for one, other in zip(ASKED, reversed(ASKED), strict=True)]
PAIR_SHAPE = 'must be a text, a pair {"text": …, "text_pair": …}, or a list of these.'
LONG = " ".join(["good"] * 20)


def named(pair: tuple[str, str]) -> dict[str, str]:
    return {"text": pair[0], "text_pair": pair[1]}


def post(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [one["label"] for one in found] == [one["label"] for one in expected]
    assert [one["score"] for one in found] == pytest.approx([one["score"] for one in expected], abs=TOLERANCE)


@pytest.fixture(scope="module", params=[("bert", None), ("bert", "torch"), ("distilbert", None)], ids=str)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Any]]:
    """The service with an engine, and the pipeline, on one bundle."""
    family, engine = request.param
    bundle = tmp_path_factory.mktemp("bundle") / "tiny"
    write_tiny_bundle(bundle, family=family, engine=True, pairs=True, temperature=1.0)
    pipeline = transformers.pipeline("text-classification", model=str(bundle), device="cpu")
    serving = Serving({"tiny": bundle}, ServeSettings(drain_s=0, lanes=1, engine=engine))
    with TestClient(create_app(serving)) as client:
        yield until_ready(client), pipeline


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.parametrize("how", [{"truncation": True}, {"truncation": True, "max_length": 9}])
def test_scores_of_pairs_are_the_pipelines(both: tuple[TestClient, Any], how: dict[str, Any]) -> None:
    client, pipeline = both
    expected = [pipeline(named(pair), top_k=None, **how) for pair in PAIRS]
    together = post(client, "/", inputs=[named(pair) for pair in PAIRS], parameters=how)
    for pair, one, other in zip(PAIRS, together, expected, strict=True):
        same(one, other)
        [alone] = post(client, "/", inputs=named(pair), parameters=how)
        same(alone, other)


@pytest.mark.peer
@pytest.mark.slow
def test_every_dialect_has_the_same_scores(both: tuple[TestClient, Any]) -> None:
    client, pipeline = both
    expected = [pipeline(named(pair), top_k=None, truncation=True) for pair in PAIRS]
    batch = post(client, "/predict", inputs=[[*pair] for pair in PAIRS], truncation_direction="right")
    own = post(client, "/v1/predict", texts=[named(pair) for pair in PAIRS], truncation="head")["predictions"]
    for pair, other, tei, one in zip(PAIRS, expected, batch, own, strict=True):
        same(tei, other)
        same(post(client, "/predict", inputs=[*pair], truncation_direction="right"), other)
        scored = [{"label": each["label"], "score": each["probability"]} for each in one["probabilities"]]
        same(scored, other)
        [alone] = post(client, "/v1/predict", **named(pair), truncation="head")["predictions"]
        same([{"label": each["label"], "score": each["probability"]} for each in alone["probabilities"]], other)


@pytest.mark.peer
@pytest.mark.slow
def test_the_second_segment_is_read(both: tuple[TestClient, Any]) -> None:
    client, pipeline = both
    pair = PAIRS[0]
    encoded = pipeline.tokenizer([pair[0]], [pair[1]], return_tensors="pt", truncation=True)
    if "token_type_ids" in encoded:
        encoded["token_type_ids"] = torch.zeros_like(encoded["token_type_ids"])
    with torch.inference_mode():
        blind = pipeline.model(**encoded).logits[0]
    raw = post(client, "/predict", inputs=[*pair], truncation_direction="right", raw_scores=True)
    found = [next(one["score"] for one in raw if one["label"] == label) for label in pipeline.model.config.label2id]
    furthest = max(abs(a - b) for a, b in zip(found, blind.tolist(), strict=True))
    if pipeline.model.config.model_type == "bert":
        assert furthest > 100 * TOLERANCE
    else:  # DistilBERT has no segments
        assert furthest < TOLERANCE


@pytest.mark.peer
@pytest.mark.slow
def test_texts_and_pairs_in_one_request_are_answered_as_alone(both: tuple[TestClient, Any]) -> None:
    client, _ = both
    mixed = post(client, "/v1/predict", texts=[ASKED[0], named(PAIRS[1]), ASKED[2]])["predictions"]
    alone = [
        *post(client, "/v1/predict", text=ASKED[0])["predictions"],
        *post(client, "/v1/predict", **named(PAIRS[1]))["predictions"],
        *post(client, "/v1/predict", text=ASKED[2])["predictions"],
    ]
    for one, other in zip(mixed, alone, strict=True):
        assert (one["label"], one["read_tokens"]) == (other["label"], other["read_tokens"])
        shares = ([each["probability"] for each in found["probabilities"]] for found in (one, other))
        assert next(shares) == pytest.approx(next(shares), abs=TOLERANCE)


@pytest.fixture(scope="module")
def words() -> Iterator[TestClient]:
    """A model that reads pairs."""
    models = {"pairs": WordCounter(name="pairs", pairs=True)}
    settings = ServeSettings(drain_s=0, max_batch_texts=3, max_chars=200, max_request_tokens=60)
    with TestClient(create_app(serving_of(models, settings))) as client:
        yield until_ready(client)


A, B = {"text": "good", "text_pair": "bad"}, {"text": "good", "text_pair": " "}
# path, body → status, the sentence
REFUSED: list[tuple[str, Any, int, str]] = [
    ("/v1/predict", B, 422, "text_pair is only white space: send at least one word."),
    ("/v1/predict", {"text": "", "text_pair": "a"}, 422, "text is empty: send at least one word."),
    ("/v1/predict", {"texts": [A, B]}, 422, "texts[1].text_pair is only white space: send at least one word."),
    ("/v1/predict", {"text_pair": "a"}, 422, "text_pair goes with text: send both, or pairs in texts."),
    ("/v1/predict", {"texts": ["a"], "text_pair": "a"}, 422, "text_pair goes with text: send both, or pairs in texts."),
    ("/v1/predict", {"text": "a", "text_pair": 3}, 422, "text_pair must be a string."),
    *(
        ("/v1/predict", {"texts": [A, wrong]}, 422, "texts[1] must be a text, or a pair as in {"
         '"text": "…", "text_pair": "…"}.')
        for wrong in (3, None, {}, {"text": "a"}, {"text": "a", "text_pair": None}, {**A, "more": "b"}, ["a", "b"])
    ),
    ("/v1/predict", {"texts": [A] * 4}, 422, "texts has 4 pairs and the limit is 3: send them in several requests."),
    (
        *("/v1/predict", {"text": "good", "text_pair": "x" * 201}, 422),
        "text_pair has 201 characters and the limit is 200: send a part of it.",
    ),
    (
        *("/v1/predict", {"texts": [{"text": LONG, "text_pair": LONG}], "truncation": "error"}, 422),
        "texts[0] has 43 tokens and pairs reads 16: send a part of it, or ask for another truncation.",
    ),
    (
        *("/v1/predict", {"texts": [{"text": LONG * 2, "text_pair": LONG}], "truncation": "window"}, 422),
        "texts would take 112 tokens and the limit of a request is 60: send them in several requests.",
    ),
    ("/v1/predict", {"text": "good", "text_pair": "fail"}, 500, "The model cannot compute text: an index is out of"),
    ("/", {"inputs": B, "parameters": {}}, 400, "inputs.text_pair is only white space: send at least one word."),
    ("/", {"inputs": [A, B], "parameters": {}}, 400, "inputs[1].text_pair is only white space: send at least one"),
    ("/", {"inputs": {"text": "a"}, "parameters": {}}, 400, f"inputs {PAIR_SHAPE}"),
    ("/", {"inputs": [A, {**A, "more": "b"}], "parameters": {}}, 400, f"inputs {PAIR_SHAPE}"),
    (
        *("/", {"inputs": A, "parameters": {"truncation": "only_first"}}, 400),
        'parameters.truncation is "only_first", and tokens of a pair are taken from its longer text: send "long',
    ),
    ("/predict", {"inputs": ["good", ""]}, 400, "inputs[1] is empty: send at least one word."),
    ("/predict", {"inputs": [["good"], ["bad", ""]]}, 400, "inputs[1][1] is empty: send at least one word."),
    ("/predict", {"inputs": ["a", "b", "c"]}, 422, "inputs has 3 texts in a list: send"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "sentence"), REFUSED)
def test_refused_inputs(words: TestClient, path: str, body: Any, status: int, sentence: str) -> None:
    answer = words.post(path, json=body)
    content = answer.json()
    told = content["error"] if isinstance(content.get("error"), str) else content["error"]["message"]
    assert (answer.status_code, told[: len(sentence)]) == (status, sentence)


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/v1/predict", A, "text is a pair of texts and reviews reads single ones: send each text by itself."),
        ("/v1/predict", {"texts": ["a", A]}, "texts[1] is a pair of texts and reviews reads single ones: send each"),
        ("/predict", {"inputs": ["a", "b"]}, 'inputs is a pair of texts and this model reads single ones: send [["a"]'),
        ("/", {"inputs": [A], "parameters": {}}, "inputs[0] is a pair of texts and reviews reads single ones: send"),
    ],
)
def test_a_model_of_single_texts_refuses_pairs(path: str, body: Any, sentence: str) -> None:
    with TestClient(create_app(serving_of({"reviews": WordCounter()}, ServeSettings(drain_s=0)))) as client:
        content = until_ready(client).post(path, json=body).json()
    told = content["error"] if isinstance(content.get("error"), str) else content["error"]["message"]
    assert told[: len(sentence)] == sentence


def test_named_pairs_are_answered_as_by_the_pipeline_with_and_without_parameters(words: TestClient) -> None:
    for path in ("/", "/models/pairs", "/models/pairs/pipeline/text-classification"):
        for inputs in (A, [A], [A, "good"], ["good", A]):
            more = {} if inputs in (A, [A], [A, "good"]) or path.endswith("n") else {"parameters": {}}
            found = post(words, path, inputs=inputs, **more)
            assert [len(one) for one in found] == [2] * (len(inputs) if isinstance(inputs, list) else 1)
            assert all({*label} == {"label", "score"} for one in found for label in one)


def test_characters_and_tokens_of_both_texts_count(words: TestClient) -> None:
    answer = words.post("/predict", json={"inputs": ["good film", "bad"]})
    assert answer.headers["x-compute-characters"] == "12"
    assert answer.headers["x-compute-tokens"] == "6"
    own = post(words, "/v1/predict", text=LONG, text_pair="bad bad")["predictions"][0]
    assert (own["read_tokens"], own["cut_tokens"]) == (16, 9)  # the shorter text stays whole
