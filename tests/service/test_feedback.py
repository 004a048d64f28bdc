"""POST /v1/feedback, and what the store has of the answers that it is about."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sql
from starlette.testclient import TestClient

from bertline.bundle import load
from bertline.bundle.store import VERSION_DIGITS
from bertline.database.database import Database
from bertline.lifecycle.predictions import figures, reader
from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck, add_accuracy_check
from bertline.lifecycle.predictions.checks import DriftCheck, add_check
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.records import now_ms
from bertline.lifecycle.predictions.schema import FEEDBACK, PREDICTIONS
from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.lifecycle.predictions.store import open_store
from bertline.lifecycle.predictions.writer import PredictionWriter
from bertline.monitoring.metrics.registry import samples_of
from bertline.registry.rollout import Tally
from bertline.service import feedback_desk, shared_reads
from bertline.service.app import create_app
from bertline.service.guard.client import Scope
from bertline.service.guard.scopes import required_scopes
from bertline.service.perimeter import Perimeter
from bertline.serving.trial import Trial
from bertline.testing.words import WordCounter, WordFiller, WordRanker, WordTagger, serving_of
from tests.service.conftest import until_ready


@contextmanager
def keeping(model: Any, folder: Path, **settings: Any) -> Iterator[tuple[TestClient, PredictionWriter]]:
    """A server of one model that keeps predictions."""
    url = settings.pop("url", f"sqlite:///{folder / 'predictions.db'}")
    with PredictionWriter(PredictionSettings(url=url, **settings)) as writer:
        perimeter = Perimeter(predictions=writer)
        app = create_app(serving_of({model.name: model}), perimeter)
        with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)) as client:
            yield until_ready(client), writer


def settled(writer: PredictionWriter) -> None:
    deadline_s = time.monotonic() + 30
    while writer.waiting or not writer.written:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def rows(writer: PredictionWriter) -> list[Any]:
    settled(writer)
    with writer.store.reading() as connection:
        return list(connection.execute(sql.select(PREDICTIONS).order_by(PREDICTIONS.c.item)))


def said(client: TestClient, *items: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post("/v1/feedback", json={"items": items})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def each_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_reads, "SHARED_S", 0.0)
    monkeypatch.setattr(feedback_desk, "SHARED_TIMES", 0)


def test_feedback_on_one_text_of_a_request(tmp_path: Path) -> None:
    with keeping(WordCounter(), tmp_path) as (client, writer):
        asked = client.post("/v1/predict", json={"texts": ["good", "bad"]}, headers={"X-Request-Id": "order-7"})
        assert asked.headers["X-Request-Id"] == "order-7"
        settled(writer)
        first, second = said(
            client,
            {"request_id": "order-7", "correct": "positive"},
            {"request_id": "order-7", "index": 1, "correct": "positive", "source": "desk", "annotator": "ana"},
        )
        version = asked.json()["model"]
        assert first.pop("age_s") < 60
        assert first == {"request_id": "order-7", "index": 0, "status": "counted", "model": version, "right": True}
        assert (second["status"], second["right"]) == ("counted", False)
        answer = client.post(
            "/v1/feedback",
            json={
                "items": [
                    {"request_id": "order-7", "correct": "positive"},
                    {"request_id": "order-7", "index": 1, "correct": "negative"},
                    {"request_id": "order-7", "index": 2, "correct": "negative"},
                    {"request_id": "order-7", "correct": "neither"},
                    {"request_id": "order-7", "correct": "negative", "time": "2026-01-01T00:00:00+01:00"},
                ]
            },
        ).json()
        states = ["duplicate", "corrected", "unknown", "invalid", "superseded"]
        assert [one["status"] for one in answer["items"]] == states
        assert answer["counts"] == dict.fromkeys(states, 1)
        assert answer["items"][2]["message"] == "there is no such prediction (yet); kept for 7 days"
        metrics = client.get("/metrics").text
        assert 'bertline_feedback_total{status="counted"} 2.0' in metrics
        assert "bertline_predictions_written_total 2.0" in metrics


def test_the_metric_tells_the_live_accuracy_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "COUNTS_EVERY_S", 0.0)
    monkeypatch.setattr(reader, "AT_MOST", 1.0)
    each_read_anew(monkeypatch)
    with keeping(WordCounter(), tmp_path) as (client, writer):
        client.post("/v1/predict", json={"texts": ["good"] * 3}, headers={"X-Request-Id": "order-7"})
        settled(writer)

        def told(*labels: str, **more: str) -> dict[str, float]:
            """What the metric says once it has what the store has, after feedback with a label for each text."""
            items = [{"request_id": "order-7", "index": n, "correct": one, **more} for n, one in enumerate(labels)]
            assert client.post("/v1/feedback", json={"items": items}).status_code == 200
            return shown()

        def shown() -> dict[str, float]:
            live = {one["version"]: one for one in client.get("/v1/feedback").json()["versions"]}
            store = {(name, key): float(one[key]) for name, one in live.items() for key in ("right", "wrong")}
            deadline_s = time.monotonic() + 30
            while True:
                every = samples_of(client.get("/metrics").text)
                found = [(labels, value) for name, labels, value in every if name == "bertline_feedback_judged"]
                metric = {(labels["version"], labels["judged"]): value for labels, value in found}
                if metric == store:
                    return {judged: value for (_, judged), value in metric.items()}
                assert time.monotonic() < deadline_s, (metric, store)
                time.sleep(0.02)

        assert told("positive", "positive", "negative") == {"right": 2, "wrong": 1}
        assert told("positive", annotator="bo") == {"right": 2, "wrong": 1}  # agrees about the same prediction
        assert told("negative", "negative", annotator="cy") == {"right": 0, "wrong": 3}  # corrected
        taken_back = {"request_id": "order-7", "index": 0, "annotator": "cy"}
        assert client.post("/v1/feedback/withdraw", json=taken_back).json() == {"withdrawn": True}
        assert shown() == {"right": 1, "wrong": 2}
        with writer.store.changing() as connection:
            connection.execute(sql.delete(FEEDBACK))
        assert shown() == {}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/predict", {"text": "good"}),
        ("/predict", {"inputs": "good"}),
        ("/classify", {"input": "good"}),
        ("/", {"inputs": "good", "parameters": {}}),
        ("/models/reviews/pipeline/text-classification", {"inputs": "good"}),
        ("/v1/models/reviews:predict", {"instances": ["good"]}),
        ("/invocations", {"inputs": "good"}),
        (
            "/v2/models/reviews/infer",
            {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good"]}]},
        ),
    ],
)
def test_answers_of_every_dialect_have_the_id_that_feedback_names(path: str, body: Any, tmp_path: Path) -> None:
    with keeping(WordCounter(), tmp_path) as (client, writer):
        asked = client.post(path, json=body)
        assert asked.status_code == 200, asked.text
        settled(writer)
        [found] = said(client, {"request_id": asked.headers["X-Request-Id"], "correct": "positive"})
        assert (found["status"], found["right"]) == ("counted", True)


@pytest.mark.parametrize(
    ("model", "path", "body", "correct"),
    [
        (WordTagger(), "/v1/predict", {"text": "so good"}, [{"start": 3, "end": 7, "label": "praise"}]),
        (WordRanker(), "/rerank", {"query": "good", "texts": ["good"]}, 1),
        (WordFiller(), "/v1/predict", {"text": "a [MASK] film"}, None),
        (WordCounter(), "/v1/embeddings", {"input": "good"}, None),
    ],
    ids=["tag", "rank", "fill", "other output"],
)
def test_every_task_has_feedback(model: Any, path: str, body: Any, correct: Any, tmp_path: Path) -> None:
    with keeping(model, tmp_path) as (client, writer):
        asked = client.post(path, json=body)
        assert asked.status_code == 200, asked.text
        if path == "/v1/embeddings":  # of a classifier: no answer that could be right or wrong
            assert writer.waiting == writer.written == 0
            return
        settled(writer)
        if correct is None:
            correct = [one["tokens"][0]["token"] for one in asked.json()["predictions"][0]["masks"]]
        [found] = said(client, {"request_id": asked.headers["X-Request-Id"], "correct": correct})
        assert (found["status"], found["right"]) == ("counted", True), found


def test_nothing_of_the_text_is_kept_unless_it_is_asked_for(tmp_path: Path) -> None:
    with keeping(WordCounter(), tmp_path) as (client, writer):
        client.post("/v1/predict", json={"text": "good day to Annabella"})
        [row] = rows(writer)
        assert (row.texts, row.client, row.embedding) == (None, None, None)
    assert not [one for one in tmp_path.iterdir() if b"Annabella" in one.read_bytes()]


def test_texts_that_are_kept_are_redacted(tmp_path: Path) -> None:
    with keeping(WordCounter(), tmp_path, text=True) as (client, writer):
        client.post("/v1/predict", json={"text": "good, says ann@example.org"})
        [row] = rows(writer)
        assert (json.loads(row.texts), row.redacted) == (["good, says [email]"], True)


def test_embeddings_are_computed_after_the_answer(tmp_path: Path) -> None:
    with keeping(WordCounter(), tmp_path, embeddings=1.0) as (client, writer):
        client.post("/v1/predict", json={"texts": ["good bad good", "so"]})
        found = [np.frombuffer(row.embedding, dtype="<f4").tolist() for row in rows(writer)]
        assert [one[:2] for one in found] == [[2.0, 1.0], [0.0, 0.0]]


def test_the_latest_check_for_drift_is_among_the_metrics(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'predictions.db'}", create=True) as store:
        add_check(
            store,
            DriftCheck("reviews", 1_700_000_000_000, 500, "texts", {"answers": 0.002, "embeddings": 1}, 0.9, 0.05),
        )
    with keeping(WordCounter(), tmp_path) as (client, writer):
        client.post("/v1/predict", json={"text": "good"})
        settled(writer)
        lines = client.get("/metrics").text.splitlines()
    assert [one for one in lines if one.startswith("bertline_drift")] == [
        'bertline_drift_checked_timestamp_seconds{model="reviews"} 1.7e+09',
        'bertline_drift_found{kind="labels",model="reviews"} 0.0',
        'bertline_drift_found{kind="texts",model="reviews"} 1.0',
        'bertline_drift_p_value{model="reviews",test="answers"} 0.002',
        'bertline_drift_p_value{model="reviews",test="embeddings"} 1.0',
        'bertline_drift_estimated_accuracy{model="reviews"} 0.9',
    ]


def test_the_latest_test_of_accuracy_is_among_the_metrics_and_in_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each_read_anew(monkeypatch)
    model = WordCounter()
    digest, at_ms = load(model.bundle).manifest.checksum, now_ms() // 1000 * 1000
    calm = AccuracyCheck("reviews", "f" * 64, at_ms - 1, 900, 0.93, 0.92, dropped=False, since_ms=None)
    fell = AccuracyCheck("reviews", digest, at_ms, 640, 0.84, 0.92, dropped=True, since_ms=at_ms - 60_000)
    with open_store(f"sqlite:///{tmp_path / 'predictions.db'}", create=True) as store:
        add_accuracy_check(store, calm)
        add_accuracy_check(store, fell)
    with keeping(model, tmp_path) as (client, writer):
        client.post("/v1/predict", json={"text": "good"})
        settled(writer)
        lines = client.get("/metrics").text.splitlines()
        tested = client.get("/v1/feedback").json()["tested"]
        add_accuracy_check(writer.store, replace(calm, at_ms=at_ms + 1))  # of a version that does not answer here
        assert client.get("/v1/feedback").json()["tested"] is None
    version = f'model="reviews",version="{digest[:VERSION_DIGITS]}"'
    when, *figures = [one for one in lines if one.startswith("bertline_accuracy")]
    checked, at_s = when.split(" ")
    assert checked == 'bertline_accuracy_checked_timestamp_seconds{model="reviews"}'
    assert float(at_s) == at_ms / 1000
    assert figures == [
        f"bertline_accuracy_dropped{{{version}}} 1.0",
        f"bertline_accuracy_tested{{{version}}} 0.84",
        f"bertline_accuracy_expected{{{version}}} 0.92",
    ]
    assert tested == {
        "version": digest[:VERSION_DIGITS],
        "at": f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "labels": 640,
        "dropped": True,
        "since": f"{datetime.fromtimestamp(at_ms / 1000 - 60, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "accuracy": 0.84,
        "expected": 0.92,
    }


def test_a_server_without_a_store_says_so(client: TestClient) -> None:
    answer = client.post("/v1/feedback", json={"items": [{"request_id": "a", "correct": "positive"}]})
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == (
        "This server keeps no predictions, so it takes no feedback: start it with --predictions-url."
    )


@pytest.mark.parametrize(
    ("item", "status", "field", "words"),
    [
        ({"request_id": "a"}, 422, "items[0].correct", "correct"),
        ({"request_id": "a b", "correct": 1}, 422, "items[0].request_id", "send X-Request-Id of the response"),
        ({"request_id": "a", "correct": 1, "label": 2}, 422, "items[0].label", "label"),
        ({"request_id": "a", "correct": 1, "index": -1}, 422, "items[0].index", "index"),
        ({"request_id": "a", "correct": 1, "time": "yesterday"}, 422, "items[0].time", "in ISO 8601 with its zone"),
        ({"request_id": "a", "correct": 1, "time": "2026-01-01"}, 422, "items[0].time", "in ISO 8601 with its zone"),
        ({"request_id": "a", "correct": "x" * 20_000}, 422, "items[0].correct", "up to 16,384 bytes as JSON"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_whole(
    item: dict[str, Any], status: int, field: str, words: str, tmp_path: Path
) -> None:
    with keeping(WordCounter(), tmp_path) as (client, _):
        answer = client.post("/v1/feedback", json={"items": [item]})
        assert answer.status_code == status
        assert answer.json()["error"]["field"] == field
        assert words in answer.json()["error"]["message"]


def test_while_the_store_is_away_answers_are_given_and_feedback_is_refused_with_a_time(tmp_path: Path) -> None:
    with keeping(WordCounter(), tmp_path, url=f"postgresql://ana@/none?host={tmp_path}") as (client, writer):
        assert client.post("/v1/predict", json={"text": "good"}).status_code == 200
        answer = client.post("/v1/feedback", json={"items": [{"request_id": "a", "correct": "positive"}]})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "nothing was kept: send the same again later" in answer.json()["error"]["message"]
        deadline_s = time.monotonic() + 30
        while not writer.failing and time.monotonic() < deadline_s:
            time.sleep(0.01)
        metrics = client.get("/metrics").text
        assert "bertline_predictions_store_down 1.0" in metrics
        assert "bertline_predictions_waiting 1.0" in metrics


def test_feedback_has_a_scope_of_its_own() -> None:
    assert required_scopes("/v1/feedback") == frozenset({Scope.FEEDBACK})


def test_live_accuracy_of_each_version(tmp_path: Path) -> None:
    with keeping(WordCounter(), tmp_path) as (client, writer):
        assert client.get("/v1/feedback").json() == {"model": "reviews", "versions": [], "tested": None}
        asked = client.post("/v1/predict", json={"texts": ["good", "bad", "good"]}, headers={"X-Request-Id": "r"})
        settled(writer)
        said(client, *[{"request_id": "r", "index": place, "correct": "positive"} for place in range(3)])
        [found] = client.get("/v1/feedback", params={"model": "reviews"}).json()["versions"]
        assert (found["version"], found["right"], found["wrong"]) == (asked.json()["model"]["version"], 2, 1)
        assert found["accuracy"]["low"] < 2 / 3 < found["accuracy"]["high"]


def test_many_pages_share_one_count_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counting, counted, now_s = figures.counts, list[str](), 1000.0

    def slow(store: Database, model: str) -> Any:
        nonlocal now_s
        counted.append(model)
        now_s += 0.5
        return counting(store, model)

    monkeypatch.setattr(figures, "counts", slow)
    monkeypatch.setattr(shared_reads, "monotonic", lambda: now_s)
    with keeping(WordCounter(), tmp_path) as (client, writer):

        def shown(_: object = None) -> int:
            return sum(one["right"] for one in client.get("/v1/feedback").json()["versions"])

        with ThreadPoolExecutor(4) as pages:
            assert {*pages.map(shown, range(12))} == {0}
        assert counted == ["reviews"]
        client.post("/v1/predict", json={"text": "good"}, headers={"X-Request-Id": "r"})
        settled(writer)
        another = Feedback("r", "positive")
        with open_store(str(writer.settings.url)) as store:  # of another server
            receive(store, [another])
        now_s += 9.4  # 20 times as long as counting took, from its beginning
        assert (shown(), len(counted)) == (0, 1)
        now_s += 0.2
        assert (shown(), len(counted)) == (1, 2)
        said(client, {"request_id": "r", "correct": "negative"})  # to this server: counted at once
        assert (shown(), len(counted)) == (0, 3)


def test_what_is_asked_of_the_store_is_no_request_of_a_rollout(tmp_path: Path) -> None:
    """A challenger that is lost fails at each request that it is chosen for, and is rolled back for that."""
    with keeping(WordCounter(), tmp_path, text=True) as (client, _):
        models = client.app.state.serving.models  # type: ignore[attr-defined]
        one = models.current("reviews")
        trial = Trial(rollout=1, place=0, role="canary", share=1.0, champion=one, challenger=one, lost="gone")
        models.set_trial("reviews", trial)
        for path in ("feedback", "models/reviews/history", "review", "review/texts", "review/labels.csv"):
            assert client.get(f"/v1/{path}").status_code == (404 if path.endswith("csv") else 200), path
        assert client.post("/v1/review", json={"annotator": "ana"}).status_code == 200
        client.post("/v1/review/skip", json={"annotator": "ana", "id": "1"})
        assert trial.tally == Tally()
        client.post("/v1/predict", json={"text": "good"})
        assert trial.tally != Tally()


def test_every_response_has_a_request_id(client: TestClient) -> None:
    answers: list[Any] = [
        client.get("/"), client.get("/nowhere"), client.post("/v1/predict", content=b"{"), client.get("/livez")
    ]  # fmt: skip
    assert all(one.headers["X-Request-Id"] for one in answers)
