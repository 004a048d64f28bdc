"""Where the state of rollouts is: in the registry's database, or in the memory of one server."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from bertline.registry.rollout import Rollout, Status, Tally


class State(Protocol):
    """The rollouts that servers share; ``registry.rollouts.Rollouts`` is one. Its methods may block."""

    def current(self, model: str) -> Rollout | None:
        """The rollout of a model that goes on."""

    def last(self, model: str) -> Rollout | None:
        """The last rollout of a model, open or ended."""

    def count(self, rollout: Rollout, replica: str, tally: Tally) -> Mapping[int, Tally]:
        """Record what a server has counted in this step, and read the sums over all servers, by step."""

    def bound(self, rollout: Rollout, slow_ms: float) -> bool:
        """Set from when on a request is slow, unless another server was first."""

    def move(self, rollout: Rollout, status: Status, place: int, reason: str) -> bool:
        """Take a rollout to another step, or end it; whether it still was as it was read."""

    def close(self) -> None:
        """Let go of what they are kept in."""


class InMemory:
    """The rollouts of one server without a registry; they end with it."""

    def __init__(self) -> None:
        self._rollouts: dict[str, Rollout] = {}
        self._tallies: dict[tuple[int, int, str], Tally] = {}
        self._number = 0

    def begin(self, rollout: Rollout) -> Rollout:
        """Begin a rollout, which gets its number and the time."""
        self._number += 1
        begun = replace(rollout, number=self._number, since_s=time.time())
        self._rollouts[rollout.model] = begun
        return begun

    def current(self, model: str) -> Rollout | None:
        """See ``State.current``."""
        rollout = self._rollouts.get(model)
        return rollout if rollout is not None and rollout.open else None

    def last(self, model: str) -> Rollout | None:
        """See ``State.last``."""
        return self._rollouts.get(model)

    def count(self, rollout: Rollout, replica: str, tally: Tally) -> Mapping[int, Tally]:
        """See ``State.count``."""
        self._tallies[rollout.number, rollout.place, replica] = replace(tally)
        return self.totals(rollout)

    def totals(self, rollout: Rollout) -> Mapping[int, Tally]:
        """The sums over all servers, by step."""
        sums: dict[int, Tally] = {}
        for (number, place, _), tally in self._tallies.items():
            if number == rollout.number:
                sums[place] = sums.get(place, Tally()) + tally
        return sums

    def bound(self, rollout: Rollout, slow_ms: float) -> bool:
        """See ``State.bound``."""
        return self._change(rollout, replace(rollout, slow_ms=slow_ms))

    def move(self, rollout: Rollout, status: Status, place: int, reason: str) -> bool:
        """See ``State.move``."""
        after = replace(rollout, status=status, place=place, reason=reason, since_s=time.time())
        return self._change(rollout, after)

    def close(self) -> None:
        """See ``State.close``."""

    def _change(self, before: Rollout, after: Rollout) -> bool:
        if self._rollouts.get(before.model) != before:
            return False
        self._rollouts[before.model] = replace(after, revision=before.revision + 1)
        return True
