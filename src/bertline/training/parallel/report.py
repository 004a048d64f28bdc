"""What the processes of one attempt say, and what that means for the attempt."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bertline.training.parallel.job import Died, Done, Failed, Outcome, failure
from bertline.training.parallel.ranks import PeerLost
from bertline.training.progress import Progress

GRACE_S = 10.0  # for the other processes to say what they know, once one has ended with an error


@dataclass
class Report:
    """Of one process.

    Attributes:
        rank: its number.
        outcome: what became of it; None as long as it is not known.
        followed: whether it ended because it lost another process.
    """

    rank: int
    outcome: Outcome | None = None
    followed: bool = False

    @property
    def bad(self) -> bool:
        """Whether the attempt cannot succeed any more."""
        return isinstance(self.outcome, Died | Failed)

    def take(self, message: Sequence[Any], progress: Progress) -> None:
        """Take a message of ``worker``: progress for its listener, or an outcome."""
        kind, *content = message
        if kind == "done":
            self.outcome = Done(*content)
        elif kind == "failed":
            [error] = content
            self.outcome, self.followed = failure(error), isinstance(error, PeerLost)
        elif kind == "crashed":
            self.outcome = Died(f"process {self.rank} crashed ({content[0]})")
        elif kind == "warned":
            text, category = content
            warnings.warn(text, category, stacklevel=2)
        else:
            getattr(progress, kind)(*content)

    def ended(self, code: int) -> None:
        """The process has ended with ``code``; a negative one is a signal."""
        if self.outcome is None and code < 0:
            self.outcome = Died(f"process {self.rank} was killed by signal {-code} ({signal.strsignal(-code)})")
        elif self.outcome is None and code > 0:
            self.outcome = Died(f"process {self.rank} ended with code {code}")


def outcome_of(reports: Sequence[Report]) -> Outcome:
    """An error that would come again, before a death, before a death that followed from another's.

    >>> died = [Report(0, Died("process 0 lost the others"), followed=True), Report(1, Died("process 1 was killed"))]
    >>> outcome_of(died)
    Died(what='process 1 was killed')
    """

    def order(report: Report) -> int:
        return 0 if isinstance(report.outcome, Failed) else 1 + report.followed if report.bad else 3

    known = sorted((one for one in reports if one.outcome is not None), key=order)
    return next((one.outcome for one in known if one.outcome), Died("process 0 ended without a result"))
