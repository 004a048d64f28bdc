"""What a scan found, with its JSON, and as cases for the gate."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from bertline.lifecycle.probes.change import Probe, Texts
from bertline.lifecycle.probes.marks import marked
from bertline.statistics.intervals import Estimate, wilson

Said = tuple[str, float | None]  # an answer in words, and its probability


@dataclass(frozen=True, slots=True)
class Tried:
    """One text before and after a change.

    Attributes:
        place: of the text among those that were given.
        before: the text.
        after: the changed text.
        said: the answer to each.
        label: whose probability must not go the wrong way; None where the answer must stay.
        moves: where it may go.
        moved: how far the answer moved, 0 to 1.
        broke: whether it moved as it must not.
        alike: whether the model reads both texts as the same tokens, so that nothing can break.
    """

    place: int
    before: Texts
    after: Texts
    said: tuple[Said, Said]
    label: str | None
    moves: Literal["up", "down"] | None
    moved: float
    broke: bool
    alike: bool

    def case(self, name: str) -> dict[str, Any]:
        """It as a case of the gate (``lifecycle.gate.behaviour``)."""
        before, after = (one[0] if len(one) == 1 else [*one] for one in (self.before, self.after))
        if self.label is None:
            return {"kind": "invariance", "name": name, "texts": [before, after]}
        wanted = {"label": self.label, "moves": self.moves}
        return {"kind": "direction", "name": name, "text": before, "changed": after, **wanted}

    def to_json(self) -> dict[str, Any]:
        """Plain values; marks are [start, end] for each text."""
        marks = [marked(one, other) for one, other in zip(self.before, self.after, strict=True)]
        sides = [
            {
                "texts": [*texts],
                "marks": [[list(span) for span in one[side]] for one in marks],
                "answer": self.said[side][0],
                "probability": self.said[side][1],
            }
            for side, texts in enumerate((self.before, self.after))
        ]
        return {"index": self.place, "before": sides[0], "after": sides[1], "label": self.label, "moves": self.moves}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one probe found.

    Attributes:
        probe: what was changed.
        tried: every text that it can change, in their order.
    """

    probe: Probe
    tried: tuple[Tried, ...]

    @property
    def broken(self) -> list[Tried]:
        """The texts that broke it, the answer that moved furthest first."""
        return sorted((one for one in self.tried if one.broke), key=lambda one: (-one.moved, one.place))

    @property
    def rate(self) -> Estimate | None:
        """Share of the texts that broke it, with Wilson's 95 % interval; None without texts."""
        return wilson(len(self.broken), len(self.tried)) if self.tried else None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        rate = self.rate
        return {
            **described(self.probe),
            "texts": len(self.tried),
            "alike": sum(one.alike for one in self.tried),
            "failed": len(self.broken),
            "rate": rate and rate.to_json(),
            "broken": [one.to_json() for one in self.broken],
        }


def described(probe: Probe) -> dict[str, Any]:
    """A probe without results."""
    return {
        "name": probe.name,
        "group": probe.group,
        "about": probe.about,
        "kind": probe.kind,
        "truth": "likely" if probe.likely else "surely",
    }


@dataclass(frozen=True, slots=True)
class Scan:
    """What all probes found.

    Attributes:
        outcomes: in the order of the table of probes.
        texts: that were probed.
        left_out: that were given and not probed: the model reads nothing of them, or there were too many.
        answers: of the model that it took.
        seed: of the changes.
    """

    outcomes: tuple[Outcome, ...]
    texts: int
    left_out: int
    answers: int
    seed: int

    def cases(self, *, broke: bool = True) -> list[dict[str, Any]]:
        """Cases for the gate: those that broke, or those that passed, without those that the model reads alike."""
        tried = ((outcome.probe.name, one) for outcome in self.outcomes for one in outcome.tried)
        return [one.case(name) for name, one in tried if one.broke == broke and not one.alike]

    def cases_file(self, *, passed: bool = False) -> str:
        """The cases as the lines of a file that ``bertline gate --behaviour`` reads."""
        cases = [*self.cases(), *(self.cases(broke=False) if passed else ())]
        return "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in cases)

    def to_json(self, *, passed: bool = False) -> dict[str, Any]:
        """Plain values, with the cases that broke, and those that passed if they are wanted."""
        return {
            "texts": self.texts,
            "left_out": self.left_out,
            "answers": self.answers,
            "seed": self.seed,
            "probes": [one.to_json() for one in self.outcomes],
            "cases": self.cases(),
            "passed": self.cases(broke=False) if passed else [],
        }
