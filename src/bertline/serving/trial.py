"""A model with two live versions: which of them answers a request, and what both are counted to do.

A shadow answers nothing: it computes what the champion has answered. A canary answers a share of the clients. In a
watch the challenger answers everything, and the former champion is there to compare with and to go back to.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bertline.registry.rollout import Role, Tally
from bertline.serving.problems import Code

if TYPE_CHECKING:
    from bertline.serving.version import Version
    from bertline.tasks.compared import Compared

# The faults of a version or of its server, as opposed to those of a request.
FAULTS = frozenset(
    {Code.COMPUTE_FAILED, Code.NO_MEMORY, Code.WORKER_LOST, Code.OVERLOADED, Code.DEADLINE, Code.INTERNAL}
)
PATIENCE = 0.5  # share of a request's time after which the champion answers in the challenger's place


@dataclass(eq=False, kw_only=True)
class Trial:
    """One step of a rollout on this server.

    Attributes:
        rollout: its number, which also makes the choice of clients differ from that of other rollouts.
        place: index of the step.
        role: of the challenger.
        share: of the clients whom a canary answers.
        champion: the version that answered before; None in a watch until a server that was started meanwhile has loaded
            it.
        challenger: the new one.
        slow_s: a request that takes longer is slow; None before that is known.
        compare: share of the requests that both compute.
        tally: counts.
        lost: why the challenger cannot be kept alive.
    """

    rollout: int
    place: int
    role: Role
    share: float
    champion: Version | None
    challenger: Version
    slow_s: float | None = None
    compare: float = 1.0
    tally: Tally = field(default_factory=Tally)
    lost: str | None = None

    def choose(self, key: bytes) -> Version:
        """The version for a client.

        As the share grows clients change to the challenger, and none changes back: a client's place between 0 and 1
        is a hash of its key.
        """
        if self.champion is None:
            return self.challenger
        if self.role == "shadow" or (self.role == "canary" and place_of(self.rollout, key) >= self.share):
            return self.champion
        if not self.challenger.ready or self.lost:
            self.failed(self.challenger)
            return self.champion
        return self.challenger

    def other(self, version: Version) -> Version | None:
        """The version that computes what this one has answered, to compare; None if nothing does."""
        if self.role == "shadow":
            return self.challenger if version is self.champion else None
        return self.champion if version is self.challenger else None

    def stand_in(self, version: Version) -> Version | None:
        """The champion, if it can answer where this version failed."""
        if version is self.challenger and self.champion is not None and self.champion.ready:
            return self.champion
        return None

    def answered(self, version: Version, seconds: float) -> None:
        """A version answered a request."""
        tally, slow = self.tally, self.slow_s is not None and seconds > self.slow_s
        if version is self.champion:
            tally.champion_requests += 1
            tally.champion_timed += self.slow_s is not None
            tally.champion_slow += slow
        elif version is self.challenger:
            tally.challenger_requests += 1
            tally.challenger_timed += self.slow_s is not None
            tally.challenger_slow += slow

    def failed(self, version: Version) -> None:
        """A version failed at a request by its own fault."""
        if version is self.champion:
            self.tally.champion_requests += 1
            self.tally.champion_errors += 1
        elif version is self.challenger:
            self.tally.challenger_requests += 1
            self.tally.challenger_errors += 1

    def late(self, version: Version) -> None:
        """A challenger took so long that the champion answered in its place."""
        if self.slow_s is None:
            self.failed(version)
        else:
            self.answered(version, float("inf"))

    def compared(self, result: Compared, agree: bool | None, champion_s: float, challenger_s: float) -> None:
        """Both computed a request; ``agree`` is None if there was nothing to agree on."""
        tally = self.tally
        if agree is not None:
            tally.compared += 1
            tally.disagreed += not agree
        tally.shift += result.shift
        tally.champion_s += champion_s
        tally.challenger_s += challenger_s


def place_of(rollout: int, key: bytes) -> float:
    """A client's place between 0 and 1 in a rollout.

    >>> 0 <= place_of(1, b"ana") < 1 and place_of(1, b"ana") != place_of(2, b"ana")
    True
    """
    digest = hashlib.blake2b(key, digest_size=8, salt=rollout.to_bytes(8, "little")).digest()
    return int.from_bytes(digest, "little") / 2**64
