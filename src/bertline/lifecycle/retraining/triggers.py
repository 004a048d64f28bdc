"""Is a run due? By schedule, by drift, by fallen accuracy, by the number of new labels; not while it cools down.

Drift has hysteresis: it must be found several times in a row, each time in other texts. After a run for it, it does not
count again until texts were calm (no p-value below a second, higher level), or until the champion is another. The same
holds for accuracy: it must have fallen by several looks in a row, each at other labels, and after a run it does not
count again until the latest labels are as right as expected. New labels are counted from the number at the last run
that was judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bertline.lifecycle.retraining.drifted import Finding
from bertline.lifecycle.retraining.fallen import LATEST, Fall
from bertline.lifecycle.retraining.home import State
from bertline.lifecycle.retraining.journal import Journal
from bertline.lifecycle.retraining.settings import RetrainSettings, period


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a run is due.

    Attributes:
        because: what makes it due, a sentence each; empty if nothing does.
        against: why it is not, or what else was looked at.
        waits: whether it cools down, which a person's ``--now`` ends, or a rollout goes on.
        state: of the triggers after this look.
    """

    because: tuple[str, ...]
    against: tuple[str, ...]
    waits: bool
    state: State

    @property
    def due(self) -> bool:
        """Whether a run begins now."""
        return bool(self.because) and not self.waits


@dataclass(frozen=True, slots=True)
class Going:
    """A rollout of the model that goes on.

    Attributes:
        sentence: what it is at, for people.
        blocks: whether it has to end before a run begins.
    """

    sentence: str
    blocks: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at.

    Attributes:
        champion: digest.
        since: when the champion was added, in UTC.
        journals: of earlier runs.
        state: of the triggers before.
        drift: looks at texts; None if no drift is watched.
        labels: counts new labelled rows.
        going: the rollout that goes on; None if none does.
        now: in UTC.
        accuracy: looks at the labels of predictions from a moment on; None if no accuracy is watched.
    """

    champion: str
    since: datetime
    journals: Sequence[Journal]
    state: State
    drift: Callable[[], Finding] | None
    labels: Callable[[], int]
    going: Going | None
    now: datetime
    accuracy: Callable[[str | None], Fall] | None = None


def decide(settings: RetrainSettings, look: Look, *, by_hand: bool = False) -> Decision:
    """Look at every trigger.

    Args:
        settings: of the triggers.
        look: what is looked at.
        by_hand: somebody asked for a run, which needs no other reason and does not cool down.
    """
    state = look.state
    if state.champion != look.champion:  # another champion: all levels are measured anew
        state = State(evidence=state.evidence, champion=look.champion)
    because, against = (["asked for by hand"] if by_hand else []), list[str]()
    for reason, counts in (*_schedule(settings, look), *_labels(settings, look, state)):
        (because if counts else against).append(reason)
    if look.drift is not None:
        state, reason, counts = _drift(settings, look.drift(), state)
        (because if counts else against).append(reason)
    if look.accuracy is not None:
        state, reason, counts = _accuracy(settings, look.accuracy(state.labels_since), state)
        (because if counts else against).append(reason)
    if not because and not any((settings.every, settings.labels, settings.drift, settings.accuracy)):
        against.append("no trigger is set: give --every, --labels, --drift, --accuracy or --now")
    waiting = None if by_hand else _cooling(settings, look)
    if look.going is not None and look.going.blocks:
        waiting = look.going.sentence
    elif look.going is not None:
        against.append(look.going.sentence)
    if waiting:
        against.append(waiting)
    return Decision(tuple(because), tuple(against), waiting is not None, state)


def after(state: State, journal: Journal, new_rows: int) -> State:
    """The triggers' state after a run that was judged, with so many new rows to train on."""
    steady = state.steady and not state.falls
    return replace(state, drifts=0, armed=False, champion=journal.digest, counted=new_rows, falls=0, steady=steady)


def _schedule(settings: RetrainSettings, look: Look) -> list[tuple[str, bool]]:
    if settings.every is None:
        return []
    last = max([look.since, *(_time(one.began) for one in look.journals)])
    due = last + period(settings.every)
    if look.now >= due:
        return [(f"{settings.every} have passed since {last:%Y-%m-%d %H:%M} UTC", True)]
    return [(f"the schedule is due at {due:%Y-%m-%d %H:%M} UTC", False)]


def _labels(settings: RetrainSettings, look: Look, state: State) -> list[tuple[str, bool]]:
    if settings.labels is None:
        return []
    number = max(0, look.labels() - state.counted)
    since = " since the last run" if state.counted else ""
    return [(f"{number:,} new labelled rows{since}, {settings.labels:,} make a run due", number >= settings.labels)]


def _drift(settings: RetrainSettings, found: Finding, state: State) -> tuple[State, str, bool]:
    if found.evidence is not None and found.evidence != state.evidence:
        drifts = state.drifts + 1 if found.drifted else 0
        calm = not found.drifted and found.p > settings.reset_level
        state = replace(state, evidence=found.evidence, drifts=drifts, armed=state.armed or calm)
    if not found.drifted:
        return state, found.sentence, False
    if not state.armed:
        said = "it had its run, and counts again when texts were calm or the champion is another"
        return state, f"{found.sentence}; {said}", False
    times = f"found {state.drifts} of {settings.hold} times in a row"
    return state, f"{found.sentence}, {times}", state.drifts >= settings.hold


def _accuracy(settings: RetrainSettings, found: Fall, state: State) -> tuple[State, str, bool]:
    if found.evidence is None:
        return state, found.sentence, False
    if not state.steady and found.steady:
        again = replace(state, feedback=found.evidence, steady=True, labels_since=found.newest)
        return again, f"the latest {LATEST} labels are as right as expected, so a later drop counts again", False
    if not state.steady:
        said = (
            f"it had its run, and counts again when {LATEST} labels are as right as expected or the champion is another"
        )
        return state, f"{found.sentence}; {said}", False
    if found.evidence != state.feedback:
        state = replace(state, feedback=found.evidence, falls=state.falls + 1 if found.fallen else 0)
    if not found.fallen:
        return state, found.sentence, False
    times = f"found {state.falls} of {settings.hold} times in a row"
    return state, f"{found.sentence}, {times}", state.falls >= settings.hold


def _cooling(settings: RetrainSettings, look: Look) -> str | None:
    ends = [_time(one.ended) for one in look.journals if one.ended and one.outcome != "given up"]
    if not ends:
        return None
    until = max(ends) + period(settings.cooldown)
    return f"cools down until {until:%Y-%m-%d %H:%M} UTC (--cooldown {settings.cooldown})" if look.now < until else None


def _time(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
