"""One check of a gate, and the decision of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Decision = Literal["yes", "no", "undecided"]


@dataclass(frozen=True, slots=True)
class Check:
    """What one check says.

    Attributes:
        name: of the check, and of the rows where there are several sets.
        decision: whether the challenger passes; ``undecided`` if that cannot be told.
        sentence: why, for people.
        figures: plain JSON values.
    """

    name: str
    decision: Decision
    sentence: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {
            "name": self.name,
            "decision": self.decision,
            "sentence": self.sentence,
            "figures": dict(self.figures),
        }


def decide(checks: Sequence[Check]) -> Decision:
    """No if any check says no; otherwise undecided if any is; otherwise yes.

    >>> decide([Check("a", "yes", ""), Check("b", "undecided", "")])
    'undecided'
    """
    decisions = {one.decision for one in checks}
    return "no" if "no" in decisions else "undecided" if "undecided" in decisions else "yes"
