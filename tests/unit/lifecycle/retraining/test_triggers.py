from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bertline.lifecycle.retraining.drifted import Finding
from bertline.lifecycle.retraining.fallen import Fall
from bertline.lifecycle.retraining.home import State
from bertline.lifecycle.retraining.journal import Journal, stamp
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.lifecycle.retraining.triggers import Decision, Going, Look, after, decide

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
JOURNAL = Journal("1", "films", stamp(NOW - timedelta(days=2)), ("x",), 1, "d1", {})


def look(**changes: Any) -> Look:
    since = NOW - timedelta(days=30)
    return replace(Look("d1", since, (), State(champion="d1"), None, lambda: 0, None, NOW), **changes)


def found(evidence: str, p: float = 0.01) -> Finding:
    return Finding(evidence, p <= 0.05, p, f"{evidence}: p {p}")


def test_without_a_trigger_nothing_is_due_but_by_hand() -> None:
    decision = decide(RetrainSettings(), look())
    assert not decision.due
    assert decision.against == ("no trigger is set: give --every, --labels, --drift, --accuracy or --now",)
    assert decide(RetrainSettings(), look(), by_hand=True).because == ("asked for by hand",)


def test_the_schedule_counts_from_the_champion_and_then_from_the_last_run() -> None:
    settings = RetrainSettings(every="7d")
    assert decide(settings, look()).because == ("7d have passed since 2026-10-31 12:00 UTC",)
    again = decide(settings, look(journals=(JOURNAL,)))
    assert (again.due, again.against) == (False, ("the schedule is due at 2026-12-05 12:00 UTC",))


@pytest.mark.parametrize(("outcome", "cools"), [("challenger", True), ("failed", True), ("given up", False)])
def test_it_cools_down_after_a_run_of_any_kind_but_one_that_was_given_up(outcome: Any, cools: bool) -> None:
    ended = JOURNAL.over(outcome, "so", NOW - timedelta(hours=23))
    settings = RetrainSettings(every="1h")
    decision = decide(settings, look(journals=(ended,)))
    assert decision.because
    assert decision.waits is cools
    assert decision.due is not cools
    assert not cools or decision.against == ("cools down until 2026-11-30 13:00 UTC (--cooldown 1d)",)
    assert decide(settings, look(journals=(ended,)), by_hand=True).due
    assert decide(settings, look(journals=(ended,), now=NOW + timedelta(hours=1))).due


def test_labels_are_counted_from_the_last_judged_run_and_from_nothing_for_another_champion() -> None:
    settings = RetrainSettings(labels=100)
    assert decide(settings, look(labels=lambda: 99)).against == ("99 new labelled rows, 100 make a run due",)
    assert decide(settings, look(labels=lambda: 100)).due
    state = after(State(), JOURNAL, 100)
    waits = decide(settings, look(labels=lambda: 150, state=state))
    assert waits.against == ("50 new labelled rows since the last run, 100 make a run due",)
    assert decide(settings, look(labels=lambda: 200, state=state)).due
    assert decide(settings, look(labels=lambda: 150, state=state, champion="d2")).due


def drifts(settings: RetrainSettings, state: State, *findings: Finding, champion: str = "d1") -> list[Decision]:
    decisions = []
    for one in findings:
        decisions.append(decide(settings, look(drift=lambda one=one: one, state=state, champion=champion)))
        state = decisions[-1].state
    return decisions


def test_drift_has_to_be_found_in_a_row_in_other_texts_each_time() -> None:
    settings = RetrainSettings(drift="new.csv", hold=2)
    first, same, calm, third, fourth = drifts(
        settings, State(champion="d1"), found("a"), found("a"), found("b", 0.1), found("c"), found("d")
    )
    assert [one.due for one in (first, same, calm, third, fourth)] == [False, False, False, False, True]
    assert first.against == ("a: p 0.01, found 1 of 2 times in a row",)
    assert same.state == first.state
    assert fourth.because == ("d: p 0.01, found 2 of 2 times in a row",)


