"""Explanations over HTTP, by the server's own workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from bertline.explanation.counter import NO_FILLER
from bertline.explanation.explain import explain
from bertline.explanation.settings import ExplainSettings
from bertline.inference import load_predictor
from bertline.service import ServeSettings
from bertline.serving.scheduler import Scheduler
from bertline.testing.tiny import write_tiny_bundle
from bertline.testing.words import WordCounter, WordFiller, WordTagger
from tests.service.live import live, warm
from tests.service.spawn import spawned

TEXT = "I didn't like the film, but it's good."


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models = {"reviews": WordCounter(), "pairs": WordCounter(("no", "yes"), pairs=True, name="pairs", max_tokens=32)}
    models["tagger"] = WordTagger()
    models["filler"] = WordFiller(scores=(14, 12))
    models["embedder"] = WordCounter((), name="embedder", task={"task": "embed"})
    with live(models, ServeSettings(drain_s=0)) as one:
        yield warm(one).rstrip("/")


def asked(url: str, **body: Any) -> dict[str, Any]:
    answer = httpx.post(f"{url}/v1/explain", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_words_speak_for_and_against(url: str) -> None:
    found = asked(url, text="a good good bad film", model="reviews", label="positive", method="leave-one-out")
    assert [word["text"] for word in found["words"]] == ["a", "good", "good", "bad", "film"]
    shares = [word["share"] for word in found["words"]]
    assert shares[1] == shares[2] > 0 > shares[3]
    assert shares[0] == shares[4] == 0
    assert found["model"]["name"] == "reviews"


def test_shares_add_up_and_are_the_same_again(url: str) -> None:
    found = asked(url, text=TEXT, model="reviews", budget=60)
    assert sum(word["share"] for word in found["words"]) + found["base"] == pytest.approx(found["value"], abs=1e-6)
    assert found["answers"] <= 60
    assert asked(url, text=TEXT, model="reviews", budget=60) == found


def test_both_texts_of_a_pair_have_shares(url: str) -> None:
    found = asked(url, text="good film", text_pair="bad", model="pairs")
    assert [(word["text"], word["side"]) for word in found["words"]] == [("good", 0), ("film", 0), ("bad", 1)]


def test_the_label_of_a_span_is_explained(url: str) -> None:
    found = asked(url, text="a bad good film", model="tagger", label="praise", method="leave-one-out")
    assert (found["label"], found["span"]) == ("praise", {"start": 6, "end": 10})
    assert [word["share"] > 1 for word in found["words"]] == [False, False, True, False]
    assert asked(url, text="a bad good film", model="tagger")["span"] == {"start": 2, "end": 5}
    assert asked(url, text="a bad", model="tagger", label="praise", span={"start": 2, "end": 5})["shown"] < 0.1


def test_the_fewest_words_that_turn_the_label(url: str) -> None:
    found = asked(url, text="a good good bad bad bad film", model="reviews", counter=True)["counter"]
    assert (found["label"], found["turned"]) == ("negative", "positive")
    assert {word["text"] for word in found["words"]} == {"bad"}
    assert found["least"]
    assert asked(url, text=found["texts"][0], model="reviews")["label"] == "positive"
    assert asked(url, text="a good film", model="reviews")["counter"] is None


def test_words_that_act_together(url: str) -> None:
    found = asked(url, text="a good, good bad film", model="reviews", phrases=True, method="leave-one-out")
    (first,) = found["phrases"]
    assert first["text"] == "good … good"
    assert [(word["start"], word["end"]) for word in first["words"]] == [(2, 6), (8, 12)]
    other = asked(url, text="a , bad film", model="reviews", label=found["label"], method="leave-one-out")
    assert first["share"] == pytest.approx(found["value"] - other["value"], abs=1e-5), "one answer without the phrase"
    alone = [word["alone"] for word in first["words"]]
    assert first["beyond"] == pytest.approx(first["share"] - sum(alone), abs=1e-9)
    assert alone == [word["share"] for word in found["words"] if word["text"] == "good"]
    assert asked(url, text="a good film", model="reviews")["phrases"] is None


def test_other_words_turn_the_label(url: str) -> None:
    body = {"text": "a bad film", "model": "reviews", "replacements": "filler"}
    found = asked(url, **body)["counter"]
    assert (found["label"], found["turned"], found["how"], found["why"]) == ("negative", "positive", "replace", None)
    assert (found["before"], found["texts"]) == (["a bad film"], ["a good film"])
    (word,) = found["words"]
    assert (word["text"], word["replacement"], word["start"], word["end"]) == ("bad", "good", 2, 5)
    assert 0 < word["probability"] < 1
    assert found["proposals"] == 3, "one for each word"
    assert asked(url, **body)["counter"] == found
    assert asked(url, text=found["texts"][0], model="reviews")["shown"] == pytest.approx(found["shown"], abs=1e-6)


def test_where_words_do_not_turn_it_they_are_left_out(url: str) -> None:
    found = asked(url, text="a good good bad bad bad film", model="reviews", counter=True)["counter"]
    assert (found["how"], found["why"]) == ("delete", NO_FILLER)
    assert [word["replacement"] for word in found["words"]] == [None] * len(found["words"])


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"text": "good", "model": "reviews", "label": "great"}, 422, "label must be one of "),
        (
            {"text": "good", "text_pair": "bad", "model": "reviews"},
            422,
            "reviews reads single texts: send no text_pair.",
        ),
        ({"text": "good", "model": "pairs"}, 422, "pairs reads pairs of texts: send the second one in text_pair."),
        ({"text": "good", "model": "embedder"}, 422, "Answers of the task embed cannot be explained"),
        ({"text": "good " * 40, "model": "reviews", "budget": 8}, 422, "A budget of 8 answers is too small"),
        ({"text": "good", "model": "reviews", "budget": 4}, 422, "budget must be at least 8."),
        ({"text": "good", "model": "reviews", "budget": 4_000}, 422, "budget must be at most 2000."),
        ({"text": "good", "model": "tagger", "counter": True}, 422, "Counter-evidence is for classifiers"),
        ({"text": "good", "model": "reviews", "replacements": "pairs"}, 422, "pairs fills in no words, its task is"),
        ({"text": "a [MASK]", "model": "reviews", "replacements": "filler"}, 422, "The text has [MASK], which the"),
        ({"text": "good", "model": "reviews", "replacements": "none"}, 404, "There is no model of that name"),
        ({"text": "good", "model": "reviews", "method": "integrated-gradients"}, 422, "method must be 'linear', "),
        ({"text": "good", "model": "reviews", "method": "lime"}, 422, "method must be 'linear', 'shapley', "),
        ({"text": "a film", "model": "tagger"}, 422, "The model finds no entity in the text"),
        ({"text": "good", "model": "reviews", "span": {"start": 0, "end": 4}}, 422, "A span is for taggers"),
        ({"text": "good", "model": "tagger", "span": {"start": 0}}, 422, "span.end is missing"),
        ({"text": " ", "model": "reviews"}, 422, "The text has no word that the model reads"),
        ({"text": "good", "model": "other"}, 404, "There is no model of that name"),
    ],
)
def test_what_cannot_be_explained(url: str, body: dict[str, Any], status: int, message: str) -> None:
    answer = httpx.post(f"{url}/v1/explain", json=body)
    assert (answer.status_code, message in answer.text) == (status, True), answer.text
    assert "great" not in answer.text


def test_a_deadline_ends_it(url: str) -> None:
    answer = httpx.post(
        f"{url}/v1/explain",
        json={"text": "good film " * 15, "model": "reviews", "budget": 2_000},
        headers={"X-Request-Timeout-Ms": "20"},
    )
    assert answer.status_code == 504, answer.text


def test_it_waits_while_requests_wait(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scheduler, "waiting", True)
    body, soon = {"text": "good", "model": "reviews"}, {"X-Request-Timeout-Ms": "200"}
    answer = httpx.post(f"{url}/v1/explain", json=body, headers=soon)
    assert answer.status_code == 504
    assert "busy with other requests" in answer.text
    assert httpx.post(f"{url}/v1/predict", json=body).status_code == 200


def test_an_explanation_is_no_prediction(url: str) -> None:
    """Of the answers that it takes, none is counted as a text that a client sent, and predictions go on meanwhile."""
    before = counted(url)
    with ThreadPoolExecutor(4) as pool:
        explained = pool.submit(asked, url, text=TEXT, model="reviews", budget=1_500)
        answers = [
            pool.submit(httpx.post, f"{url}/v1/predict", json={"text": "good", "model": "reviews"}) for _ in range(20)
        ]
        assert {one.result().status_code for one in answers} == {200}
        assert explained.result()["answers"] > 100
    assert counted(url) - before == 20


def counted(url: str) -> int:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("bertline_texts_total{"))


def test_a_real_server_explains_as_the_library(tmp_path: Path) -> None:
    bundle = tmp_path / "reviews"
    write_tiny_bundle(bundle, engine=True)
    with spawned(str(bundle)) as server:
        found = asked(warm(server.url).rstrip("/"), text="a good film", budget=40)
    own = explain(load_predictor(bundle), "a good film", ExplainSettings(budget=40)).to_json()
    assert [word["text"] for word in found["words"]] == [word["text"] for word in own["words"]]
    assert [word["share"] for word in found["words"]] == pytest.approx(
        [word["share"] for word in own["words"]], abs=1e-5
    )
