from __future__ import annotations

import pytest

from bertline.lifecycle.predictions.figures import Counts
from bertline.lifecycle.rollout import judged
from bertline.registry.rollout import Rollout
from bertline.statistics.anytime import Rate

ROLLOUT = Rollout(1, "films", 1, "a", 2, "b", ("50", "100"), since_s=1_000_000.0)


def test_feedback_is_counted_by_the_versions_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, float]] = []

    def counts(store: object, name: str, *, since: object) -> dict[str, Counts]:
        asked.append((name, since.timestamp()))  # type: ignore[attr-defined]
        return {"a": Counts(8, 2, 5), "c": Counts(1, 1)}

    monkeypatch.setattr(judged, "counts", counts)
    judge = judged.judge_of(None)  # type: ignore[arg-type]
    found = judge("mine", ROLLOUT)
    assert (found.champion, found.challenger) == (Rate(10, 2), Rate(0, 0))
    assert asked == [("mine", 1_000_000.0)]


def test_in_a_watch_the_champions_past_feedback_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def counts(store: object, name: str, *, since: object) -> dict[str, Counts]:
        asked.append(since.timestamp())  # type: ignore[attr-defined]
        return {}

    monkeypatch.setattr(judged, "counts", counts)
    judged.judge_of(None)("mine", Rollout(1, "films", 1, "a", 2, "b", ("100",), since_s=9e9))  # type: ignore[arg-type]
    assert asked == [9e9, 9e9 - 30 * 86_400]


def test_counting_that_takes_long_is_done_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, calls = 0.0, 0

    def counts(store: object, name: str, *, since: object) -> dict[str, Counts]:
        nonlocal now_s, calls
        now_s, calls = now_s + 2.0, calls + 1
        return {"b": Counts(calls, 0)}

    monkeypatch.setattr(judged, "counts", counts)
    judge = judged.judge_of(None, lambda: now_s)  # type: ignore[arg-type]
    assert judge("mine", ROLLOUT).challenger == Rate(1, 0)
    now_s = 39.9
    assert judge("mine", ROLLOUT).challenger == Rate(1, 0)
    assert judge("other", ROLLOUT).challenger == Rate(2, 0)
    now_s = 40.0
    assert judge("mine", ROLLOUT).challenger == Rate(3, 0)
    following = Rollout(1, "films", 1, "a", 2, "b", ("50", "100"), place=1, since_s=1_000_000.0)
    assert judge("mine", following).challenger == Rate(4, 0)
