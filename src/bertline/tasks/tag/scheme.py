"""The labels of a tagger: a prefix for a word's position in an entity, and the entity's type.

BIO (Ramshaw and Marcus 1995, in the form of CoNLL-2003's IOB2) has B- for the first word and I- for further ones. BIOES
(BILOU in Ratinov and Roth 2009) also has E- for the last word and S- for the only word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

Name = Literal["BIO", "BIOES"]
OUTSIDE = "O"
PREFIXES: dict[Name, str] = {"BIO": "BI", "BIOES": "BIES"}

Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Scheme:
    """The labels of ``types`` in the order of the head's outputs: O, then the prefixes of each type.

    >>> Scheme("BIO", ("place", "person")).labels
    ('O', 'B-place', 'I-place', 'B-person', 'I-person')
    """

    name: Name
    types: tuple[str, ...]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The label of each output."""
        return (OUTSIDE, *(f"{prefix}-{kind}" for kind in self.types for prefix in PREFIXES[self.name]))

    @cached_property
    def prefixes(self) -> np.ndarray[Any, Any]:
        """The prefix of each label, [label]; O for O."""
        return np.array([OUTSIDE, *PREFIXES[self.name] * len(self.types)])

    @cached_property
    def type_of(self) -> np.ndarray[Any, Any]:
        """The place in ``types`` of each label's type, [label]; −1 for O."""
        return np.concatenate([[-1], np.repeat(np.arange(len(self.types)), len(PREFIXES[self.name]))])

    @property
    def inside(self) -> slice:
        """The prefixes of each type that continue an entity: I-, and E- where there is one."""
        return slice(1, len(PREFIXES[self.name]) - (self.name == "BIOES"))

    def by_type(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """A view of values by label, [..., label], as [..., type, prefix], without O."""
        return values[..., 1:].reshape(*values.shape[:-1], len(self.types), -1)

    @cached_property
    def begins(self) -> Flags:
        """Whether a label may begin a text, [label]: it needs nothing before it."""
        return np.asarray(~np.isin(self.prefixes, ("I", "E")))

    @cached_property
    def ends(self) -> Flags:
        """Whether a label may end a text, [label]: it needs nothing after it."""
        return ~self._open

    @cached_property
    def follows(self) -> Flags:
        """Whether a word may have the second label after a word with the first, [label, label].

        I- and E- need an entity of their type that is open, and where there is an E-, nothing else closes one.
        """
        same = self.type_of[:, None] == self.type_of[None, :]
        inside = ~self.begins[None, :]
        can_continue = np.isin(self.prefixes, ("B", "I"))[:, None]
        return np.asarray(np.where(inside, can_continue & same, ~self._open[:, None]))

    @cached_property
    def within(self) -> Flags:
        """The same for two pieces of one word, [label, label]: no entity begins or ends inside a word."""
        outside = self.prefixes == OUTSIDE
        return np.asarray((self.follows & ~self.begins[None, :]) | (outside[:, None] & outside[None, :]))

    @cached_property
    def _open(self) -> Flags:
        return np.isin(self.prefixes, ("B", "I")) & (self.name == "BIOES")

    def label(self, prefix: str, kind: int) -> int:
        """The output of a prefix of the type at ``kind`` in ``types``."""
        return 1 + kind * len(PREFIXES[self.name]) + PREFIXES[self.name].index(prefix)

    def spell(self, size: int, spans: Sequence[tuple[int, int, int]]) -> np.ndarray[Any, Any]:
        """The labels of ``size`` words, [word], whose ``spans`` (first, after the last, type) are entities."""
        out = np.zeros(size, dtype=np.int64)
        for first, after, kind in spans:
            out[first:after] = self.label("I", kind)
            if self.name == "BIOES":
                out[after - 1] = self.label("E", kind)
            out[first] = self.label("S" if self.name == "BIOES" and after == first + 1 else "B", kind)
        return out

    def read(self, labels: np.ndarray[Any, Any]) -> list[tuple[int, int, int]]:
        """The inverse of ``spell``, for a sequence of allowed transitions."""
        starts = np.flatnonzero(np.isin(self.prefixes[labels], ("B", "S")))
        kinds = self.type_of[labels]
        # An entity ends where the next one begins, or with the first O.
        breaks = np.append(np.flatnonzero(self.begins[labels]), len(labels))
        ends = breaks[np.searchsorted(breaks, starts, side="right")]
        return [(int(a), int(b), int(kinds[a])) for a, b in zip(starts, ends, strict=True)]
