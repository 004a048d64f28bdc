"""Decides when to give up a worker, from what it leaves unanswered. It has no process, event loop or clock of its own.

A worker that does not even answer pings is not ready: it is stopped, something in it holds the interpreter's lock, or
the machine swaps. A batch that takes far longer than expected means that the worker is killed: soon if it is silent,
later if it answers pings, because then a single lane hangs or the machine is slow.

Time in which the server itself did not run, because the machine slept or was overloaded, does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

from bertline.encoder.outputs import OUTPUTS
from bertline.serving.costs import Costs

TICK_S = 0.1  # between two calls of ``look``
LONGEST_TICK_S = 0.5  # a longer gap between two calls counts only so much
BEAT_S = 0.5  # between two pings
SILENT_S = 1.5  # of silence until it is not ready: a probe sees it within two seconds
QUIET_S = 5.0  # of silence until an idle worker is killed
LEAST_S = 1.5  # minimum time limit of a batch
FAR = 10.0  # time limit of a batch, as a multiple of the expected time
ALIVE = 2.0  # multiple of that limit if the worker answers pings


@dataclass(slots=True)
class _Order:
    output: str
    padded_tokens: int
    alone: bool
    since_s: float
    expected_s: float | None
    bound_s: float


class Watch:
    """Watches one worker.

    Args:
        costs: of its version.
        timeout_s: time limit for any batch.
        now_s: on the clock of all methods.
    """

    def __init__(self, costs: Costs, timeout_s: float, now_s: float) -> None:
        self.costs, self._timeout_s = costs, timeout_s
        self._orders: dict[int, _Order] = {}
        # These are loaded at the start; the full network is loaded with the first batch that needs it.
        self._loaded = {name for name, one in OUTPUTS.items() if not one.full}
        self._noted_s, self._away_s = now_s, 0.0
        self._heard_s = now_s
        self.silent = False

    def sent(self, number: int, output: str, padded_tokens: int, now_s: float, *, alone: bool) -> None:
        """The worker was sent a batch."""
        here_s = self._here_s(now_s)
        expected_s = self.costs.expected_s(output, padded_tokens, alone=alone) if output in self._loaded else None
        ahead = [one.expected_s for one in self._orders.values()]
        bound_s = self._timeout_s
        if expected_s is not None and None not in ahead:
            # It may have to wait for all batches in progress: an engine can have fewer lanes than the server.
            far_s = FAR * (expected_s + sum(one for one in ahead if one is not None))
            bound_s = min(self._timeout_s, self.costs.patience(now_s) * max(LEAST_S, far_s))
        self._orders[number] = _Order(output, padded_tokens, alone, here_s, expected_s, bound_s)

    def heard(self, now_s: float) -> None:
        """The worker sent something."""
        self._heard_s, self.silent = self._here_s(now_s), False

    def answered(self, number: int, seconds: float | None) -> None:
        """The worker answered a batch after so many seconds; None if it could not compute it."""
        order = self._orders.pop(number, None)
        if order is not None and seconds is not None:
            self._loaded.add(order.output)
            self.costs.learn(order.output, order.padded_tokens, seconds, alone=order.alone)

    def look(self, now_s: float) -> str | None:
        """The reason to kill the worker, if any. Call it every ``TICK_S``."""
        here_s = self._here_s(now_s)
        self.silent = here_s - self._heard_s >= SILENT_S
        for order in self._orders.values():
            limit_s = order.bound_s if self.silent else min(self._timeout_s, ALIVE * order.bound_s)
            if here_s - order.since_s > limit_s:
                self.costs.hung(now_s)
                return _overdue(order, limit_s)
        quiet_s = max(SILENT_S, min(self._timeout_s, QUIET_S))
        if not self._orders and here_s - self._heard_s > quiet_s:
            return f"it has been silent for {quiet_s:g} s"
        return None

    def _here_s(self, now_s: float) -> float:
        """The time without gaps in which the server did not run.

        Every event must check for a gap, because any kind may be the first one after it.
        """
        self._away_s += max(0.0, now_s - self._noted_s - LONGEST_TICK_S)
        self._noted_s = now_s
        return now_s - self._away_s


def _overdue(order: _Order, limit_s: float) -> str:
    usual = "" if order.expected_s is None else f" and usually takes about {order.expected_s:.2g} s"
    return f"a batch took longer than {limit_s:.3g} s{usual}"
