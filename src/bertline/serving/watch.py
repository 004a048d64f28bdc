"""When a process that computes is given up: told from what it leaves unanswered, without a process, a loop or a clock.

Two things are watched. A process that says nothing at all, not even to the question whether it lives, is not ready: it
is stopped, or something in it holds the interpreter's lock, or the machine swaps. A batch that takes far longer than
such batches cost ends the process: soon where it says nothing, later where it answers otherwise, which is one lane that
hangs or a machine that is slow.

Time in which the server itself did not run, because the machine slept or had no core for it, counts for nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from bertline.encoder.outputs import OUTPUTS
from bertline.serving.costs import Costs

TICK_S = 0.1  # between two looks
LONGEST_TICK_S = 0.5  # the most that counts of the time between two looks
BEAT_S = 0.5  # between two questions whether it lives
SILENT_S = 1.5  # without a word, after which it is not ready: a probe sees it within two seconds
QUIET_S = 5.0  # without a word while nothing is computed, after which it is ended
LEAST_S = 1.5  # that any batch may take
FAR = 10.0  # times what was measured
ALIVE = 2.0  # times that, where the process answers otherwise


@dataclass(slots=True)
class _Order:
    output: str
    padded_tokens: int
    alone: bool
    since_s: float
    expected_s: float | None
    bound_s: float


class Watch:
    """Watches one process.

    Args:
        costs: of its version.
        timeout_s: longest time for a batch, whatever it should cost.
        now_s: on any clock that all methods are told the time of.
    """

    def __init__(self, costs: Costs, timeout_s: float, now_s: float) -> None:
        self.costs, self._timeout_s = costs, timeout_s
        self._orders: dict[int, _Order] = {}
        # A process has these when it says that it can compute; the full network it loads at the first batch for it.
        self._loaded = {name for name, one in OUTPUTS.items() if not one.full}
        self._noted_s, self._away_s = now_s, 0.0
        self._heard_s = now_s
        self.silent = False

    def sent(self, number: int, output: str, padded_tokens: int, now_s: float, *, alone: bool) -> None:
        """The process was given a batch."""
        here_s = self._here_s(now_s)
        expected_s = self.costs.expected_s(output, padded_tokens, alone=alone) if output in self._loaded else None
        ahead = [one.expected_s for one in self._orders.values()]
        bound_s = self._timeout_s
        if expected_s is not None and None not in ahead:
            # It may have to wait for all that is computed: an engine can have fewer lanes than the server.
            far_s = FAR * (expected_s + sum(one for one in ahead if one is not None))
            bound_s = min(self._timeout_s, self.costs.patience(now_s) * max(LEAST_S, far_s))
        self._orders[number] = _Order(output, padded_tokens, alone, here_s, expected_s, bound_s)

    def heard(self, now_s: float) -> None:
        """The process said something."""
        self._heard_s, self.silent = self._here_s(now_s), False

    def answered(self, number: int, seconds: float | None) -> None:
        """A batch came back, computed in so many seconds; None if it could not be computed."""
        order = self._orders.pop(number, None)
        if order is not None and seconds is not None:
            self._loaded.add(order.output)
            self.costs.learn(order.output, order.padded_tokens, seconds, alone=order.alone)

    def look(self, now_s: float) -> str | None:
        """Why the process is to be ended; None while it is not. To be asked every ``TICK_S``."""
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
        """The time without that in which the server did not run.

        Whatever happens first after such a gap has to notice it, and that may be an answer or a batch.
        """
        self._away_s += max(0.0, now_s - self._noted_s - LONGEST_TICK_S)
        self._noted_s = now_s
        return now_s - self._away_s


def _overdue(order: _Order, limit_s: float) -> str:
    usual = "" if order.expected_s is None else f" and usually takes about {order.expected_s:.2g} s"
    return f"a batch took longer than {limit_s:.3g} s{usual}"
