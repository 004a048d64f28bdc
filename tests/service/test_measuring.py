"""GET /metrics: what happened is what it says."""

from __future__ import annotations

from collections import Counter
from math import e

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from bertline.service.app import create_app
from bertline.service.settings import ServeSettings
from bertline.testing.words import WordCounter, WordTagger, serving_of
from tests.service.conftest import client_of, until_ready

pytestmark = pytest.mark.usefixtures("model")  # each test has a server of its own, which has counted nothing


def samples(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (one.name, tuple(sorted((key, value) for key, value in one.labels.items() if key != "version"))): one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    }


def test_texts_labels_and_cut_tokens_are_counted(client: TestClient) -> None:
    client.post("/v1/predict", json={"texts": ["good good", "bad", "good " * 20]})
    found = samples(client)
    # Of the warm-up's texts no request asked.
    assert found["bertline_texts_total", (("model", "reviews"), ("op", "classify"))] == 3
    assert found["bertline_predicted_total", (("label", "positive"), ("model", "reviews"))] == 2
    assert found["bertline_cut_tokens_total", (("model", "reviews"),)] == 6
    assert found["te_request_count", (("method", "batch"),)] == 1
    assert found["bertline_queue_tokens", (("model", "reviews"),)] == 0
    assert found["bertline_ready", ()] == 1


@pytest.mark.parametrize(("given", "shown"), [(None, 0.0), (0.35, 0.35)])
def test_the_price_and_the_lanes_are_those_of_the_settings(given: float | None, shown: float) -> None:
    settings = ServeSettings(cost_per_hour=given, lanes=3)
    with TestClient(create_app(serving_of({"reviews": WordCounter()}, settings))) as client:
        found = samples(until_ready(client))
    assert found["bertline_cost_per_hour", ()] == shown
    assert found["bertline_lanes", ()] == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/predict", {"texts": ["good wait bad good", "bad", "wait"]}),
        (
            "/models/reviews/pipeline/token-classification",
            {"inputs": ["good wait bad good", "bad"], "parameters": {"ignore_labels": ["praise"]}},
        ),
    ],
)
def test_entities_are_counted_by_type_in_every_dialect(path: str, body: dict[str, object]) -> None:
    with client_of(WordTagger()) as client:
        assert client.post(path, json=body).status_code == 200
        found = samples(client)
    counts = {labels: value for (name, labels), value in found.items() if name == "bertline_predicted_total"}
    assert counts == {(("label", label), ("model", "reviews")): 2 for label in ("blame", "praise")}
    assert found["bertline_confidence_count", (("model", "reviews"),)] == 4
    assert found["bertline_confidence_sum", (("model", "reviews"),)] == pytest.approx(4 * (e**4 + 1) / (e**4 + 4))


@pytest.mark.parametrize(
    ("labels", "counts"),
    [(("negative", "positive"), {"negative": 1, "positive": 2}), (("a", "b", "c"), {"a": 0, "b": 1, "c": 0})],
)
def test_of_several_labels_each_that_reaches_its_threshold_is_counted(
    labels: tuple[str, ...], counts: dict[str, int]
) -> None:
    """The first text has both labels of two at 0.5, and none of three; the second always has one."""
    with client_of(WordCounter(labels, several=True)) as client:
        predictions = client.post("/v1/predict", json={"texts": ["good bad", "good"]}).json()["predictions"]
        found = samples(client)
    given = Counter(label for one in predictions for label in one["labels"])
    assert {label: given[label] for label in labels} == counts
    model = ("model", "reviews")
    assert {one: found["bertline_predicted_total", (("label", one), model)] for one in labels} == counts
    assert found["bertline_confidence_count", (model,)] == sum(counts.values())


@pytest.mark.parametrize(
    ("model", "labels"), [(WordCounter, {"negative", "positive"}), (WordTagger, {"praise", "blame"})]
)
def test_every_label_and_type_is_there_before_the_first_answer(model: type[WordCounter], labels: set[str]) -> None:
    with client_of(model()) as client:
        found = samples(client)
    counts = {dict(one)["label"]: value for (name, one), value in found.items() if name == "bertline_predicted_total"}
    assert counts == dict.fromkeys(labels, 0)


def test_a_refused_request_is_counted_by_its_code(client: TestClient) -> None:
    client.post("/v1/predict", json={"text": ""})
    assert samples(client)["bertline_problems_total", (("code", "empty_text"),)] == 1


def test_an_invented_path_creates_no_series(client: TestClient) -> None:
    for number in range(3):
        client.get(f"/made-up-{number}")
    routes = {dict(labels).get("route") for name, labels in samples(client) if name == "bertline_http_requests_total"}
    assert not any("made-up" in str(route) for route in routes)
    assert "other" in routes


def test_no_text_is_in_the_metrics(client: TestClient) -> None:
    client.post("/v1/predict", json={"text": "canary-5f1c good"})
    client.post("/v1/predict", json={"canary-5f1c": 1})
    assert "canary-5f1c" not in client.get("/metrics").text
