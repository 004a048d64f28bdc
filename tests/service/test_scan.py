"""Models scanned over HTTP, by the server's own workers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from bertline.lifecycle.gate.behaviour import passes, read_cases
from bertline.lifecycle.probes import scan as module
from bertline.lifecycle.probes.change import Probe
from bertline.lifecycle.probes.scan import scan
from bertline.lifecycle.probes.settings import ProbeSettings
from bertline.service import ServeSettings
from bertline.service.guard.client import Scope
from bertline.service.guard.scopes import required_scopes
from bertline.serving.scheduler import Scheduler
from bertline.serving.serving import Serving
from bertline.serving.version import Version
from bertline.testing.words import WordCounter, WordRanker, WordTagger
from bertline.text import Input
from tests.service.live import live, warm
from tests.service.probed import Brittle

TEXTS = ["It is not far from London.", "🙂 I don't know anything, and Amanda does", "good"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models = {"reviews": Brittle(max_tokens=64), "tagger": WordTagger(), "ranker": WordRanker(max_tokens=32)}
    models["embedder"] = WordCounter((), name="embedder", task={"task": "embed"})
    with live(models, ServeSettings(drain_s=0, max_batch_texts=8)) as one:
        yield warm(one).rstrip("/")


def scanned(url: str, **body: Any) -> dict[str, Any]:
    answer = httpx.post(f"{url}/v1/scan", json={"model": "reviews", **body}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def test_what_a_server_finds_is_what_the_library_finds(url: str) -> None:
    found = scanned(url, texts=TEXTS, passed=True)
    own = scan(Brittle(max_tokens=64).model()._predictor, TEXTS, ProbeSettings()).to_json(passed=True)
    model = found.pop("model")
    assert model["name"] == "reviews"
    assert found == own
    assert found["answers"] > 20
    assert {one["name"] for one in found["probes"] if one["failed"]} >= {"ain't", "end mark", "clause added"}


def test_the_gate_reads_what_broke(url: str, tmp_path: Path) -> None:
    found = scanned(url, texts=TEXTS)
    assert found["passed"] == []
    path = tmp_path / "broken.jsonl"
    path.write_text("".join(f"{httpx.Response(200, json=one).text}\n" for one in found["cases"]), encoding="utf-8")
    predictor = Brittle(max_tokens=64).model()._predictor
    assert passes(read_cases(str(path), predictor.spec), predictor) == [False] * len(found["cases"])
    assert len(found["cases"]) >= 5


def test_broken_texts_have_marks_and_both_answers(url: str) -> None:
    (probe,) = scanned(url, texts=TEXTS, probes=["ain't"])["probes"]
    (one,) = probe["broken"]
    assert (probe["texts"], probe["failed"], one["index"], one["label"]) == (1, 1, 0, None)
    assert one["before"]["marks"] == [[[3, 9]]]
    assert one["after"]["texts"] == ["It ain't far from London."]
    assert {one["before"]["answer"], one["after"]["answer"]} == {"negative", "positive"}
    assert probe["rate"]["low"] < probe["rate"]["value"] == 1.0


def test_probes_of_a_model_are_listed(url: str) -> None:
    names = {}
    for model in ("reviews", "tagger", "ranker"):
        listed = httpx.get(f"{url}/v1/scan", params={"model": model}).json()
        assert listed["model"]["name"] == model
        names[model] = [one["name"] for one in listed["probes"]]
    assert len(names["reviews"]) == 20
    assert names["tagger"] == names["ranker"] == names["reviews"][:-3]


def test_a_ranker_reads_pairs(url: str) -> None:
    pairs = [{"text": "who sings", "text_pair": "a good film, and it isn't bad"}]
    found = scanned(url, model="ranker", texts=pairs, probes=["ain't"])
    assert found["probes"][0]["texts"] == 1
    assert scanned(url, model="tagger", texts=["a good film isn't"], probes=["dialects"])["texts"] == 1


@pytest.mark.parametrize(
    ("body", "status", "field", "message"),
    [
        ({"texts": []}, 422, "texts", "texts is an empty list: send at least one text."),
        ({"texts": ["a"] * 9}, 422, "texts", "texts has 9 texts and the limit is 8"),
        ({"texts": [" "]}, 422, "text", "There is no text that the model reads"),
        ({"texts": ["a"], "probes": ["typo"]}, 422, "probes", "There is no probe 'typo': choose groups"),
        ({"texts": ["a"], "model": "tagger", "probes": ["opinion"]}, 422, "probes", "The probe opinion says nothing"),
        ({"texts": ["a"], "model": "embedder"}, 422, "text", "Models of the task embed cannot be probed"),
        ({"texts": ["a"], "model": "ranker"}, 422, "texts", "ranker reads pairs of texts: send them as {text, "),
        ({"texts": [{"text": "a", "text_pair": "b"}]}, 422, "texts", "reviews reads single texts: send no pairs."),
        ({"texts": ["a"], "budget": 7}, 422, "budget", "budget must be at least 8."),
        ({"texts": ["a"], "budget": 2_001}, 422, "budget", "budget must be at most 2000."),
        ({"texts": ["a", 1]}, 422, "texts[1]", "texts[1] must be a text, or a pair"),
        ({"texts": ["a"], "model": "other"}, 404, "model", "There is no model of that name"),
    ],
)  # fmt: skip
def test_what_cannot_be_scanned(url: str, body: dict[str, Any], status: int, field: str, message: str) -> None:
    answer = httpx.post(f"{url}/v1/scan", json={"model": "reviews", **body})
    assert (answer.status_code, message in answer.text) == (status, True), answer.text
    assert answer.json()["error"]["field"] == field


def test_a_scan_that_would_take_more_than_its_budget_is_refused_before_its_first_answer(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = scanned(url, texts=TEXTS)["answers"]
    assert scanned(url, texts=TEXTS, budget=needed)["answers"] == needed
    asked: list[int] = []
    look = Serving.look

    async def counted(self: Serving, version: Version, inputs: Sequence[Input], *rest: Any) -> Any:
        asked.append(len(inputs))
        return await look(self, version, inputs, *rest)

    monkeypatch.setattr(Serving, "look", counted)
    answer = httpx.post(f"{url}/v1/scan", json={"model": "reviews", "texts": TEXTS, "budget": needed - 1})
    assert answer.status_code == 422
    assert answer.json()["error"] == {
        "code": "out_of_range",
        "message": f"This scan needs more than {needed - 1} answers, its budget: give fewer texts or probes, or raise "
        "the budget.",
        "field": "budget",
    }
    assert asked == []
    scanned(url, texts=TEXTS, budget=needed)
    assert sum(asked) == needed  # so the counting counts


def test_texts_are_changed_until_the_deadline_only(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[str] = []

    def slow(_model: Any, probe: Probe, *_rest: Any) -> list[Any]:
        changes.append(probe.name)
        time.sleep(0.5)
        return []

    monkeypatch.setattr(module, "_change", slow)
    body, soon = {"texts": TEXTS, "model": "reviews"}, {"X-Request-Timeout-Ms": "1000"}
    answer = httpx.post(f"{url}/v1/scan", json=body, headers=soon, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline"), answer.text
    assert answer.json()["error"]["message"].startswith("The texts were not changed before the deadline: send fewer")
    assert 1 <= len(changes) <= 3


def test_models_that_cannot_be_probed_have_no_probes(url: str) -> None:
    answer = httpx.get(f"{url}/v1/scan", params={"model": "embedder"})
    assert answer.status_code == 422
    assert "Models of the task embed cannot be probed: use a classifier, a tagger or a ranker." in answer.text


def test_it_waits_while_requests_wait_and_is_no_prediction(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted() -> int:
        lines = httpx.get(f"{url}/metrics").text.splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith("bertline_texts_total{"))

    before = counted()
    assert scanned(url, texts=TEXTS)["answers"] > 20
    assert counted() == before
    monkeypatch.setattr(Scheduler, "waiting", True)
    body, soon = {"texts": ["good"], "model": "reviews"}, {"X-Request-Timeout-Ms": "200"}
    answer = httpx.post(f"{url}/v1/scan", json=body, headers=soon)
    assert (answer.status_code, "busy with other requests" in answer.text) == (504, True)


def test_it_has_the_scope_of_explanations() -> None:
    assert required_scopes("/v1/scan") == frozenset({Scope.EXPLAIN})