def test_after_its_run_drift_counts_again_only_when_texts_were_calm() -> None:
    settings = RetrainSettings(drift="new.csv", hold=1, reset_level=0.2)
    state = after(State(champion="d1"), JOURNAL, None)
    still, nearly, again, calm, anew = drifts(
        settings, state, found("a"), found("b", 0.15), found("c"), found("d", 0.3), found("e")
    )
    assert [one.due for one in (still, nearly, again, calm, anew)] == [False, False, False, False, True]
    said = "it had its run, and counts again when texts were calm or the champion is another"
    assert again.against == (f"c: p 0.01; {said}",)
    (other,) = drifts(settings, state, found("f"), champion="d2")
    assert other.due


def labels(evidence: str | None, fallen: bool = True, steady: bool = False) -> Fall:
    return Fall(evidence, fallen, steady, f"newest of {evidence}", f"{evidence}: {'fell' if fallen else 'no drop'}")


def falls(state: State, *findings: Fall, champion: str = "d1", **settings: Any) -> list[Decision]:
    decisions = []
    for one in findings:
        looked = look(accuracy=lambda since, one=one: one, state=state, champion=champion)
        decisions.append(decide(RetrainSettings(accuracy="sqlite:///x", **settings), looked))
        state = decisions[-1].state
    return decisions


def test_accuracy_has_to_have_fallen_in_a_row_by_other_labels_each_time() -> None:
    nothing, first, same, back, third, fourth = falls(
        State(champion="d1"),
        labels(None, False),
        labels("a"),
        labels("a"),
        labels("b", False),
        labels("c"),
        labels("d"),
    )
    assert [one.due for one in (nothing, first, same, back, third, fourth)] == [False] * 5 + [True]
    assert first.against == ("a: fell, found 1 of 2 times in a row",)
    assert same.state == first.state
    assert back.against == ("b: no drop",)
    assert fourth.because == ("d: fell, found 2 of 2 times in a row",)
    cools = JOURNAL.over("rejected", "so", NOW)
    looked = look(accuracy=lambda since: labels("e"), state=fourth.state, journals=(cools,))
    waits = decide(RetrainSettings(accuracy="sqlite:///x"), looked)
    assert (bool(waits.because), waits.due) == (True, False)


def test_after_its_run_a_drop_counts_again_only_when_labels_were_as_expected() -> None:
    (due,) = falls(State(champion="d1"), labels("a"), hold=1)
    state = after(due.state, JOURNAL, None)
    still, again, calm, anew = falls(
        state, labels("a"), labels("b", False), labels("c", True, steady=True), labels("d"), hold=1
    )
    assert [one.due for one in (still, again, calm, anew)] == [False, False, False, True]
    said = "it had its run, and counts again when 200 labels are as right as expected or the champion is another"
    assert still.against == (f"a: fell; {said}",)
    assert calm.against == ("the latest 200 labels are as right as expected, so a later drop counts again",)
    assert calm.state.labels_since == "newest of c"
    (other,) = falls(state, labels("e"), champion="d2", hold=1)
    assert (other.due, other.state.labels_since) == (True, None)
    assert after(calm.state, JOURNAL, None).steady  # a run for something else


def test_labels_are_looked_at_from_the_moment_when_they_were_as_expected() -> None:
    asked: list[str | None] = []

    def looked(since: str | None) -> Fall:
        asked.append(since)
        return labels("a", False)

    settings = RetrainSettings(accuracy="sqlite:///x")
    decide(settings, look(accuracy=looked, state=State(champion="d1", labels_since="then")))
    decide(settings, look(accuracy=looked, state=State(champion="d0", labels_since="then")))
    assert asked == ["then", None]


def test_a_rollout_has_to_end_first_even_for_a_person() -> None:
    going = Going("films:2 is being rolled out, 5 %", blocks=True)
    decision = decide(RetrainSettings(), look(going=going), by_hand=True)
    assert (decision.due, decision.against) == (False, ("films:2 is being rolled out, 5 %",))


def test_a_rollout_that_nobody_ends_is_told_and_blocks_nothing() -> None:
    going = Going("rollout 1 of films:2 ends with the next challenger", blocks=False)
    decision = decide(RetrainSettings(every="7d"), look(going=going))
    assert (decision.due, decision.against) == (True, (going.sentence,))
