from __future__ import annotations

import pytest

from bertline.database.database import Database
from bertline.lifecycle.predictions import history as module
from bertline.lifecycle.predictions.checks import DriftCheck, add_check
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.figures import Counts
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.history import history, step_of
from bertline.lifecycle.predictions.records import SHADOW
from tests.kept import HOUR_MS, NEW, OLD, keep, sure

NOW_S = 1_800_000_000  # 2027-01-15 08:00 UTC
NOW_MS = 1000 * NOW_S


def test_each_step_has_its_texts_feedback_and_mean_confidence(store: Database) -> None:
    keep(store, [sure("good")] * 3, request="old", digest=OLD, at_ms=NOW_MS - 3 * HOUR_MS)
    keep(store, [sure("good", 0.7), sure("bad", 0.9)], request="new", at_ms=NOW_MS - 3 * HOUR_MS + 1000)
    keep(store, [sure("good")], request="last", at_ms=NOW_MS - 1)
    keep(store, [sure("good")], request="shadow", at_ms=NOW_MS - 1, role=SHADOW)
    keep(store, [sure("good")], request="else", at_ms=NOW_MS - 1, model="other")
    keep(store, [sure("good")], request="before", at_ms=NOW_MS - 26 * HOUR_MS)
    receive(store, [Feedback("old0", "good"), Feedback("old1", "bad"), Feedback("new0", "good")])
    found = history(store, "reviews", 1, NOW_S)
    assert (found.step_s, len(found.steps)) == (3600, 25)
    assert [one.at_s for one in found.steps] == [NOW_S - 3600 * ago for ago in range(24, -1, -1)]
    busy = {(NOW_S - one.at_s) // 3600: one for one in found.steps if one.texts}
    assert {ago: one.texts for ago, one in busy.items()} == {3: {OLD: 3, NEW: 2}, 1: {NEW: 1}}
    assert {ago: one.feedback for ago, one in busy.items()} == {3: Counts(right=2, wrong=1), 1: Counts()}
    assert busy[3].confidence == pytest.approx((3 * 0.9 + 0.7 + 0.9) / 5)
    assert busy[1].confidence == pytest.approx(0.9)
    assert found.steps[0].confidence is None


def test_of_many_answers_a_sample_is_read(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ANSWERS", 300)
    read: list[str] = []
    loads = module.json.loads
    monkeypatch.setattr(module.json, "loads", lambda text: (read.append(text), loads(text))[1])
    keep(store, [sure("good"), sure("good", 0.7)] * 500, at_ms=NOW_MS - HOUR_MS)
    read.clear()
    busy = [one for one in history(store, "reviews", 7, NOW_S).steps if one.texts]
    assert sum(one.texts[NEW] for one in busy) == 1000
    assert 200 < len(read) < 400  # 300, give or take seven standard deviations
    assert busy[0].confidence == pytest.approx(0.8, abs=0.05)


def test_drift_checks_of_the_span_are_in_it(store: Database) -> None:
    def check(model: str, ago_h: int) -> DriftCheck:
        return DriftCheck(
            model, NOW_MS - ago_h * HOUR_MS, 500, "texts", {"answers": 0.4, "properties": 0.008}, 0.91, 0.05
        )

    checks = [check("reviews", 200), check("reviews", 30), check("other", 20), check("reviews", 2)]
    for one in checks:
        add_check(store, one)
    assert history(store, "reviews", 7, NOW_S).checks == [checks[1], checks[3]]


@pytest.mark.parametrize("days", [1, 2, 3, 8, 9, 40, 41, 120, 121, 366])
def test_a_span_has_a_few_dozen_steps_and_the_last_one_holds_the_present(store: Database, days: int) -> None:
    steps = history(store, "reviews", days, NOW_S + 1234.5).steps
    assert 9 <= len(steps) <= 54
    assert steps[0].at_s <= NOW_S + 1234.5 - days * 86_400 < steps[1].at_s
    assert steps[-1].at_s <= NOW_S + 1234.5 < steps[-1].at_s + step_of(days)
