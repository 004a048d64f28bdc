"""A model with two live versions over the real app: shadow, canary, watch, and the champion that steps in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sql
from starlette.testclient import TestClient

from bertline.lifecycle.predictions.schema import PREDICTIONS
from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.lifecycle.predictions.writer import PredictionWriter
from bertline.registry.rollout import Role
from bertline.service.app import create_app
from bertline.service.perimeter import Perimeter
from bertline.serving.listeners import Listener
from bertline.serving.serving import Serving
from bertline.serving.trial import Trial
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready
from tests.service.limited import app_of, limits_of

ANOTHER = 30  # keys


class Scene:
    """The real app around a champion and a challenger, whose trial the test sets."""

    def __init__(self, client: TestClient, serving: Serving, challenger: WordCounter) -> None:
        self.client, self.serving, self.new = client, serving, challenger
        self.old = serving.models.current("reviews").version

    def begin(self, role: Role, share: float = 0.0, **more: float) -> Trial:
        models = self.serving.models

        async def begin() -> Trial:
            challenger = await models.challenge("reviews", self.new.bundle)
            assert challenger is not None
            trial = Trial(
                rollout=1, place=0, role=role, share=share, champion=models.current("reviews"),
                challenger=challenger, **more,
            )  # fmt: skip
            models.set_trial("reviews", trial)
            return trial

        assert self.client.portal is not None
        return self.client.portal.call(begin)

    def ask(self, text: str = "good", key: str = "ana") -> str:
        answer = self.client.post("/v1/predict", json={"text": text}, headers={"X-Rollout-Key": key})
        assert answer.status_code == 200, answer.text
        version: str = answer.headers["X-Model-Version"]
        assert answer.json()["model"]["version"] == version
        return version

    def until(self, true: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + 30
        while not true():
            assert time.monotonic() < deadline_s
            time.sleep(0.005)


@pytest.fixture
def new() -> WordCounter:
    return WordCounter(max_tokens=17)


@pytest.fixture
def scene(model: WordCounter, new: WordCounter) -> Iterator[Scene]:
    serving = serving_of({"reviews": model}, later=[new])
    with TestClient(create_app(serving)) as client:
        yield Scene(until_ready(client), serving, new)


def test_a_shadow_computes_what_was_answered_and_never_answers(scene: Scene) -> None:
    tally = scene.begin("shadow").tally
    assert {scene.ask(key=str(key)) for key in range(ANOTHER)} == {scene.old}
    scene.until(lambda: tally.compared + tally.dropped == ANOTHER)
    assert (tally.disagreed, tally.champion_requests, tally.challenger_errors) == (0, ANOTHER, 0)
    assert tally.challenger_requests == tally.compared > 0


def test_a_shadow_that_fails_costs_no_request(scene: Scene, new: WordCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    from bertline.serving.process import ComputeFailed

    tally = scene.begin("shadow").tally
    monkeypatch.setattr(new, "check", lambda batch: (_ for _ in ()).throw(ComputeFailed("broken")))
    assert {scene.ask() for _ in range(5)} == {scene.old}
    scene.until(lambda: tally.challenger_errors == 5)


def test_answers_that_differ_are_counted(scene: Scene, new: WordCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = WordCounter.compute
    monkeypatch.setattr(new, "compute", lambda output, batch: -compute(new, output, batch))
    tally = scene.begin("shadow").tally
    for _ in range(4):
        scene.ask("good good")
    scene.until(lambda: tally.compared == 4)
    assert tally.disagreed == 4
    assert tally.shift > 2


def test_a_client_stays_with_its_version_and_none_goes_back_as_the_share_grows(scene: Scene) -> None:
    keys = [f"user-{number}" for number in range(200)]
    before: set[str] = set()
    for share in (0.05, 0.25, 0.5):
        trial = scene.begin("canary", share, compare=0.0)
        got = {key for key in keys if scene.ask(key=key) == trial.challenger.version}
        assert before <= got
        assert abs(len(got) / len(keys) - share) < 0.1
        assert {key for key in keys if scene.ask(key=key) == trial.challenger.version} == got
        before = got


def test_where_a_challenger_fails_the_champion_answers(scene: Scene, new: WordCounter) -> None:
    tally = scene.begin("canary", 1.0, compare=0.0).tally
    assert scene.ask("good") != scene.old
    new.check = lambda batch: (_ for _ in ()).throw(ZeroDivisionError())  # type: ignore[method-assign]
    assert scene.ask("good") == scene.old
    answer = scene.client.post("/v1/predict?x", json={"text": "good"}, headers={"X-Request-Timeout-Ms": "5000"})
    assert (answer.status_code, answer.headers["X-Model-Version"]) == (200, scene.old)
    assert (tally.challenger_requests, tally.challenger_errors) == (3, 2)
    assert tally.champion_requests == 2


def test_a_request_that_the_champion_answers_after_all_is_charged_once(new: WordCounter) -> None:
    serving = serving_of({"reviews": WordCounter()}, later=[new])
    limits = limits_of(tokens_per_minute=1_000, tokens_per_day=1_000)
    with TestClient(app_of(serving, limits), client=("192.0.2.1", 50_000)) as client:
        scene = Scene(until_ready(client), serving, new)
        scene.begin("canary", 1.0, compare=0.0)
        new.check = lambda batch: (_ for _ in ()).throw(ZeroDivisionError())  # type: ignore[method-assign]
        for texts, left in ((["good good"], 996), (["good"] * 3, 987)):  # with [CLS] and [SEP]
            answer = client.post("/v1/predict", json={"texts": texts})
            assert answer.headers["X-Model-Version"] == scene.old
            assert f'"tokens-per-minute";r={left};' in answer.headers["RateLimit"]
            assert f'"tokens-per-day";r={left};' in answer.headers["RateLimit"]


def test_a_challenger_without_a_process_answers_nothing(scene: Scene, new: WordCounter) -> None:
    trial = scene.begin("canary", 1.0)
    trial.lost = "gone"
    assert scene.ask() == scene.old
    assert trial.tally.challenger_errors == 1


def test_faults_of_requests_are_nobodys(scene: Scene) -> None:
    tally = scene.begin("canary", 1.0).tally
    assert scene.client.post("/v1/predict", json={"text": ""}).status_code == 422
    assert (tally.challenger_requests, tally.champion_requests) == (0, 0)


def test_an_adopted_challenger_is_watched_and_the_old_version_stays_to_go_back_to(scene: Scene) -> None:
    models, portal = scene.serving.models, scene.client.portal
    assert portal is not None
    trial = scene.begin("canary", 0.5)
    portal.call(models.adopt, "reviews")
    watch = Trial(rollout=1, place=1, role="watch", share=1.0, champion=trial.champion, challenger=trial.challenger)
    portal.call(models.set_trial, "reviews", watch)
    assert {scene.ask(key=str(key)) for key in range(9)} == {trial.challenger.version}
    scene.until(lambda: watch.tally.compared == 9)
    portal.call(models.roll_back, "reviews")
    assert scene.ask() == scene.old
    assert not models.trials


def test_a_bundle_that_no_version_uses_any_more_is_let_go(scene: Scene) -> None:
    """A server that follows a registry gives its room in the cache to others."""
    retired: list[Path] = []

    class Notes(Listener):
        def retired(self, bundle: Path) -> None:
            retired.append(bundle)

    scene.serving.listeners.add(Notes())
    models, portal = scene.serving.models, scene.client.portal
    assert portal is not None
    trial = scene.begin("shadow")

    async def end() -> None:
        models.end_trial("reviews")

    portal.call(end)
    scene.until(lambda: bool(retired))
    assert retired == [trial.challenger.path]
    scene.begin("canary", 0.5)
    portal.call(models.adopt, "reviews")
    portal.call(models.roll_back, "reviews")  # the challenger is the previous version now, to go back to
    scene.ask()
    assert retired == [trial.challenger.path]


def test_slow_answers_are_counted_against_the_bound(scene: Scene) -> None:
    tally = scene.begin("canary", 1.0, slow_s=0.0).tally
    scene.ask()
    assert (tally.challenger_timed, tally.challenger_slow) == (1, 1)


def test_the_state_of_a_model_is_not_that_of_the_client_who_asks(scene: Scene) -> None:
    scene.begin("canary", 1.0)
    shown = scene.client.get("/v1/models").json()["models"]
    assert [one["version"] for one in shown] == [scene.old]


def test_what_a_shadow_says_is_kept_beside_the_answer(model: WordCounter, new: WordCounter, tmp_path: Path) -> None:
    settings = PredictionSettings(url=f"sqlite:///{tmp_path / 'predictions.db'}")
    serving = serving_of({"reviews": model}, later=[new])
    with (
        PredictionWriter(settings) as writer,
        TestClient(create_app(serving, Perimeter(predictions=writer))) as client,
    ):
        scene = Scene(until_ready(client), serving, new)
        scene.begin("shadow")
        client.post("/v1/predict", json={"text": "good"}, headers={"X-Request-Id": "order-7"})
        scene.until(lambda: writer.written == 2)
        with writer.store.reading() as connection:
            kept = connection.execute(sql.select(PREDICTIONS).order_by(PREDICTIONS.c.role)).all()
    assert [(one.role, one.request_id) for one in kept] == [("answer", "order-7"), ("shadow", "order-7")]
    assert kept[0].digest != kept[1].digest
