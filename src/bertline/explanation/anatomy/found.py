"""An anatomy as a value, with its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bertline.explanation.anatomy.inside import Token
from bertline.explanation.anatomy.parts import Parts
from bertline.explanation.anatomy.plain import plain


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way.

    Attributes:
        name: to find it by.
        title: of it.
        says: a short paragraph; each of its claims holds for ``values``.
        formula: what is computed.
        values: the numbers, by name.
    """

    name: str
    title: str
    says: str
    formula: str
    values: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        values = {name: plain(value) for name, value in self.values.items()}
        return {"name": self.name, "title": self.title, "says": self.says, "formula": self.formula, "values": values}


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One input on its way through the network.

    Attributes:
        tokens: of the input, [CLS] and [SEP] included.
        layer: that the steps show, from 0.
        head: likewise.
        token: that they follow.
        steps: in their order.
        attentions: of all layers and heads, [layer, head, token, token].
        parts: what words and windows say by themselves; None if it was not asked for or cannot be.
        answer: of the engine that answers, as it gives it.
        cut_tokens: that truncation left out.
    """

    tokens: tuple[Token, ...]
    layer: int
    head: int
    token: int
    steps: tuple[Step, ...]
    attentions: np.ndarray[Any, Any]
    parts: Parts | None
    answer: Mapping[str, Any]
    cut_tokens: int

    def step(self, name: str) -> Step:
        """A step by its name.

        Raises:
            KeyError: there is no such step.
        """
        found = {one.name: one for one in self.steps}
        return found[name]

    def to_json(self) -> dict[str, Any]:
        """Plain values; numbers have six digits after the point."""
        layers, heads = self.attentions.shape[:2]
        return {
            "tokens": [asdict(one) for one in self.tokens],
            "layers": layers,
            "heads": heads,
            "layer": self.layer,
            "head": self.head,
            "token": self.token,
            "steps": [one.to_json() for one in self.steps],
            "attentions": plain(self.attentions),
            "parts": None if self.parts is None else self.parts.to_json(),
            "answer": dict(self.answer),
            "cut_tokens": self.cut_tokens,
        }
