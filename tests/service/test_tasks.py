"""Models of every task behind one real server: answers of ``transformers``' pipelines, through real clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub.constants
import numpy as np
import pytest
import torch
import transformers
import tritonclient.http as triton
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

import bertline
from bertline.encoder.outputs import OUTPUTS
from bertline.inference import load_predictor
from bertline.serving.answered import LARGE_TOKENS
from bertline.serving.serving import MOST_SCORES
from bertline.tasks.classify.spec import Spec as Classification
from bertline.tasks.contract import TaskSpec
from bertline.tasks.embed.spec import Spec as Embedding
from bertline.tasks.fill.spec import Spec as Filling
from bertline.tasks.rank.spec import Spec as Ranking
from bertline.tasks.tag.spec import Spec as Tagging
from bertline.testing.tiny import VOCABULARY, random_texts, write_tiny_bundle
from tests.service.spawn import spawned

pytestmark = [pytest.mark.peer, pytest.mark.slow]

TOLERANCE = 1e-5
STRATEGIES = ("none", "simple", "first", "average", "max")
SPECS: dict[str, TaskSpec] = {
    "tagger": Tagging(types=("person", "place"), temperature=1.5),
    "topics": Classification(problem="several", labels=("sport", "money", "art"), thresholds=(0.5, 0.2, 0.9)),
    "stars": Classification(problem="number", labels=("stars",)),
    "words": Filling(temperature=1.5),
    "ranker": Ranking(),
    "vectors": Embedding(),
    "entailment": Classification(labels=("contradiction", "entailment", "neutral"), reads="pair", temperature=1.5),
}
PIPELINES = {
    "tagger": "token-classification",
    "topics": "text-classification",
    "stars": "text-classification",
    "words": "fill-mask",
    "entailment": "zero-shot-classification",
}
HOSTILE = [
    "Ünïcödé 東京 🙂 a film",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 is it ?",
    "Cafe\u0301 in Sa\u0303o\r\nPaulo\u200e , it is !",
    "\r\n\r\n\ta film\r\n",
    "!",
]
TEXTS = ["a film", *HOSTILE, *random_texts(6)]
LONG = " ".join(random_texts(8))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    for name, spec in SPECS.items():
        how: dict[str, Any] = {"pooling": "none", "truncation": "window"} if OUTPUTS[spec.output].by_token else {}
        how |= {"pooling": "mean"} if spec.output == "embedding" else {}
        write_tiny_bundle(folder / name, engine=True, task=spec, pairs=spec.pairs, **how)
    return {name: folder / name for name in SPECS}


@pytest.fixture(scope="module")
def url(bundles: dict[str, Path]) -> Iterator[str]:
    with spawned(*(f"{name}={path}" for name, path in bundles.items())) as server:
        yield server.url


@pytest.fixture(scope="module")
def peers(bundles: dict[str, Path]) -> dict[str, Any]:
    return {
        name: transformers.pipeline(kind, model=str(bundles[name]), device="cpu") for name, kind in PIPELINES.items()
    }


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client may ask this machine, and has no token of somebody's."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/nonexistent")


def post(url: str, path: str, body: Any, status: int = 200) -> Any:
    answer = httpx.post(f"{url}{path}", json=body, timeout=60)
    assert answer.status_code == status, answer.text
    return answer.json()


def same_entries(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """All but the scores exactly."""
    scores = [one["score"] for one in found], [float(one["score"]) for one in expected]
    assert scores[0] == pytest.approx(scores[1], abs=TOLERANCE)
    assert [{**one, "score": 0} for one in found] == [{**one, "score": 0} for one in expected]


@pytest.mark.parametrize("path", ["/", "/models/tagger", "/models/tagger/pipeline/token-classification"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_entities_are_the_pipelines(url: str, peers: dict[str, Any], path: str, strategy: str) -> None:
    parameters = {"aggregation_strategy": strategy}
    expected = [peers["tagger"](text, **parameters) for text in TEXTS]
    together = post(url, path, {"inputs": TEXTS, "parameters": parameters})
    for text, one, other in zip(TEXTS, together, expected, strict=True):
        same_entries(one, other)
        same_entries(post(url, path, {"inputs": text, "parameters": parameters}), other)
    assert sum(map(len, expected)) > 20


@pytest.mark.parametrize("path", ["", "/models/tagger", "/models/tagger/pipeline/token-classification"])
@pytest.mark.parametrize("strategy", [None, *STRATEGIES])
def test_the_client_gets_entities(url: str, peers: dict[str, Any], path: str, strategy: Any) -> None:
    client = InferenceClient(base_url=f"{url}{path}")
    for text in TEXTS:
        found = client.token_classification(text, aggregation_strategy=strategy)
        expected = peers["tagger"](text, aggregation_strategy=strategy or "simple")
        kind = "entity" if strategy == "none" else "entity_group"
        assert [(one[kind], one.word, one.start, one.end) for one in found] == [
            (one[kind], one["word"], one["start"], one["end"]) for one in expected
        ]
        assert [one.score for one in found] == pytest.approx([float(one["score"]) for one in expected], abs=TOLERANCE)


def test_types_that_are_ignored_are_left_out(url: str, peers: dict[str, Any]) -> None:
    client = InferenceClient(base_url=url)
    found = client.token_classification(TEXTS[-1], aggregation_strategy="first", ignore_labels=["O", "person"])
    peer = transformers.pipeline(
        "token-classification", model=peers["tagger"].model, tokenizer=peers["tagger"].tokenizer, device="cpu",
        ignore_labels=["O", "person"],
    )  # fmt: skip
    expected = peer(TEXTS[-1], aggregation_strategy="first")
    assert {one.entity_group for one in found} == {"place"}
    assert [(one.start, one.end) for one in found] == [(one["start"], one["end"]) for one in expected]


def test_own_entities_are_exactly_the_predictors(url: str, bundles: dict[str, Path]) -> None:
    texts = [*TEXTS, LONG]
    expected = load_predictor(bundles["tagger"]).predict(texts)
    found = post(url, "/v1/predict", {"texts": texts, "model": "tagger"})["predictions"]
    for text, one, other in zip(texts, found, expected, strict=True):
        spans = [(entity["start"], entity["end"], entity["label"]) for entity in one["entities"]]
        assert spans == [(each.entity.start, each.entity.end, each.entity.label) for each in other.entities]
        assert all(text[entity["start"] : entity["end"]] == entity["text"] for entity in one["entities"])
        assert (one["read_tokens"], one["cut_tokens"]) == (other.read_tokens, 0)
    assert found[-1]["windows"] > 2
    assert "windows" not in found[0]
    assert max(entity["end"] for entity in found[-1]["entities"]) > 0.9 * len(LONG)


def test_a_long_text_among_others_has_the_entities_that_it_has_alone(url: str) -> None:
    [alone] = post(url, "/v1/predict", {"text": LONG, "model": "tagger"})["predictions"]
    among = post(url, "/v1/predict", {"texts": ["a film", LONG, *TEXTS], "model": "tagger"})["predictions"][1]
    for one, other in zip(alone["entities"], among["entities"], strict=True):
        assert one == {**other, "score": pytest.approx(other["score"], abs=TOLERANCE)}


def test_entities_in_the_other_dialects(url: str) -> None:
    own = post(url, "/v1/predict", {"texts": TEXTS, "model": "tagger"})["predictions"]
    v1 = post(url, "/v1/models/tagger:predict", {"instances": TEXTS})["predictions"]
    assert v1 == [one["entities"] for one in own]
    with triton.InferenceServerClient(url.removeprefix("http://")) as client:
        [listed] = [one for one in client.get_model_metadata("tagger")["outputs"] if one["name"] == "answer"]
        assert listed == {"name": "answer", "datatype": "BYTES", "shape": [-1]}
        tensor = triton.InferInput("text", [len(TEXTS)], "BYTES")
        tensor.set_data_from_numpy(np.array([text.encode() for text in TEXTS], dtype=np.object_))
        result = client.infer("tagger", [tensor])
        assert [json.loads(one) for one in result.as_numpy("answer")] == own


def test_sagemaker_answers_as_its_toolkits_pipeline(url: str, peers: dict[str, Any]) -> None:
    for strategy in (None, "max"):
        parameters = {} if strategy is None else {"aggregation_strategy": strategy}
        body = {"inputs": TEXTS, "parameters": parameters}
        for one, text in zip(post(url, "/invocations", body), TEXTS, strict=True):
            same_entries(one, peers["tagger"](text, **parameters))
    same_entries(post(url, "/invocations", {"inputs": TEXTS[-1]}), peers["tagger"](TEXTS[-1]))
    lines = "".join(json.dumps({"inputs": text}) + "\n" for text in TEXTS)
    answer = httpx.post(f"{url}/invocations", content=lines, headers={"content-type": "application/jsonlines"})
    for line, text in zip(answer.text.splitlines(), TEXTS, strict=True):
        same_entries(json.loads(line), peers["tagger"](text))


def test_several_labels_are_the_pipelines_and_each_has_its_threshold(url: str, peers: dict[str, Any]) -> None:
    client = InferenceClient(base_url=f"{url}/models/topics")
    labels = SPECS["topics"].labels
    for text in TEXTS:
        for top_k, function in ((None, None), (2, None), (None, "softmax"), (1, "none")):
            found = client.text_classification(text, top_k=top_k, function_to_apply=function)  # type: ignore[arg-type]
            expected = peers["topics"](text, top_k=top_k, function_to_apply=function)
            assert [one.label for one in found] == [one["label"] for one in expected]
            assert [one.score for one in found] == pytest.approx([one["score"] for one in expected], abs=TOLERANCE)
        [own] = post(url, "/v1/predict", {"text": text, "model": "topics"})["predictions"]
        shares = {one["label"]: one["probability"] for one in own["probabilities"]}
        assert own["labels"] == [
            label for label, cut in zip(labels, (0.5, 0.2, 0.9), strict=True) if shares[label] >= cut
        ]
        given = post(url, "/v1/models/topics:predict", {"instances": [text]})["predictions"]
        assert given == [own["labels"]]


def test_numbers_are_the_pipelines(url: str, peers: dict[str, Any]) -> None:
    client = InferenceClient(base_url=f"{url}/models/stars")
    own = post(url, "/v1/predict", {"texts": TEXTS, "model": "stars"})["predictions"]
    v1 = post(url, "/v1/models/stars:predict", {"instances": TEXTS})["predictions"]
    for text, one, number in zip(TEXTS, own, v1, strict=True):
        [expected] = peers["stars"](text)
        [found] = client.text_classification(text)
        assert found.label == expected["label"] == "stars"
        assert found.score == pytest.approx(expected["score"], abs=TOLERANCE)
        assert one["number"] == number == pytest.approx(expected["score"], abs=TOLERANCE)
    with triton.InferenceServerClient(url.removeprefix("http://")) as triton_client:
        names = [one["name"] for one in triton_client.get_model_metadata("stars")["outputs"]]
    assert names == ["logits", "embedding", "answer"]


OTHER = "is a model for the task {task} and has no output {output}: use {where}."
OF_TAG = "/v1/predict, /v1/models/{name}:predict, /invocations or /models/{name}/pipeline/token-classification"
OF_LOGITS = (
    "/v1/predict, /classify, /v1/models/{name}:predict, /invocations, /predict or "
    "/models/{name}/pipeline/text-classification"
)


@pytest.mark.parametrize(
    ("path", "body", "status", "model", "task", "output"),
    [
        ("/predict", {"inputs": "a film"}, 424, "tagger", "tag", "logits"),
        ("/classify", {"input": "a film", "model": "tagger"}, 400, "tagger", "tag", "logits"),
        ("/models/tagger/pipeline/text-classification", {"inputs": "a film"}, 400, "tagger", "tag", "logits"),
        ("/models/topics/pipeline/token-classification", {"inputs": "a film"}, 400, "topics", "classify", "tags"),
    ],
)
def test_a_task_that_a_dialect_does_not_have(
    url: str, path: str, body: dict[str, Any], status: int, model: str, task: str, output: str
) -> None:
    error = post(url, path, body, status)["error"]
    where = OF_TAG if task == "tag" else OF_LOGITS
    message = error["message"] if isinstance(error, dict) else error
    assert message == f"{model} " + OTHER.format(task=task, output=output, where=where)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        (
            "/v1/predict",
            {"text": "a film", "top_k": 2, "model": "tagger"},
            422,
            "tagger does not rank labels: leave top_k out.",
        ),
        (
            "/v1/models/stars:predict",
            {"instances": ["a film"], "parameters": {"return_probabilities": True}},
            400,
            "stars does not rank labels: leave parameters.return_probabilities out.",
        ),
        (
            "/invocations",
            {"inputs": "a film", "parameters": {"top_k": 1}},
            400,
            "parameters.top_k is a parameter of text-classification, and this model finds entities: use a model for "
            "that task.",
        ),
        (
            "/models/tagger/pipeline/token-classification",
            {"inputs": "a film", "parameters": {"aggregation": "max"}},
            400,
            "There is no field parameters.aggregation: did you mean aggregation_strategy?",
        ),
        (
            "/invocations",
            {"inputs": "a film", "parameters": {"stride": "x"}},
            400,
            "parameters.stride must be a whole number.",
        ),
        (
            "/",
            {"inputs": "a film", "parameters": {"aggregation_strategy": "best"}},
            400,
            "parameters.aggregation_strategy must be none or simple or first or average or max.",
        ),
        (
            "/models/tagger/pipeline/token-classification",
            {"inputs": {"text": "a", "text_pair": "b"}},
            400,
            "inputs must be a text, or a list of texts.",
        ),
    ],
)
def test_parameters_that_these_models_refuse(url: str, path: str, body: Any, status: int, message: str) -> None:
    error = post(url, path, body, status)["error"]
    assert (error["message"] if isinstance(error, dict) else error) == message


def test_the_clients_exception_names_the_fault(url: str) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        InferenceClient(base_url=f"{url}/models/tagger").text_classification("a film", top_k=2)
    assert caught.value.response.json()["error"].startswith("parameters.top_k is a parameter of text-classification")


def test_a_tagger_embeds_and_shows_its_tokens_states(url: str, bundles: dict[str, Path]) -> None:
    assert np.shape(post(url, "/embed", {"inputs": [*TEXTS, LONG]})) == (len(TEXTS) + 1, 32)
    [states] = post(url, "/embed_all", {"inputs": LONG})
    assert np.shape(states) == (32, 32)  # of tokens, as many as the model reads at a time
    assert httpx.get(f"{url}/info").json()["model_type"] == {"embedding": {"pooling": "mean"}}
    assert httpx.get(f"{url}/models/topics/info").json()["model_type"].keys() == {"classifier"}


def test_models_report_their_task(url: str) -> None:
    described = {one["name"]: one for one in httpx.get(f"{url}/v1/models").json()["models"]}
    for name, spec in SPECS.items():
        assert described[name]["task"] == spec.model_dump(mode="json")
        assert described[name]["labels"] == [*spec.labels]
        assert described[name]["multi_label"] is (name == "topics")


def test_a_large_request_has_the_answers_of_its_texts_alone(url: str) -> None:
    """Its answers are made in a thread."""
    texts = [LONG, *TEXTS] * 8
    alone = [post(url, "/v1/predict", {"text": text, "model": "tagger"})["predictions"][0] for text in [LONG, *TEXTS]]
    assert 8 * sum(one["read_tokens"] for one in alone) > LARGE_TOKENS
    together = post(url, "/v1/predict", {"texts": texts, "model": "tagger"})["predictions"]
    v1 = post(url, "/v1/models/tagger:predict", {"instances": texts})["predictions"]
    for one, entities, other in zip(together, v1, alone * 8, strict=True):
        assert [(each["start"], each["end"], each["label"]) for each in one["entities"]] == [
            (each["start"], each["end"], each["label"]) for each in other["entities"]
        ]
        assert entities == one["entities"]


MASKED = ["a [MASK] is at!", "An [MASK] at on [MASK], it is [MASK] !", "Ünïcödé 🙂[MASK]"]


def masks_of(answer: Any) -> list[list[dict[str, Any]]]:
    """The entries of each [MASK]; the client gives objects and the pipeline dictionaries."""
    rows = answer if isinstance(answer[0], list) else [answer]
    return [[dict(one) if isinstance(one, dict) else {key: one[key] for key in KEPT} for one in row] for row in rows]


KEPT = ("score", "token", "token_str", "sequence")


@pytest.mark.parametrize("path", ["/models/words", "/models/words/pipeline/fill-mask"])
def test_words_are_the_pipelines(url: str, peers: dict[str, Any], path: str) -> None:
    client = InferenceClient(base_url=f"{url}{path}")
    for text in (MASKED[0], MASKED[2]):
        for top_k, targets in ((None, None), (2, None), (None, ["is", "or"]), (1, ["is", "or"])):
            found = client.fill_mask(text, top_k=top_k, targets=targets)
            expected = peers["words"](text, top_k=top_k, targets=targets)
            same_entries([{key: one[key] for key in KEPT} for one in found], expected)
    for text in MASKED:  # the client's own type has no place for several [MASK], and the route answers them all
        own = post(url, path, {"inputs": text, "parameters": {"top_k": 3}})
        for mask, expected in zip(masks_of(own), masks_of(peers["words"](text, top_k=3)), strict=True):
            same_entries(mask, expected)
    several = post(url, path, {"inputs": MASKED, "parameters": {}})
    assert [len(masks_of(one)) for one in several] == [1, 3, 1]


def test_relevance_is_that_of_the_checkpoint(url: str, bundles: dict[str, Path]) -> None:
    """``CrossEncoder.rank`` of sentence-transformers sorts by the sigmoid of this logit."""
    network: Any = transformers.AutoModelForSequenceClassification.from_pretrained(bundles["ranker"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(bundles["ranker"])
    texts, query = [*TEXTS[:2], *TEXTS[3:]], "is it a film"
    batch = tokenizer([query] * len(texts), texts, padding=True, truncation="only_second", return_tensors="pt")
    with torch.inference_mode():
        logits = network.eval()(**batch).logits[:, 0]
    order = sorted(range(len(texts)), key=lambda i: -float(logits[i]))
    expected = [(i, pytest.approx(float(logits[i].sigmoid()), abs=TOLERANCE)) for i in order]
    for version in ("v1", "v2"):
        answer = post(url, f"/{version}/rerank", {"model": "ranker", "query": query, "documents": texts})
        assert [(one["index"], one["relevance_score"]) for one in answer["results"]] == expected
    assert [(one.index, one.score) for one in bertline.load(bundles["ranker"]).rank(query, texts)] == expected


def test_embeddings_are_those_of_the_checkpoint(url: str, bundles: dict[str, Path]) -> None:
    """``SentenceTransformer.encode`` gives the mean of these states, divided by its length."""
    network, tokenizer = (
        one.from_pretrained(bundles["vectors"]) for one in (transformers.AutoModel, transformers.AutoTokenizer)
    )
    texts = [*TEXTS[:2], *TEXTS[3:]]
    batch = tokenizer(texts, padding=True, truncation=True, max_length=32, return_tensors="pt")
    with torch.inference_mode():
        states = network.eval()(**batch).last_hidden_state
    attend = batch["attention_mask"].unsqueeze(-1)
    expected = torch.nn.functional.normalize((states * attend).sum(1) / attend.sum(1)).numpy()
    client = InferenceClient(base_url=f"{url}/models/vectors")
    np.testing.assert_allclose(client.feature_extraction(texts), expected, atol=TOLERANCE)  # type: ignore[arg-type]
    cosines = client.sentence_similarity(texts[0], other_sentences=texts[1:])
    np.testing.assert_allclose(cosines, expected[1:] @ expected[0], atol=TOLERANCE)
    openai = post(url, "/v1/embeddings", {"model": "vectors", "input": texts})["data"]
    np.testing.assert_allclose([one["embedding"] for one in openai], expected, atol=TOLERANCE)


@pytest.mark.parametrize("several", [False, True])
def test_labels_of_the_request_are_the_pipelines(url: str, peers: dict[str, Any], several: bool) -> None:
    client, labels = InferenceClient(base_url=f"{url}/models/entailment"), ["film", "a , at", "is"]
    for text in TEXTS[:4]:
        found = client.zero_shot_classification(
            text, candidate_labels=labels, multi_label=several, hypothesis_template="a {} is it."
        )
        expected = peers["entailment"](text, labels, multi_label=several, hypothesis_template="a {} is it.")
        assert [one.label for one in found] == expected["labels"]
        assert [one.score for one in found] == pytest.approx(expected["scores"], abs=TOLERANCE)


def test_a_target_that_is_not_in_the_vocabulary_is_named(url: str, peers: dict[str, Any]) -> None:
    found = InferenceClient(base_url=f"{url}/models/words").fill_mask(MASKED[0], targets=["filmy", "is"])
    expected = peers["words"](MASKED[0], targets=["filmy", "is"])
    assert [one.token for one in found] == [one["token"] for one in expected]
    assert {one.token_str: one.get("targets") for one in found} == {"f": ["filmy"], "is": None}
    [own] = post(url, "/v1/predict", {"text": MASKED[0], "targets": ["filmy", "is"], "model": "words"})["predictions"]
    assert {one["token"]: one.get("targets") for one in own["masks"][0]["tokens"]} == {"f": ["filmy"], "is": None}


def test_own_words_are_exactly_the_predictors(url: str, bundles: dict[str, Path]) -> None:
    text = f"{LONG} [MASK] {LONG} [MASK]"
    expected = load_predictor(bundles["words"]).predict([*MASKED, text])
    found = post(url, "/v1/predict", {"texts": [*MASKED, text], "model": "words"})["predictions"]
    for one, other in zip(found, expected, strict=True):
        same = other.to_json()
        assert [[word["id"] for word in mask["tokens"]] for mask in one["masks"]] == [
            [word.id for word in mask.candidates] for mask in other.masks
        ]
        assert {key: value for key, value in one.items() if key not in ("masks", "windows")} == {
            key: value for key, value in same.items() if key != "masks"
        }
    assert found[-1]["windows"] > 2
    assert len(found[-1]["masks"]) == 2


def test_words_in_the_other_dialects(url: str, bundles: dict[str, Path]) -> None:
    own = post(url, "/v1/predict", {"texts": MASKED, "model": "words"})["predictions"]
    v1 = post(url, "/v1/models/words:predict", {"instances": MASKED})["predictions"]
    assert [(one["filled"], one["predicted_masks"]) for one in v1] == [(one["filled"], one["masks"]) for one in own]
    with triton.InferenceServerClient(url.removeprefix("http://")) as client:
        tensor = triton.InferInput("text", [len(MASKED)], "BYTES")
        tensor.set_data_from_numpy(np.array([text.encode() for text in MASKED], dtype=np.object_))
        assert [json.loads(one) for one in client.infer("words", [tensor]).as_numpy("answer")] == own


def test_truncation_says_which_masks_it_lost(url: str) -> None:
    body = {"text": f"a [MASK] {LONG} [MASK]", "truncation": "head", "model": "words"}
    [answer] = post(url, "/v1/predict", body)["predictions"]
    assert (len(answer["masks"]), answer["cut_masks"]) == (1, 1)
    error = post(url, "/v1/predict", {**body, "text": f"{LONG} [MASK]"}, 422)["error"]
    assert (error["code"], error["field"]) == ("invalid_text", "text")
    assert error["message"].startswith("text has [MASK] only among the ")
    assert error["message"].endswith(" tokens that truncation leaves out: shorten it, or read it in windows.")


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        (
            "/v1/predict",
            {"texts": ["a [MASK]", "a film"], "model": "words"},
            422,
            "texts[1] has no [MASK]: write [MASK] where a word is to be filled in.",
        ),
        (
            "/models/words",
            {"inputs": "a film", "parameters": {}},
            400,
            "inputs has no [MASK]: write [MASK] where a word is to be filled in.",
        ),
        (
            "/models/words",
            {"inputs": "a [MASK]", "parameters": {"targets": ["a", " "]}},
            400,
            "parameters.targets[1] has no token of the vocabulary: leave it out.",
        ),
        (
            "/v1/predict",
            {"text": "a [MASK]", "top_k": 2000, "model": "words"},
            422,
            "top_k is 2,000: give a number from 1 to 1,000.",
        ),
        (
            "/v1/predict",
            {"text": "a film", "targets": ["a"], "model": "topics"},
            422,
            "topics does not fill in words: leave targets out.",
        ),
        (
            "/models/topics/pipeline/fill-mask",
            {"inputs": "a [MASK]"},
            400,
            "topics is a model for the task classify and has no output vocabulary: use " + OF_LOGITS + ".",
        ),
        (
            "/models/words",
            {"inputs": "a [MASK]", "parameters": {"ignore_labels": ["O"]}},
            400,
            "parameters.ignore_labels is a parameter of token-classification, and this model fills in words: use a "
            "model for that task.",
        ),
    ],
)
def test_what_a_model_that_fills_in_words_refuses(url: str, path: str, body: Any, status: int, message: str) -> None:
    error = post(url, path, body, status)["error"]
    shown = error["message"] if isinstance(error, dict) else error
    assert shown.replace("{name}", "topics") == message.replace("{name}", "topics")


def test_more_masks_than_there_is_memory_for(url: str) -> None:
    masks = MOST_SCORES // len(VOCABULARY)
    text = "[MASK] " * 2000
    texts = [text] * (masks // 2000 + 1)
    error = post(url, "/v1/predict", {"texts": texts, "model": "words"}, 422)["error"]
    assert error["code"] == "too_many_tokens"
    assert error["message"].startswith("texts would have ")
    assert error["message"].endswith(f"and the limit of a request is {masks:,}: send them in several requests.")
