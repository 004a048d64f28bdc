"""The closed table of what a network can compute for a text, and how a batch of it is cut into its texts.

Arrays of a batch have the batch as their first axis; ``axes`` are those after it. This table alone knows which of them
are tokens: back ends, the wire and the scheduler carry arrays and names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

Axis = Literal["label", "token", "vocabulary", "hidden", "layer", "head"]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a network.

    Attributes:
        axes: of one text's array.
        full: computed by the bundle's full network in fp32, whichever engine gives the answers, so that arrays which
            were stored once stay comparable after ``bertline optimize`` or on another machine.
    """

    axes: tuple[Axis, ...]
    full: bool = False

    @property
    def by_token(self) -> bool:
        """Whether an array has an entry per token, and so cannot be averaged over windows."""
        return "token" in self.axes


OUTPUTS: Mapping[str, Output] = MappingProxyType(
    {
        "logits": Output(("label",)),
        "tags": Output(("token", "label")),
        "vocabulary": Output(("token", "vocabulary")),
        "embedding": Output(("hidden",), full=True),
        "states": Output(("token", "hidden"), full=True),
        "attentions": Output(("layer", "head", "token", "token"), full=True),
    }
)


def rows(output: str, array: Float[Array, "batch *axes"], lengths: Sequence[int]) -> list[Array]:
    """One array per text, without padding: views of ``array``, cut along the axes that are tokens.

    Args:
        output: its name in ``OUTPUTS``.
        array: of a batch.
        lengths: real tokens of each text.

    >>> [one.shape for one in rows("states", np.zeros((2, 5, 8)), [5, 3])]
    [(5, 8), (3, 8)]
    >>> [one.shape for one in rows("attentions", np.zeros((1, 6, 12, 9, 9)), [4])]
    [(6, 12, 4, 4)]
    """
    one = OUTPUTS[output]
    if not one.by_token:
        return list(array)
    cuts = ([slice(length if axis == "token" else None) for axis in one.axes] for length in lengths)
    return [text[tuple(cut)] for text, cut in zip(array, cuts, strict=True)]


def stacked(output: str, array: Float[Array, "batch *axes"], lengths: Sequence[int]) -> Float[Array, "rows width"]:
    """The rows of an output's last axis one below the other: one per text, or one per real token of each text.

    >>> stacked("tags", np.zeros((2, 5, 3)), [5, 2]).shape, stacked("logits", np.zeros((2, 3)), [5, 2]).shape
    ((7, 3), (2, 3))
    """
    return np.concatenate(rows(output, array, lengths)) if OUTPUTS[output].by_token else array
