"""The table of a network's outputs, and how to split a batch's array into one per text.

The first axis of a batch's array is the batch; ``axes`` are the others. Only this table knows which of them are tokens:
back ends, the wire and the scheduler carry arrays and names.
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
        full: computed by the bundle's full network in fp32, whichever engine gives the answers, so that stored arrays
            stay comparable after ``bertline optimize`` and on other machines.
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
    """One array per text, without padding: views of ``array``, cut along its token axes.

    Args:
        output: name in ``OUTPUTS``.
        array: of a batch.
        lengths: number of real tokens of each text.

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


def stacked(
    output: str, array: Float[Array, "batch *axes"], lengths: Sequence[int], pieces: Sequence[int]
) -> Float[Array, "rows width"]:
    """An output's rows in one matrix: one row per real token, or per text the mean of its pieces.

    Args:
        output: name in ``OUTPUTS``.
        array: of a batch of pieces, one text's after the other's.
        lengths: number of real tokens of each piece.
        pieces: number of pieces of each text.

    >>> stacked("tags", np.zeros((2, 5, 3)), [5, 2], [2]).shape
    (7, 3)
    >>> stacked("logits", np.array([[1.0, 2], [3, 4], [5, 6]]), [5, 2, 4], [2, 1]).tolist()
    [[2.0, 3.0], [5.0, 6.0]]
    """
    if OUTPUTS[output].by_token:
        return np.concatenate(rows(output, array, lengths))
    firsts = np.cumsum([0, *pieces[:-1]])
    return np.asarray(np.add.reduceat(array, firsts, axis=0) / np.array(pieces, dtype=array.dtype)[:, None])
