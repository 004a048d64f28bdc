"""A rollout that has to end and that no server ends, because none follows it: no server runs, or its registry is away.

Every server that follows a rollout looks at least every half minute, and ends a step whose time is over. If none has a
minute later, there is no such server, and whoever waits for the rollout may decide: by the same rule, and with the same
record. Before the time is over only servers decide, because counts are not dated: they may be a second old.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from bertline.lifecycle.rollout.decision import Decision, decide, next_state
from bertline.lifecycle.rollout.plan import Plan
from bertline.registry.rollout import OPEN, Rollout, Tally
from bertline.registry.rollouts import Rollouts

LATE_S = 60.0  # after a step's limit; a server that follows the rollout looks at least every 30 s


def ending(rollout: Rollout, tallies: Mapping[int, Tally], now_s: float) -> Decision | None:
    """The decision that ends a rollout whose step is over, and that servers should have taken; None if it goes on.

    Args:
        rollout: in its current step.
        tallies: sums over all servers, by step.
        now_s: Unix time.
    """
    plan = Plan.model_validate(dict(rollout.plan))
    if now_s - LATE_S < _step_ends_s(rollout, plan):
        return None
    decision = decide(rollout, plan, tallies, now_s - LATE_S)
    if decision.action == "hold" or next_state(rollout, decision)[0] in OPEN:
        return None
    return Decision(decision.action, f"no server has ended it; {decision.reason}")


def end_overdue(rollouts: Rollouts, model: str) -> str | None:
    """End a model's rollout if servers should have ended it; what was ended and why, for people.

    Raises:
        RegistryError: the database cannot be used, or somebody else moved the champion.
    """
    going = rollouts.current(model)
    decision = ending(going, rollouts.totals(going), time.time()) if going is not None else None
    if going is None or decision is None:
        return None
    status, place = next_state(going, decision)
    if not rollouts.move(going, status, place, decision.reason):
        return None
    return f"rollout {going.number} of {going.name} is {status.replace('_', ' ')}: {decision.reason}"


def outlook(rollout: Rollout, tallies: Mapping[int, Tally], now_s: float) -> str:
    """How long those who wait for a rollout may have to wait, and what they can do; a sentence.

    Args:
        rollout: that goes on.
        tallies: sums over all servers, by step.
        now_s: Unix time.
    """
    name = f"{rollout.name} is being rolled out, {rollout.step}"
    command = f"bertline models rollout {rollout.model}"
    if rollout.status == "paused":
        return f"{name}, and paused: go on with {command} --resume, or end it with {command} --abort"
    plan = Plan.model_validate(dict(rollout.plan))
    step_ends_s = _step_ends_s(rollout, plan)
    serve = f"let a server follow models:/{rollout.model}@champion, or end it with {command} --abort"
    if now_s - LATE_S >= step_ends_s:
        return f"{name}, and no server has taken the next step, due at {_time(step_ends_s)}: {serve}"
    until = _time(step_ends_s + sum(_lasts_s(one, plan) for one in rollout.steps[rollout.place + 1 :]))
    if any(one.champion_requests or one.challenger_requests for one in tallies.values()):
        return f"{name}, until {until} at the latest"
    return f"{name}, until {until} at the latest, and no server has counted a request for it: {serve}"


def _step_ends_s(rollout: Rollout, plan: Plan) -> float:
    """Unix time at which servers end the current step if the counts have not decided before."""
    return rollout.since_s + _lasts_s("100" if rollout.role == "watch" else rollout.steps[rollout.place], plan)


def _lasts_s(step: str, plan: Plan) -> float:
    """Seconds that a step takes at most; the last one, of 100 %, is a watch."""
    return plan.watch_s if step == "100" else plan.max_step_s


def _time(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"
