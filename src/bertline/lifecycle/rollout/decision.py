"""What the counts of a step say: go on, stay, or go back. It has no clock, database or servers.

Every check is a test that may be looked at at any time (``statistics.anytime``). It goes back if a rate is beyond its
bound, and goes on once all are within. A step ends well as soon as the next one cannot cost clients more than the
bound: a tenth more errors among one per cent of the clients is as much as one per cent more among a tenth. So small
steps are short, and the last one is strict.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bertline.lifecycle.rollout.plan import Plan
from bertline.registry.rollout import Rollout, Status, Tally
from bertline.statistics.anytime import Rate, log_above, log_below, log_higher, log_lower
from bertline.statistics.figures import rate as written

WIDEST = 0.2  # bound of a step with few clients
CHECKS = 4  # errors, slow requests, disagreement, wrong answers


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why, with figures."""

    action: Literal["hold", "advance", "roll_back"]
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Wrong answers by feedback, of the champion and of the challenger."""

    champion: Rate = field(default_factory=Rate)
    challenger: Rate = field(default_factory=Rate)


@dataclass(frozen=True, slots=True)
class Check:
    """One rate of the challenger, and how it compares.

    Attributes:
        name: of the hits.
        rate: of the challenger.
        against: rate of the champion; None if the bound stands alone.
        bound: by which the rate may exceed the champion's, or of the rate alone.
        strict: whether a step has to show that it is within the bound.
    """

    name: str
    rate: Rate
    against: Rate | None
    bound: float
    strict: bool = True

    @property
    def beyond(self) -> float:
        """Evidence that it is beyond the bound."""
        if self.against is None:
            return log_above(self.rate, self.bound)
        return log_higher(self.against, self.rate, self.bound)

    def within(self, reach: float) -> float:
        """Evidence that it is within the bound, which is wider if the next step reaches few clients."""
        if self.against is None:
            return log_below(self.rate, self.bound)
        return log_lower(self.against, self.rate, max(self.bound, min(WIDEST, self.bound / reach)))

    def __str__(self) -> str:
        told = f"{self.name} {_told(self.rate)}"
        if self.against is not None:
            told += f" against {_told(self.against)}"
        bound = written(self.bound) if self.against is None else f"{100 * self.bound:g} points more"
        return f"{told}, bound {bound}"


def decide(
    rollout: Rollout,
    plan: Plan,
    tallies: Mapping[int, Tally],
    now_s: float,
    judged: Judged | None = None,
    lost: str | None = None,
) -> Decision:
    """The decision at this moment.

    Args:
        rollout: in its current step.
        plan: its settings.
        tallies: sums over all servers, by step.
        now_s: Unix time.
        judged: by feedback, in this step.
        lost: why a server cannot go on with the challenger.
    """
    if lost is not None:
        return Decision("roll_back", f"{rollout.name}: {lost}")
    checks = [*checked(rollout, plan, tallies, judged or Judged())]
    enough = math.log(CHECKS * len(rollout.steps) / plan.false_alarms)
    if beyond := [str(one) for one in checks if one.beyond >= enough]:
        return Decision("roll_back", "; ".join(beyond))
    figures = "; ".join(str(one) for one in checks if one.rate.trials) or "no requests yet"
    waited_s = now_s - rollout.since_s
    if rollout.status == "paused":
        return Decision("hold", figures)
    if rollout.role == "watch":
        over = waited_s >= plan.watch_s
        return Decision("advance" if over else "hold", figures)
    missing = _missing(rollout, plan, tallies, checks, waited_s)
    if missing is None:
        return Decision("advance", figures)
    if waited_s >= plan.max_step_s:
        action: Literal["advance", "roll_back"] = "advance" if plan.at_timeout == "advance" else "roll_back"
        return Decision(action, f"undecided after {waited_s:.0f} s, {missing}; {figures}")
    return Decision("hold", f"{missing}; {figures}")


def next_state(rollout: Rollout, decision: Decision) -> tuple[Status, int]:
    """The status and the step of a rollout after a decision to advance or to roll back."""
    if decision.action == "roll_back":
        return "rolled_back", rollout.place
    if rollout.role == "watch":
        return "promoted", rollout.place
    place = rollout.place + 1
    if place >= len(rollout.steps):
        return "passed", rollout.place
    return ("watching" if rollout.steps[place] == "100" else "running"), place


def checked(rollout: Rollout, plan: Plan, tallies: Mapping[int, Tally], judged: Judged) -> Iterator[Check]:
    """The checks of a step."""
    tally = tallies.get(rollout.place, Tally())
    before = sum(tallies.values(), Tally()) if rollout.role == "watch" else tally
    yield Check(
        "errors",
        Rate(tally.challenger_requests, tally.challenger_errors),
        Rate(before.champion_requests, before.champion_errors),
        plan.more_errors,
    )
    if rollout.role != "shadow":  # which may wait for a core at any moment, so its time says nothing
        yield Check(
            "slow requests",
            Rate(tally.challenger_timed, tally.challenger_slow),
            Rate(before.champion_timed, before.champion_slow),
            plan.more_slow,
        )
    if plan.least_agreement and (tally.compared or rollout.role == "shadow"):
        yield Check("other answers", Rate(tally.compared, tally.disagreed), None, 1 - plan.least_agreement)
    if judged.challenger.trials:
        yield Check("wrong answers", judged.challenger, judged.champion, plan.more_wrong, strict=False)


def _missing(
    rollout: Rollout, plan: Plan, tallies: Mapping[int, Tally], checks: list[Check], waited_s: float
) -> str | None:
    """What a step still lacks to end well; None: nothing."""
    requests = tallies.get(rollout.place, Tally()).challenger_requests
    if requests < plan.min_requests:
        return f"{requests:,} of {plan.min_requests:,} requests"
    if waited_s < plan.min_step_s:
        return f"{waited_s:.0f} of {plan.min_step_s:g} s"
    following = rollout.steps[rollout.place + 1 : rollout.place + 2]
    reach = float(following[0]) / 100 if following else 1.0
    enough = math.log(1 / plan.missed)
    unsure = [one.name for one in checks if one.strict and one.within(reach) < enough]
    return f"too few requests to be sure about {', '.join(unsure)}" if unsure else None


def _told(rate: Rate) -> str:
    return f"{written(rate.value)} ({rate.hits:,} of {rate.trials:,})"
