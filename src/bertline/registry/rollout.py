"""A rollout: a version on its way to be the champion, as all servers of a model see it; and what each has counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from bertline.errors import UsageError
from bertline.statistics.figures import rate

SHADOW = "shadow"
STEPS = ("1", "5", "25", "50", "100")
Status = Literal["running", "paused", "watching", "promoted", "passed", "rolled_back", "aborted"]
Role = Literal["shadow", "canary", "watch"]
OPEN: tuple[Status, ...] = ("running", "paused", "watching")


@dataclass(frozen=True, slots=True)
class Rollout:
    """The state of a rollout.

    Attributes:
        number: from 1, over all models.
        model: by its name in the registry, or for clients where there is no registry.
        champion: number of the version that answered before; None without a registry.
        champion_digest: of its bundle.
        challenger: number of the new version; None without a registry.
        challenger_digest: of its bundle.
        steps: ``shadow``, then shares in percent.
        place: index of the current step; behind the last one the champion has changed and is watched.
        status: what it does, or how it ended.
        since_s: Unix time at which the step began.
        revision: rises with every change.
        slow_ms: a request that takes longer is slow; None until a server has measured the champion.
        plan: settings of the decisions (``lifecycle.rollout.plan``).
        verdict: hash of the gate's verdict.
        by: who began it.
        reason: why it is in this state, with figures.
    """

    number: int
    model: str
    champion: int | None
    champion_digest: str | None
    challenger: int | None
    challenger_digest: str
    steps: tuple[str, ...]
    place: int = 0
    status: Status = "running"
    since_s: float = 0.0
    revision: int = 1
    slow_ms: float | None = None
    plan: Mapping[str, Any] = field(default_factory=dict)
    verdict: str | None = None
    by: str = ""
    reason: str = ""

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.status in OPEN

    @property
    def role(self) -> Role:
        """Of the challenger in this step."""
        if self.place >= len(self.steps) or self.steps[self.place] == "100":
            return "watch"
        return "shadow" if self.steps[self.place] == SHADOW else "canary"

    @property
    def share(self) -> float:
        """Of the requests that the challenger answers in this step, from 0 to 1."""
        return {"shadow": 0.0, "watch": 1.0}.get(self.role) or self._canary_share()

    @property
    def name(self) -> str:
        """Of the challenger."""
        return f"{self.model}:{self.challenger}" if self.challenger else self.challenger_digest[:12]

    @property
    def step(self) -> str:
        """Of this moment, for people."""
        return {"shadow": "shadow", "watch": f"{rate(1.0)}, watched"}.get(self.role) or rate(self.share)

    def _canary_share(self) -> float:
        return float(self.steps[self.place]) / 100 if self.role == "canary" else 0.0


@dataclass(slots=True)
class Tally:
    """What one server counted in one step; sums of servers are sums of fields.

    Attributes:
        champion_requests, challenger_requests: that each answered, or failed to.
        champion_errors, challenger_errors: by the version's own fault, or for lack of capacity.
        champion_timed, challenger_timed: answered since the bound of slow ones is known.
        champion_slow, challenger_slow: of these, slower than the bound.
        compared: requests that both computed.
        disagreed: of these, with different answers.
        dropped: requests that were to be compared and were not, for lack of time.
        shift: sum over compared requests of the mean difference of scores.
        champion_s, challenger_s: sum of the computing times of compared requests.
    """

    champion_requests: int = 0
    champion_errors: int = 0
    champion_timed: int = 0
    champion_slow: int = 0
    challenger_requests: int = 0
    challenger_errors: int = 0
    challenger_timed: int = 0
    challenger_slow: int = 0
    compared: int = 0
    disagreed: int = 0
    dropped: int = 0
    shift: float = 0.0
    champion_s: float = 0.0
    challenger_s: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Tally)))


def parsed_steps(text: str) -> tuple[str, ...]:
    """The steps of ``shadow,1,5,25,50,100``; the last one is always 100.

    >>> parsed_steps("shadow, 5,50")
    ('shadow', '5', '50', '100')

    Raises:
        UsageError: they are none.
    """
    parts = [part.strip().removesuffix("%").strip() for part in text.split(",")]
    shares = parts[1:] if parts[0] == SHADOW else parts
    try:
        numbers = [float(part) for part in shares]
    except ValueError:
        numbers = [0.0]
    if any(not 0 < one <= 100 for one in numbers) or sorted(set(numbers)) != numbers:
        raise UsageError(
            f"--steps {text!r} are no steps: give rising shares in percent, as in 1,5,25,50,100, perhaps with shadow "
            "before them"
        )
    below = [f"{one:g}" for one in numbers if one < 100]
    return (*parts[: len(parts) - len(shares)], *below, "100")
