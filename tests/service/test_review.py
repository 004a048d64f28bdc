"""Texts for people who label, over HTTP."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from bertline.service.app import create_app
from bertline.service.guard.client import Scope
from bertline.service.guard.scopes import required_scopes
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.test_feedback import keeping, said, settled

TEXTS = ["good bad", "good good bad", "a good film", "a bad film", "so so"]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with keeping(WordCounter(), tmp_path, text=True) as (client, writer):
        client.post("/v1/predict", json={"texts": TEXTS}, headers={"X-Request-Id": "r"})
        settled(writer)
        yield client


def handed(client: TestClient, annotator: str, limit: int = 2, **body: Any) -> list[dict[str, Any]]:
    answer = client.post("/v1/review", json={"annotator": annotator, "limit": limit, **body})
    assert answer.status_code == 200, answer.text
    assert answer.json()["source"] == "review"
    found: list[dict[str, Any]] = answer.json()["texts"]
    return found


def label(client: TestClient, one: dict[str, Any], correct: str, annotator: str) -> dict[str, Any]:
    item = {"request_id": one["request_id"], "index": one["index"], "correct": correct, "annotator": annotator}
    [outcome] = said(client, {**item, "source": "review"})
    return outcome


def test_two_people_get_different_texts_the_least_sure_first(client: TestClient) -> None:
    mine, theirs = handed(client, "ana"), handed(client, "bo", 5)
    assert {tuple(one["texts"]) for one in mine} == {("good bad",), ("so so",)}
    assert len(theirs) == 3
    assert not {one["id"] for one in mine} & {one["id"] for one in theirs}
    assert {one["why"] for one in mine} == {"unsure"}
    assert mine[0]["answer"] in ("negative", "positive")
    assert handed(client, "ana") == mine
    assert handed(client, "ana", holding=[one["id"] for one in mine]) == []


def test_texts_unlike_those_that_the_model_was_measured_on_come_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = tuple(f"a good film with number {place} of a story" for place in range(30))
    foreign = [f"good card payment refused by bank {place}" for place in range(4)]
    monkeypatch.setattr("bertline.lifecycle.predictions.foreign.reference_texts", lambda bundle: films)
    with keeping(WordCounter(max_tokens=32), tmp_path, text=True) as (client, writer):
        client.post("/v1/predict", json={"texts": [*films, *foreign]})
        settled(writer)
        first, *_ = handed(client, "ana", 1)
        assert (first["why"], first["texts"][0] in foreign) == ("foreign", True)
        assert client.get("/v1/review").json()["waiting"]["foreign"] >= 1


def test_a_label_takes_a_text_out_and_withdrawing_puts_it_back(client: TestClient) -> None:
    first, *_ = handed(client, "ana", 1)
    assert label(client, first, "positive", "ana")["status"] == "counted"
    assert first not in handed(client, "ana", 5)
    assert client.get("/v1/review").json()["annotators"] == [{"name": "ana", "texts": 1}]
    own = {"request_id": first["request_id"], "index": first["index"], "source": "review", "annotator": "ana"}
    answer = client.post("/v1/feedback/withdraw", json=own)
    assert answer.json() == {"withdrawn": True}
    assert client.post("/v1/feedback/withdraw", json=own).json() == {"withdrawn": False}
    assert first in handed(client, "ana", 5)
    assert client.get("/v1/review").json()["labelled"] == 0


def test_a_skipped_text_is_for_others(client: TestClient) -> None:
    first, *_ = handed(client, "ana", 1)
    answer = client.post("/v1/review/skip", json={"annotator": "ana", "id": first["id"]})
    assert answer.json() == {"skipped": True}
    assert first not in handed(client, "ana", 5, holder="another page")
    assert first in handed(client, "bo", 5)


def test_how_labelling_goes(client: TestClient) -> None:
    assert client.get("/v1/review").json() == {
        "model": "reviews",
        "keeps_texts": True,
        "client": None,
        "waiting": {"unsure": 5},
        "labelled": 0,
        "annotators": [],
        "shared": 0,
        "same": 0,
        "agreement": None,
        "more_labels": None,
    }


def test_the_labelled_texts_are_a_table(client: TestClient) -> None:
    answer = client.get("/v1/review/labels.csv")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "No text of reviews that was kept has a label yet."
    for one in handed(client, "ana", 2):
        label(client, one, "positive", "ana")
    answer = client.get("/v1/review/labels.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="labels.csv"' in answer.headers["content-disposition"]
    rows = [*csv.DictReader(io.StringIO(answer.text))]
    assert {(row["text"], row["label"]) for row in rows} == {("good bad", "positive"), ("so so", "positive")}


def test_a_sample_of_the_texts_that_were_kept(client: TestClient) -> None:
    assert sorted(client.get("/v1/review/texts").json()["texts"]) == sorted(TEXTS)
    some = client.get("/v1/review/texts", params={"limit": 2}).json()["texts"]
    assert len(some) == 2
    assert {*some} < {*TEXTS}
    answer = client.get("/v1/review/texts", params={"limit": 0})
    assert (answer.status_code, answer.json()["error"]["message"]) == (422, "limit must be at least 1.")


def test_a_server_without_a_store_says_so() -> None:
    words = "This server keeps no predictions, so there is nothing to label: start it with --predictions-url."
    app = create_app(serving_of({"reviews": WordCounter()}))
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)) as client:
        answer = until_ready(client).get("/v1/review")
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == words


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/review", {}, "annotator"),
        ("/v1/review", {"annotator": "ana", "lable": "x"}, "lable"),
        ("/v1/review", {"annotator": ""}, "annotator"),
        ("/v1/review", {"annotator": "ana", "limit": 51}, "limit"),
        ("/v1/review", {"annotator": "ana", "holding": ["x"]}, "holding[0]"),
        ("/v1/review/skip", {"annotator": "ana"}, "id"),
        ("/v1/feedback/withdraw", {"request_id": ""}, "request_id"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    client: TestClient, path: str, body: dict[str, Any], field: str
) -> None:
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field), answer.text


def test_texts_are_shown_to_this_machine_or_with_a_scope_of_their_own(client: TestClient) -> None:
    for path in ("/v1/review", "/v1/review/skip", "/v1/review/texts", "/v1/review/labels.csv"):
        assert required_scopes(path) == frozenset({Scope.REVIEW})
    assert required_scopes("/v1/feedback/withdraw") == frozenset({Scope.FEEDBACK})
    answer = client.get("/v1/review", headers={"X-Forwarded-For": "203.0.113.7"})
    assert answer.status_code == 403
    assert "use 127.0.0.1 there, or an API key with the scope review" in answer.json()["error"]["message"]


def test_while_the_store_is_away_it_says_when_to_ask_again(tmp_path: Path) -> None:
    with keeping(WordCounter(), tmp_path, url=f"postgresql://ana@/none?host={tmp_path}") as (client, _):
        answer = client.get("/v1/review")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json()["error"]["message"] == "The store of predictions cannot be used now: try again later."
