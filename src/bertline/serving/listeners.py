"""What the core says of its work, to whoever listens: metrics, the log line, traces.

Listeners are called on the event loop, in the course of the request or batch, in the order in which they were added.
They are not awaited: a listener that has something slow to do puts it in a queue of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertline.serving.problems import Problem

if TYPE_CHECKING:
    from bertline.serving.answered import Answered
    from bertline.serving.scheduler import BatchRecord


@dataclass(frozen=True, slots=True)
class Tokenised:
    """A request's texts were tokenised and go to the scheduler now.

    Attributes:
        began_s: when tokenising began, on the clock of ``perf_counter``.
        seconds: how long it took.
        tokens: of all texts together.
    """

    began_s: float
    seconds: float
    tokens: int


class Listener:
    """Learns what happens. A subclass overrides what it wants to know; the rest does nothing."""

    def asked(self, texts: Sequence[str]) -> None:
        """A request brought these texts, within the limits of their number and length."""

    def tokenised(self, event: Tokenised) -> None:
        """A request's texts go to the scheduler."""

    def computed(self, record: BatchRecord) -> None:
        """A batch was computed."""

    def answered(self, output: str, answered: Answered) -> None:
        """A request got its rows of this output."""

    def predicted(self, answered: Answered) -> None:
        """Answers were made of a request's rows, of which each token has one; no dialect has worded them yet."""

    def refused(self, problem: Problem) -> None:
        """A request got an error. Who answers it says so, since many are found before the core is asked."""


class Listeners(Listener):
    """All of them, as one."""

    def __init__(self) -> None:
        self._all: list[Listener] = []

    def add(self, *listeners: Listener) -> None:
        """From now on these listen, too."""
        self._all += listeners

    def asked(self, texts: Sequence[str]) -> None:
        """Tell each."""
        for one in self._all:
            one.asked(texts)

    def tokenised(self, event: Tokenised) -> None:
        """Tell each."""
        for one in self._all:
            one.tokenised(event)

    def computed(self, record: BatchRecord) -> None:
        """Tell each."""
        for one in self._all:
            one.computed(record)

    def answered(self, output: str, answered: Answered) -> None:
        """Tell each."""
        for one in self._all:
            one.answered(output, answered)

    def predicted(self, answered: Answered) -> None:
        """Tell each."""
        for one in self._all:
            one.predicted(answered)

    def refused(self, problem: Problem) -> None:
        """Tell each."""
        for one in self._all:
            one.refused(problem)
