"""Labels of the request over HTTP: Hugging Face's pipeline with its real client, and our own API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import huggingface_hub.constants
import numpy as np
import pytest
from huggingface_hub import InferenceClient

from bertline.service import ServeSettings
from bertline.testing.words import WordCounter
from tests.service.live import live, warm

PATH = "/models/entailment/pipeline/zero-shot-classification"
LABELS = ["good", "bad"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a server with a model of entailment, which sees it in the words good of both texts, and one of topics."""
    nli = WordCounter(("contradiction", "entailment"), pairs=True, name="entailment", max_tokens=32)
    embedder = WordCounter((), name="embedder", task={"task": "embed"})
    models = {"entailment": nli, "reviews": WordCounter(), "embedder": embedder}
    with live(models, ServeSettings(drain_s=0, max_batch_texts=8)) as one:
        yield warm(one).rstrip("/")


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client may ask this machine, and has no token of somebody's."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/nonexistent")


def entailment(good: int, bad: int) -> tuple[float, float]:
    """The logits of contradiction and entailment for so many words of both texts."""
    share = (1 + 8 * good) / (2 + 8 * (good + bad))
    return float(np.log(1 - share)), float(np.log(share))


def softmax(*logits: float) -> list[float]:
    powers = np.exp(logits)
    return [float(one) for one in powers / powers.sum()]


@pytest.mark.parametrize("path", ["", "/models/entailment", PATH])
def test_the_client_gets_labels_by_entailment(url: str, path: str) -> None:
    answer = InferenceClient(model=f"{url}{path}").zero_shot_classification("good", candidate_labels=LABELS)
    expected = softmax(entailment(2, 0)[1], entailment(1, 1)[1])
    assert [(one.label, one.score) for one in answer] == [
        (label, pytest.approx(share)) for label, share in zip(LABELS, expected, strict=True)
    ]


def test_the_client_judges_each_label_by_itself(url: str) -> None:
    client = InferenceClient(model=url)
    answer = client.zero_shot_classification(
        "good", candidate_labels=LABELS, multi_label=True, hypothesis_template="good {}"
    )
    assert {one.label: one.score for one in answer} == pytest.approx(
        {"good": softmax(*entailment(3, 0))[1], "bad": softmax(*entailment(2, 1))[1]}
    )


def test_several_texts_get_a_list_each(url: str) -> None:
    body = {"inputs": ["good", "bad"], "parameters": {"candidate_labels": "good, bad"}}
    answer = httpx.post(f"{url}{PATH}", json=body)
    assert answer.status_code == 200, answer.text
    assert [[one["label"] for one in each] for each in answer.json()] == [["good", "bad"]] * 2


def test_our_own_api_answers_as_for_labels_of_its_own(url: str) -> None:
    body: dict[str, Any] = {"text": "good", "labels": LABELS, "template": "{}", "model": "entailment", "top_k": 1}
    (one,) = httpx.post(f"{url}/v1/predict", json=body).json()["predictions"]
    share = softmax(entailment(2, 0)[1], entailment(1, 1)[1])[0]
    assert one["label"] == "good"
    assert one["probabilities"] == [{"label": "good", "probability": pytest.approx(share)}]
    assert (one["read_tokens"], one["cut_tokens"]) == (5, 0)
    several = httpx.post(f"{url}/v1/predict", json={**body, "several": True}).json()["predictions"]
    assert several[0]["labels"] == ["good", "bad"]  # bad has exactly half


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"candidate_labels": []}, "parameters.candidate_labels has no label: give at least one."),
        ({"candidate_labels": ["a", "a"]}, "parameters.candidate_labels has 'a' twice: give each label once."),
        ({"candidate_labels": 3}, "parameters.candidate_labels must be a list of labels, or labels with commas."),
        (
            {"candidate_labels": ["a"], "hypothesis_template": "x"},
            "parameters.hypothesis_template is 'x': write {} where the label goes, as in 'This text is about {}.'.",
        ),
        ({"candidate_labels": ["a"], "zzz": 1}, "There is no field parameters.zzz"),
        (
            {"candidate_labels": [*"abcdefghi"]},
            "inputs has 9 pairs and the limit is 8: send them in several requests.",
        ),
    ],
)
def test_a_fault_is_one_sentence(url: str, parameters: dict[str, Any], message: str) -> None:
    answer = httpx.post(f"{url}{PATH}", json={"inputs": "good", "parameters": parameters})
    assert answer.status_code in (400, 413, 422)
    assert answer.json()["error"].startswith(message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"template": "{}"}, "template goes with labels: send the labels to choose from."),
        ({"labels": LABELS, "truncation": "head"}, "truncation does not go with labels: leave it out."),
        ({"labels": []}, "labels has no label: give at least one."),
        (
            {"labels": LABELS, "model": "reviews"},
            "reviews is a model for the task classify and cannot choose among labels that come with the texts: use an "
            "embedding model, or a classifier of pairs with the labels entailment, neutral and contradiction.",
        ),
    ],
)
def test_our_own_api_names_the_field(url: str, body: dict[str, Any], message: str) -> None:
    answer = httpx.post(f"{url}/v1/predict", json={"text": "good", "model": "entailment", **body})
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"] == message


def test_pairs_have_no_labels_of_the_request(url: str) -> None:
    body = {"texts": [{"text": "good", "text_pair": "bad"}], "labels": LABELS, "model": "entailment"}
    answer = httpx.post(f"{url}/v1/predict", json=body)
    assert answer.json()["error"]["message"] == "texts[0] is a pair and labels go with single texts: send one text."


def test_a_blank_text_is_named(url: str) -> None:
    answer = httpx.post(f"{url}{PATH}", json={"inputs": ["good", " "], "parameters": {"candidate_labels": LABELS}})
    assert answer.json()["error"] == "inputs[1] is only white space: send at least one word."


def test_an_embedder_compares_a_text_with_the_sentence_of_each_label(url: str) -> None:
    path = f"{url}/models/embedder"
    answer = InferenceClient(model=path).zero_shot_classification(
        "good", candidate_labels=LABELS, hypothesis_template="{}"
    )
    rows = np.array([[1, 0, 3], [0, 1, 3]]) / np.sqrt(10)  # good, bad, tokens with [CLS] and [SEP]
    expected = softmax(*(20 * rows @ rows[0]))
    assert [(one.label, one.score) for one in answer] == [
        (label, pytest.approx(share)) for label, share in zip(LABELS, expected, strict=True)
    ]
    body = {"inputs": "good", "parameters": {"candidate_labels": LABELS, "multi_label": True}}
    refused = httpx.post(path, json=body).json()["error"]
    assert refused.startswith("an embedding model compares labels and judges none by itself")
