"""The labels of a classifier: an ordered set of names; a label's index is its row in the head."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bertline.data.names import canonical
from bertline.data.targets import Target, names_of
from bertline.errors import DataError

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True)
class Labels:
    """The names in the order of the head's outputs.

    >>> Labels(("neg", "pos")).index("pos")
    1
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, targets: Iterable[Target]) -> Labels:
        """The labels that occur: in numerical order when all are integers, else in alphabetical order."""
        return cls(ordered({name for target in targets for name in names_of(target)}))

    def index(self, name: str) -> int:
        """The place of a label.

        Raises:
            DataError: there is no such label.
        """
        place = self.places.get(canonical(name))
        if place is None:
            raise DataError(f"the label {name!r} is unknown: the labels are {', '.join(self.names)}")
        return place

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The index of each label by its one spelling; bundles of earlier versions may have others."""
        return {canonical(name): place for place, name in reversed([*enumerate(self.names)])}

    def __contains__(self, name: str) -> bool:
        return canonical(name) in self.places

    def __len__(self) -> int:
        return len(self.names)


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Names in the order of ``Labels``, whatever order they come in.

    >>> ordered(["10", "9", "-1"]), ordered(["10", "9", "x"])
    (('-1', '9', '10'), ('10', '9', 'x'))
    """
    distinct = sorted(set(names))
    if all(_INTEGER.fullmatch(name) for name in distinct):
        distinct.sort(key=int)  # stable: "01" stays before "1"
    return tuple(distinct)
