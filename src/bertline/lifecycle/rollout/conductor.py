"""Keeps the models of a server at the step of their rollouts, reports what was counted, and decides.

Every server does all of it. A decision is a compare-and-set in the shared state, so one of them takes it, and the
others follow at their next look.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Literal, TypeVar

from bertline.errors import BertlineError, BundleError
from bertline.lifecycle.rollout.decision import Decision, Judged, decide, next_state
from bertline.lifecycle.rollout.plan import Plan
from bertline.lifecycle.rollout.state import State
from bertline.monitoring.logs.error_path import path_of
from bertline.registry.rollout import Rollout
from bertline.serving.models import Models
from bertline.serving.problems import Problem
from bertline.serving.trial import Trial
from bertline.serving.version import Version

Result = TypeVar("Result")
Judge = Callable[[str, Rollout], Judged]
Side = Literal["champion", "challenger"]
Fetch = Callable[[Rollout, Side], Path]

log = logging.getLogger(__name__)

FETCHES = 4  # at a time, so that one slow store does not hold up the others
AGAIN_S = 30.0  # until a former champion that could not be loaded is tried again


class Conductor:
    """The rollouts of a server's models.

    Args:
        models: that are served.
        names: the models that may be rolled out, by their names for clients, as the state names them.
        state: shared with other servers, or not.
        fetch: the directory of one of a rollout's versions; it may block.
        every_s: between two looks.
        judge: counts of feedback; None if there is none.
        on_move: receives the model's name for clients and a rollout that this server has moved on or ended.

    Attributes:
        followed_s: when the rollout of each model was last looked at without a fault, in Unix time.
    """

    def __init__(
        self,
        models: Models,
        names: Mapping[str, str],
        state: State,
        fetch: Fetch,
        *,
        every_s: float,
        judge: Judge | None = None,
        on_move: Callable[[str, Rollout], None] = lambda _name, _rollout: None,
    ) -> None:
        self._models, self._names, self._state, self._fetch = models, names, state, fetch
        self._every_s, self._judge, self._on_move = every_s, judge, on_move
        self.followed_s = dict.fromkeys(names, time.time())
        self.stopping = False  # so that a fetch can end at its next bytes
        self._replica = f"{platform.node()[:40]}-{secrets.token_hex(6)}"
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="rollout")
        self._fetching = ThreadPoolExecutor(FETCHES, thread_name_prefix="fetch of rollout")
        self._faults: dict[str, str] = {}
        self._looks: dict[str, asyncio.Task[Rollout | None]] = {}
        self._former: dict[str, asyncio.Task[None]] = {}
        self._later_s: dict[str, float] = {}
        self._looking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self) -> None:
        """Look until this is cancelled; a look that loads a challenger takes its time, and holds up no other model."""
        try:
            while True:
                for name in self._names.keys() - self._looks.keys():
                    self._begin_look(name)
                await asyncio.sleep(self._every_s)
        finally:
            self.stopping = True
            for task in (*self._looks.values(), *self._former.values()):
                task.cancel()
            self._fetching.shutdown(wait=False, cancel_futures=True)
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._state.close()

    def _begin_look(self, name: str) -> None:
        self._looks[name] = task = asyncio.create_task(self.look(name), name="rollout")
        task.add_done_callback(lambda _: self._looks.pop(name))

    async def look(self, name: str) -> Rollout | None:
        """Follow a model's rollout, count and decide; returns the rollout if it goes on."""
        async with self._looking[name]:
            return await self._look(name)

    async def _look(self, name: str) -> Rollout | None:
        model = self._names[name]
        try:
            rollout = await self._off_the_loop(lambda: self._state.current(model))
            while rollout is not None and await self._conduct(name, rollout):
                rollout = await self._off_the_loop(lambda: self._state.current(model))
            if rollout is None:
                await self._end(name)
        except (BertlineError, Problem) as error:
            self._failed(name, error.message if isinstance(error, Problem) else str(error))
            return None
        except Exception as error:  # a bug: the server answers on, and looks again
            self._failed(name, f"{type(error).__name__} at {path_of(error)}")
            return None
        self._faults.pop(name, None)
        self.followed_s[name] = time.time()
        return rollout

    async def _conduct(self, name: str, rollout: Rollout) -> bool:
        """One look at a rollout; whether this server has moved it."""
        try:
            trial = await self._trial(name, rollout)
        except (BundleError, Problem) as error:
            message = error.message if isinstance(error, Problem) else str(error)
            return await self._move(name, rollout, Decision("roll_back", f"{rollout.name} cannot be used: {message}"))
        if trial is None:
            return False
        if trial.slow_s is None:
            await self._learn_bound(rollout, trial)
        counted = replace(trial.tally)
        sums = await self._off_the_loop(lambda: self._state.count(rollout, self._replica, counted))
        judged = await self._off_the_loop(lambda: self._judged(name, rollout))
        plan = Plan.model_validate(dict(rollout.plan))
        decision = decide(rollout, plan, sums, time.time(), judged, trial.lost)
        if decision.action == "hold":
            self._bring_back(name, rollout, trial)
            return False
        return await self._move(name, rollout, decision)

    def _bring_back(self, name: str, rollout: Rollout, trial: Trial) -> None:
        """Load the former champion in a watch of a server that was started meanwhile, so that going back is instant.

        That may take minutes, and looks go on meanwhile.
        """
        if trial.champion is not None or rollout.champion_digest is None or name in self._former:
            return
        if monotonic() >= self._later_s.get(name, 0.0):
            task = asyncio.create_task(self._load_former(name, rollout, trial), name="former champion")
            self._former[name] = task
            task.add_done_callback(lambda _: self._former.pop(name))

    async def _load_former(self, name: str, rollout: Rollout, trial: Trial) -> None:
        try:
            path = await self._fetched(rollout, "champion")
            if self._models.trials.get(name) is trial:
                await self._models.restore_champion(name, path)
        except Exception as error:  # no fault of the challenger, which goes on
            self._later_s[name] = monotonic() + AGAIN_S
            fault = str(error) if isinstance(error, BertlineError) else f"{type(error).__name__} at {path_of(error)}"
            said = "%s could not go back at once: its former champion is not loaded: %s"
            self._failed(name, fault, "former champion", said)

    def _judged(self, name: str, rollout: Rollout) -> Judged | None:
        """Counts of feedback; None where there is none, or its store is away."""
        try:
            return self._judge(name, rollout) if self._judge is not None else None
        except BertlineError as error:
            self._failed(f"{name} by its feedback", str(error))
            return None

    async def _trial(self, name: str, rollout: Rollout) -> Trial | None:
        """This step on this server; None while the server is not at it."""
        trial = self._models.trials.get(name)
        if trial is not None and (trial.rollout, trial.place) == (rollout.number, rollout.place):
            if trial.slow_s is None and rollout.slow_ms is not None:
                _set_bound(trial, rollout, rollout.slow_ms / 1000)
            return trial
        versions = await (self._watched if rollout.role == "watch" else self._challenged)(name, rollout)
        if versions is None:
            return None
        champion, challenger = versions
        begun = Trial(
            rollout=rollout.number,
            place=rollout.place,
            role=rollout.role,
            share=rollout.share,
            champion=champion,
            challenger=challenger,
            compare=Plan.model_validate(dict(rollout.plan)).compare,
        )
        if _by_hand(rollout) and champion is not None:
            begun.tally.champion_requests = champion.history.requests
            begun.tally.champion_errors = champion.history.errors
        if rollout.slow_ms is not None:
            _set_bound(begun, rollout, rollout.slow_ms / 1000)
        self._models.set_trial(name, begun)
        log.info("rollout %d of %s: %s, %s", rollout.number, name, rollout.name, rollout.step)
        return begun

    async def _challenged(self, name: str, rollout: Rollout) -> tuple[Version, Version] | None:
        champion, trial = self._models.current(name), self._models.trials.get(name)
        if champion.checksum != rollout.champion_digest:
            return None  # an administrator or an alias has changed it
        if trial is not None and trial.challenger.checksum == rollout.challenger_digest and not trial.lost:
            return champion, trial.challenger
        path = await self._fetched(rollout, "challenger")
        if self._models.current(name) is not champion:
            return None
        challenger = await self._models.challenge(name, path)
        return None if challenger is None else (champion, challenger)

    async def _watched(self, name: str, rollout: Rollout) -> tuple[Version | None, Version] | None:
        current, trial = self._models.current(name), self._models.trials.get(name)
        if current.checksum != rollout.challenger_digest:
            if trial is None or trial.challenger.checksum != rollout.challenger_digest:
                return None  # the server follows the alias, and has not loaded it yet
            current = await self._models.adopt(name)
        previous = self._models.previous(name)
        if previous is not None and previous.checksum != rollout.champion_digest:
            previous = None
        return previous, current

    async def _learn_bound(self, rollout: Rollout, trial: Trial) -> None:
        bound_s = trial.champion.history.bound_s() if trial.champion is not None else None
        if bound_s is not None:
            await self._off_the_loop(lambda: self._state.bound(rollout, 1000 * bound_s))

    async def _move(self, name: str, rollout: Rollout, decision: Decision) -> bool:
        status, place = next_state(rollout, decision)
        moved = await self._off_the_loop(lambda: self._state.move(rollout, status, place, decision.reason))
        if moved:
            after = await self._off_the_loop(lambda: self._state.last(rollout.model))
            log.warning("rollout %d of %s, %s: %s: %s", rollout.number, name, rollout.name, status, decision.reason)
            if after is not None:
                self._on_move(name, after)
        return moved

    async def _end(self, name: str) -> None:
        """The rollout is over: the old champion answers again if it was rolled back."""
        trial = self._models.trials.get(name)
        if trial is None:
            return
        last = await self._off_the_loop(lambda: self._state.last(self._names[name]))
        rolled_back = last is not None and last.number == trial.rollout and last.status == "rolled_back"
        if rolled_back and trial.champion is not None and self._models.previous(name) is trial.champion:
            await self._models.roll_back(name)
        self._models.end_trial(name)

    async def _fetched(self, rollout: Rollout, side: Side) -> Path:
        """The directory of a version, however long its store takes."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._fetching, lambda: self._fetch(rollout, side))

    async def _off_the_loop(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _failed(self, name: str, fault: str, of: str = "", said: str = "the rollout of %s is not followed: %s") -> None:
        """Once for each fault: the same one comes back every few seconds."""
        if self._faults.get(name + of) != fault:
            log.warning(said, name, fault)
        self._faults[name + of] = fault


def _by_hand(rollout: Rollout) -> bool:
    """Whether the champion was changed without steps, so that only its past requests can be compared with."""
    return rollout.steps == ("100",)


def _set_bound(trial: Trial, rollout: Rollout, bound_s: float) -> None:
    trial.slow_s = bound_s
    if _by_hand(rollout) and trial.champion is not None:
        trial.tally.champion_timed, trial.tally.champion_slow = trial.champion.history.slower_than(bound_s)
