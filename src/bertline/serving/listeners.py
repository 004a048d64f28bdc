"""Events of the core, for its listeners: metrics, the log line, traces.

Listeners are called on the event loop in the order in which they were added, while the request or batch is handled.
They are not awaited: a listener with slow work puts it in a queue of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bertline.serving.problems import Problem

if TYPE_CHECKING:
    from bertline.serving.answered import Answered
    from bertline.serving.scheduler import BatchRecord


@dataclass(frozen=True, slots=True)
class Tokenised:
    """A request's texts were tokenised, and are about to be scheduled.

    Attributes:
        began_s: when tokenising began, on the clock of ``perf_counter``.
        seconds: duration.
        tokens: of all texts together.
    """

    began_s: float
    seconds: float
    tokens: int


class Listener:
    """Receives events. Subclasses override the methods they need; the others do nothing."""

    def asked(self, texts: Sequence[str]) -> None:
        """A request sent these texts; their number and lengths are within the limits."""

    def tokenised(self, event: Tokenised) -> None:
        """A request's texts are about to be scheduled."""

    def computed(self, record: BatchRecord) -> None:
        """A batch was computed."""

    def answered(self, output: str, answered: Answered) -> None:
        """A request's rows of this output were computed."""

    def predicted(self, answered: Answered) -> None:
        """A request's answers were made from rows per token; no dialect has changed them yet."""

    def mirrored(self, answered: Answered) -> None:
        """The other version of a rollout computed a request too, to compare; no client gets its answers."""

    def exchanged(self, name: str) -> None:
        """Another version of a model answers, or one version fewer."""

    def retired(self, bundle: Path) -> None:
        """A version was stopped, and no other one uses its bundle."""

    def refused(self, problem: Problem) -> None:
        """A request got an error. Its responder reports it, since many errors occur before the core is called."""


class Listeners(Listener):
    """Passes each event to all listeners."""

    def __init__(self) -> None:
        self._all: list[Listener] = []

    def add(self, *listeners: Listener) -> None:
        """Add listeners."""
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

    def mirrored(self, answered: Answered) -> None:
        """Tell each."""
        for one in self._all:
            one.mirrored(answered)

    def exchanged(self, name: str) -> None:
        """Tell each."""
        for one in self._all:
            one.exchanged(name)

    def retired(self, bundle: Path) -> None:
        """Tell each."""
        for one in self._all:
            one.retired(bundle)

    def refused(self, problem: Problem) -> None:
        """Tell each."""
        for one in self._all:
            one.refused(problem)
