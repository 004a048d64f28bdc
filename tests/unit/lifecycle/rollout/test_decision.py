from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bertline.lifecycle.rollout.decision import Judged, decide
from bertline.lifecycle.rollout.plan import Plan
from bertline.registry.rollout import Rollout, Tally
from bertline.statistics.anytime import Rate

STEPS = ("shadow", "1", "5", "25", "50", "100")
PLAN = Plan(min_requests=50, min_step_s=10, max_step_s=100, watch_s=60)


def at(place: int, **changes: object) -> Rollout:
    rollout = Rollout(1, "films", 1, "a" * 64, 2, "b" * 64, STEPS, place, since_s=1000.0)
    return replace(rollout, **changes)  # type: ignore[arg-type]


def tally(champion: int, challenger: int, **changes: int) -> Tally:
    return replace(
        Tally(
            champion_requests=champion, champion_timed=champion, challenger_requests=challenger,
            challenger_timed=challenger, compared=challenger,
        ),
        **changes,
    )  # fmt: skip


def test_a_step_waits_for_requests_then_for_its_time_then_for_certainty() -> None:
    assert decide(at(4), PLAN, {}, 1001.0).reason == "0 of 50 requests; no requests yet"
    few = decide(at(4), PLAN, {4: tally(60, 60)}, 1001.0)
    assert (few.action, few.reason.split("; ")[0]) == ("hold", "1 of 10 s")
    unsure = decide(at(4), PLAN, {4: tally(60, 60)}, 1020.0)
    assert unsure.action == "hold"
    assert unsure.reason.startswith(
        "too few requests to be sure about errors, slow requests; errors 0\u202f% (0 of 60)"
    )
    assert decide(at(4), PLAN, {4: tally(3000, 3000)}, 1020.0).action == "advance"


def test_small_steps_need_fewer_requests() -> None:
    enough = {}
    for place in (1, 2, 3, 4):
        enough[place] = next(n for n in range(50, 4000, 150) if decide(at(place), PLAN, {place: tally(10 * n, n)},
                                                                      1020.0).action == "advance")  # fmt: skip
    assert enough[1] < enough[2] < enough[3] < enough[4] < 2500
    assert enough[1] <= 200


@pytest.mark.parametrize(
    ("place", "counts", "reason"),
    [
        (
            0,
            {"challenger_errors": 30},
            "errors 15\u202f% (30 of 200) against 0\u202f% (0 of 900), bound 1 points more",
        ),
        (
            1,
            {"challenger_errors": 30},
            "errors 15\u202f% (30 of 200) against 0\u202f% (0 of 900), bound 1 points more",
        ),
        (
            4,
            {"challenger_slow": 40},
            "slow requests 20\u202f% (40 of 200) against 0\u202f% (0 of 900), bound 2 points more",
        ),
        (
            0,
            {"disagreed": 90},
            "other answers 45\u202f% (90 of 200), bound 20\u202f%",
        ),
        (
            5,
            {"challenger_errors": 30},
            "errors 15\u202f% (30 of 200) against 0\u202f% (0 of 900), bound 1 points more",
        ),
    ],
)
def test_a_rate_beyond_its_bound_goes_back_at_once(place: int, counts: dict[str, int], reason: str) -> None:
    decision = decide(at(place), PLAN, {place: tally(900, 200, **counts)}, 1000.1)
    assert (decision.action, decision.reason) == ("roll_back", reason)


def test_a_paused_rollout_stays_but_goes_back() -> None:
    paused = at(4, status="paused")
    assert decide(paused, PLAN, {4: tally(3000, 3000)}, 1020.0).action == "hold"
    assert decide(paused, PLAN, {4: tally(3000, 3000, challenger_errors=900)}, 1020.0).action == "roll_back"


def test_in_a_watch_the_champions_past_counts() -> None:
    past = {4: tally(1000, 1000, champion_errors=100)}
    now = {5: tally(0, 500, challenger_errors=60)}
    assert decide(at(5), PLAN, past | now, 1020.0).action == "hold"
    assert decide(at(5), PLAN, past | now, 1061.0).action == "advance"
    assert decide(at(5), PLAN, now | {4: tally(1000, 1000)}, 1020.0).action == "roll_back"


def test_feedback_goes_back_and_is_not_waited_for() -> None:
    counts = {4: tally(3000, 3000)}
    wrong = Judged(Rate(400, 40), Rate(300, 120))
    decision = decide(at(4), PLAN, counts, 1020.0, wrong)
    assert decision.action == "roll_back"
    assert decision.reason.startswith("wrong answers 40\u202f% (120 of 300) against 10\u202f% (40 of 400)")
    assert decide(at(4), PLAN, counts, 1020.0, Judged(Rate(400, 40), Rate(3, 0))).action == "advance"


def test_an_undecided_step_ends() -> None:
    counts = {4: tally(60, 60)}
    late = decide(at(4), PLAN, counts, 1101.0)
    assert (late.action, late.reason[:24]) == ("roll_back", "undecided after 101 s, t")
    assert decide(at(4), PLAN.model_copy(update={"at_timeout": "advance"}), counts, 1101.0).action == "advance"


def test_a_lost_challenger_goes_back() -> None:
    decision = decide(at(2), PLAN, {}, 1000.0, lost="its process cannot be kept alive")
    assert (decision.action, decision.reason) == ("roll_back", "films:2: its process cannot be kept alive")


def test_a_step_of_a_task_without_comparable_answers_is_decided_by_the_rest() -> None:
    assert decide(at(4), PLAN, {4: tally(3000, 3000, compared=0)}, 1020.0).action == "advance"
    assert decide(at(0), PLAN, {0: tally(3000, 3000, compared=0)}, 1020.0).action == "hold"


def looks(rng: np.random.Generator, p_error: float, p_other: float, requests: int) -> str:
    """The end of a step at 50 % that is looked at after every 200 requests."""
    rollout, plan = at(4), PLAN.model_copy(update={"min_step_s": 0.0})
    counts = Tally()
    for _ in range(0, requests, 200):
        old, new = 100, 100
        counts += tally(
            old, new, champion_errors=int(rng.binomial(old, 0.001)), challenger_errors=int(rng.binomial(new, p_error)),
            disagreed=int(rng.binomial(new, p_other)),
        )  # fmt: skip
        decision = decide(rollout, plan, {4: counts}, 1050.0)
        if decision.action != "hold":
            return decision.action
    return "hold"


def test_over_simulated_steps_equal_challengers_pass_and_bad_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    equal = [looks(rng, 0.001, 0.1, 8000) for _ in range(20)]
    assert equal.count("roll_back") == 0
    assert equal.count("advance") >= 19
    assert {looks(rng, 0.08, 0.1, 8000) for _ in range(6)} == {"roll_back"}
    assert {looks(rng, 0.01, 0.5, 8000) for _ in range(6)} == {"roll_back"}
